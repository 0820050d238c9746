"""Datasets of formats that describe rows by a JSON Schema: columns, and the checks that the schema asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_plugin.formats.draft import Draft, leave_out
from airflow_plugin.formats.parts import ANYTHING, MAPPING, NUMBER, TEXT, TEXTS, DocumentNode, ImportReport, Schema
from airflow_plugin.formats.types import of_json_schema
from config_schema.errors import UnknownName, ValueWrong
from config_schema.load.described import LeftOut
from config_schema.model import Dataset
from config_schema.model.plain_data import structured
from config_schema.schemas import json_schema
from config_schema.schemas.validator import validator

A_CHECK = "Write a quality check of the model, if it is to be checked: see docs/quality.md"
# Of a property: what the type says, and words for people and programs that change no value.
SAID = ("type", "format", "airbyte_type", "$schema")
NO_KEY = "the file does not say which columns name a row, and the model needs a key"
VALUES: Schema = json_schema("ecosystem")["$defs"]["accepted_values_check"]["properties"]["values"]
KEY = re.compile(r"([^=]+)=(.+)")

Keys = Mapping[str, Sequence[str]]


@dataclass
class Rows:
    """The rows of a table: columns by name with type and place, and what is asked of their values."""

    columns: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    bounds: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    patterns: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[Any]] = field(default_factory=dict)  # the only values of a column


def keys_given(options: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the keys in options such as `orders=id,line`, by table. Raises ValueWrong."""
    found: dict[str, tuple[str, ...]] = {}
    for option in options:
        at = KEY.fullmatch(option)
        if at is None:
            raise ValueWrong("--key", option, "names no table with its columns", "Write one like orders=id,line")
        found[at[1]] = tuple(part.strip() for part in at[2].split(","))
    return found


def check_keys(keys: Keys, tables: Iterable[str], report: ImportReport) -> None:
    """Raise UnknownName for a key of a table that is not in the file: a typing error would leave the table out."""
    known = list(tables)
    for table in keys:
        if table not in known:
            raise UnknownName("--key", "table", table, known, str(report.file))


def read_rows(schema: DocumentNode) -> Rows:
    """Return the rows that a JSON Schema describes; what it asks for and no check says is reported."""
    found = Rows()
    found.required += schema.take("required", TEXTS) or []
    for key in ("type", "$schema", "title", "additionalProperties"):  # of an object, as rows are
        schema.take(key, ANYTHING)
    properties = schema.part("properties")
    for name, value in properties.items() if properties is not None else ():
        place = properties.at(name) if properties is not None else ""
        if not schema.report.check(value, MAPPING, place):
            continue
        kind = of_json_schema(value)
        found.places[name] = place
        part = DocumentNode(value, place, schema.report)
        for key in SAID:
            part.take(key, ANYTHING)
        if kind is None:
            schema.report.unsaid(place, f"the type of {name!r} is none of a column", "It is jsonb: see that it fits")
            for key in ("anyOf", "oneOf", "allOf"):
                part.take(key, ANYTHING)
        found.columns[name] = "jsonb" if kind is None else kind[0]
        if found.columns[name] == "jsonb":
            for key in ("properties", "items", "additionalProperties", "required"):
                part.unsaid(key, "The column holds it as JSON, whatever is in it")
        low, high = part.take("minimum", NUMBER), part.take("maximum", NUMBER)
        if low is not None or high is not None:
            found.bounds[name] = (low, high)
        if (pattern := part.take("pattern", TEXT)) is not None:
            found.patterns[name] = pattern
        if kind is not None and validator(VALUES)(part.peek("enum")):
            found.choices[name] = part.take("enum", VALUES)
        part.finish(dict.fromkeys(("minLength", "maxLength", "enum"), A_CHECK))
    schema.finish()
    return found


def add_dataset(
    draft: Draft, report: ImportReport, said: Mapping[str, Any], rows: Rows, severity: str = "warn"
) -> None:
    """Add a dataset to the draft, or leave it out if it has no key; `said` are its keys beside columns and checks."""
    table = said.get("table") or said["name"]
    key = [column for column in said["primary_key"] if column in rows.columns]
    missing = [column for column in said["primary_key"] if column not in rows.columns]
    columns = [
        {"name": name, "type": kind, **({"nullable": False} if name in key else {})}
        for name, kind in rows.columns.items()
    ]
    for name, place in rows.places.items():
        draft.places[table, "columns", name] = place
    dataset = structured({**said, "primary_key": key, "columns": columns, "checks": _checks(rows, severity)}, Dataset)
    if missing or not key:
        why = f"its key names {', '.join(map(repr, missing))}, which it does not have" if missing else NO_KEY
        leave_out(draft, report, LeftOut(table, why, dataset if columns else None))
    elif not columns:
        leave_out(draft, report, LeftOut(table, "the file does not say which columns it has"))
    else:
        draft.found.datasets.append(dataset)


def _checks(rows: Rows, severity: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    required = [name for name in dict.fromkeys(rows.required) if name in rows.columns]
    if required:
        found.append({"kind": "not_null", "name": "required", "severity": severity, "columns": required})
    number = 0
    for name, (low, high) in rows.bounds.items():
        number += 1
        bounds = {key: bound for key, bound in (("min", low), ("max", high)) if bound is not None}
        found.append({"kind": "range", "name": f"range_{number}", "severity": severity, "column": name, **bounds})
    for name, pattern in rows.patterns.items():
        number += 1
        check = {"kind": "pattern", "name": f"pattern_{number}", "severity": severity, "column": name}
        found.append({**check, "pattern": pattern})
    for name, values in rows.choices.items():
        number += 1
        check = {"kind": "accepted_values", "name": f"values_{number}", "severity": severity, "column": name}
        found.append({**check, "values": values})
    return found
