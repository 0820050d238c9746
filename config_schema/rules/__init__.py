"""The rules between the objects of a model: each gives a Finding for every place that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from config_schema.errors import Finding
from config_schema.model import Ecosystem
from config_schema.model.mapping import DsgMapping
from config_schema.rules import columns, consumption, mapping, names, platforms, quality, references, schedules, tls

OF_THE_ECOSYSTEM: tuple[Callable[[Ecosystem], Iterator[Finding]], ...] = (
    names.names_stand_once,
    references.owners_are_teams,
    columns.keys_are_columns,
    columns.types_exist,
    columns.columns_fit_the_merge_table,
    columns.tables_are_classified_alike,
    columns.rows_fit_a_page,
    references.sinks_exist,
    consumption.classifications_are_seen,
    schedules.schedules_hold,
    platforms.addresses_hold_no_secret,
    platforms.merge_stores_are_postgresql,
    tls.tls_can_be_had,
    platforms.secrets_have_variables_of_their_own,
    names.derived_names_differ,
    quality.quality_findings,
)
OF_THE_MAPPING: tuple[Callable[[Ecosystem, tuple[DsgMapping, ...]], Iterator[Finding]], ...] = (
    mapping.mapping_refers_to_the_model,
    mapping.each_group_has_one_platform,
    mapping.retention_fits_milestoning,
    schedules.schedules_meet_latencies,
    consumption.deprecated_data_is_not_used,
    consumption.production_uses_what_is_fit_for_it,
)
