"""Checks of a model: schema_problems checks each file by its schema, check_model the rules between objects.

Both return all problems at once. check_model needs objects that have passed their schema. docs/model.md describes the
rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from config_schema.model import Ecosystem
from config_schema.model.mapping import DsgMapping
from config_schema.problem import Problem
from config_schema.rules import OF_THE_ECOSYSTEM, OF_THE_MAPPING, OF_THE_WHOLE
from config_schema.schemas import json_schema
from config_schema.schemas.findings import findings

# The file that a path of the whole ecosystem leads to, and the path in that file.
Place = Callable[[str], tuple[str, str]]


def schema_problems(data: Any, schema: str, place: Place) -> list[Problem]:
    """Return where `data` breaks `<schema>.schema.json`, in the order of the data."""
    found = [one.problem(*place(one.path)) for one in findings(data, json_schema(schema))]
    return sorted(set(found))


def check_model(
    ecosystem: Ecosystem,
    mappings: Iterable[DsgMapping],
    place: Place,
    mapping_file: str,
    *,
    is_part: bool = False,
) -> list[Problem]:
    """Return every broken rule between the objects of a model: names, references, keys, schedules, derived names.

    `is_part` says that it is only a platform's part of one.
    """
    mappings = tuple(mappings)
    found = [
        rule.problem(*place(path), what, todo)
        for check, rule in OF_THE_ECOSYSTEM.items()
        for path, what, todo in check(ecosystem)
    ]
    found += [
        rule.problem(mapping_file, *finding)
        for check, rule in OF_THE_MAPPING.items()
        if not (is_part and check in OF_THE_WHOLE)
        for finding in check(ecosystem, mappings)
    ]
    return found
