"""The rules between the objects of a model: each gives a Finding for every place that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from config_schema.errors import Finding
from config_schema.mapping import DsgMapping
from config_schema.model import Ecosystem
from config_schema.rules.columns import columns_leave_our_names, keys_are_columns
from config_schema.rules.mapping import mapping_refers_to_the_model
from config_schema.rules.names import derived_names_differ, names_stand_once
from config_schema.rules.platforms import (
    addresses_hold_no_secret,
    merge_stores_are_postgresql,
    schedules_hold,
    secrets_have_variables_of_their_own,
)
from config_schema.rules.quality import quality_findings
from config_schema.rules.references import sinks_exist

OF_THE_ECOSYSTEM: tuple[Callable[[Ecosystem], Iterator[Finding]], ...] = (
    names_stand_once,
    keys_are_columns,
    columns_leave_our_names,
    sinks_exist,
    schedules_hold,
    addresses_hold_no_secret,
    merge_stores_are_postgresql,
    secrets_have_variables_of_their_own,
    derived_names_differ,
    quality_findings,
)
OF_THE_MAPPING: tuple[Callable[[Ecosystem, tuple[DsgMapping, ...]], Iterator[Finding]], ...] = (
    mapping_refers_to_the_model,
)
