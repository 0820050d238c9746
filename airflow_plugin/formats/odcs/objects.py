"""The objects of a contract's schema as datasets: columns, keys, classifications, quality checks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_plugin.formats.draft import Draft, leave_out
from airflow_plugin.formats.odcs.export import relationship
from airflow_plugin.formats.odcs.quality import OBJECT, checks_of, read_checks
from airflow_plugin.formats.odcs.servers import Servers
from airflow_plugin.formats.odcs.words import SAID_OF_DATASET, Own
from airflow_plugin.formats.parts import INTEGER, MAPPING, TEXT, TRUTH, DocumentNode, shown
from airflow_plugin.formats.rows import Keys
from airflow_plugin.formats.types import is_postgres_type, of_logical
from config_schema.load.described import LeftOut
from config_schema.model import Classification, Dataset, SourceKind
from config_schema.model.plain_data import structured
from config_schema.model.sql_types import long_name
from config_schema.schemas import json_schema

CLASSIFICATIONS = {one.value: one.value for one in Classification}
STRICTEST = Classification.PII.value
OWN_OF_DATASET = [
    key
    for key in json_schema("ecosystem")["$defs"]["dataset"]["properties"]
    if key not in SAID_OF_DATASET or key == "table"
]
NO_KEY = "none of its properties has primaryKey: true, and the model needs a key"
A_CHECK = "Write a quality check of the model, if it is to be checked: see docs/quality.md"
IN_BRACKETS = re.compile(r"(?i:varchar|char|character(?: varying)?) *\[(\d{1,10})\]")
LONGEST_VARCHAR = 10_485_760  # PostgreSQL's limit
UNPLACED = 10**6  # behind the columns of a key that have a position
ANY_VALUE: dict[str, Any] = {"description": "Write a value"}
NO_TYPE = "Write a physicalType of PostgreSQL's, or a logicalType"
# What is not there, said in so many words.
NOTHING = {"unique": False, "partitioned": False, "criticalDataElement": False, "partitionKeyPosition": -1}


@dataclass
class _Column:
    """A property: its name, the column, and its place in the key."""

    logical: str
    said: dict[str, Any]
    key: tuple[int, int] | None = None


def read_object(draft: Draft, part: DocumentNode, servers: Servers, types: tuple[str, ...], keys: Keys) -> None:
    """Add an object to the draft, as a dataset or as a table that is left out.

    `types` are those of the datastore, `keys` the keys of tables that a person has given, by the object's name.
    """
    own = Own(part)
    name = part.needed("name", TEXT, "Write the table's name") or ""
    said = own.of_model("dataset", *OWN_OF_DATASET)
    own.finish()
    physical, kind = part.text("physicalName"), part.text("physicalType")
    table = physical or name
    if servers.files is not None:
        table = servers.files.table(name, physical)
        if servers.files.options:
            said.setdefault("files", servers.files.options)
    draft.places[table, "", ""] = part.path
    if table != name:
        said["table"] = table
    known = ("file", "object") if servers.files is not None else ("table", "view")
    if kind is not None and kind not in known:
        part.report.unsaid(part.at("physicalType"), f"a dataset is {' or '.join(known)} of its source, not {kind}")
    part.text("logicalType")
    if part.take("deprecated", TRUTH):
        said.setdefault("deprecated", "its contract says that it is deprecated")
    items = list(checks_of(part, OBJECT))
    columns: list[_Column] = []
    for index, one in enumerate(part.parts("properties")):
        column = _column(one, index, servers, types)
        if column is not None:
            items += checks_of(one, column.said["name"])
            columns.append(column)
            draft.places[table, "columns", column.said["name"]] = one.path
        one.finish(dict.fromkeys(("unique", "enum", "relationships"), A_CHECK))
    checks = read_checks(items, {one.logical: one.said["name"] for one in columns})
    for check, path in checks:
        draft.places[table, "checks", check["name"]] = path
    key = _key(columns, keys.get(name, ()))
    dataset = structured(
        {
            **said,
            "name": name,
            "columns": [one.said for one in columns],
            "primary_key": key,
            "checks": [check for check, _ in checks],
        },
        Dataset,
    )
    _relationships(part, dataset)
    part.finish()
    if dataset.primary_key:
        draft.found.datasets.append(dataset)
    else:
        leave_out(draft, part.report, LeftOut(table, NO_KEY, dataset))


def _column(part: DocumentNode, index: int, servers: Servers, types: tuple[str, ...]) -> _Column | None:
    own = Own(part)
    said = own.of_model("column", "path")
    own.finish()
    name = part.needed("name", TEXT, "Write the column's name")
    physical = part.text("physicalName")
    if physical is not None and name is not None and physical != name:
        part.report.unsaid(
            part.at("name"), f"the column is called {physical!r} in the source", "The model has that name"
        )
    column: dict[str, Any] = {"name": physical or name or "", **said}
    for key, default in NOTHING.items():
        if part.peek(key) == default:
            part.take(key, ANY_VALUE)
    is_key, position = part.take("primaryKey", TRUTH), part.take("primaryKeyPosition", INTEGER)
    required = part.take("required", TRUTH)
    if required is True or is_key:
        column["nullable"] = False
    column["classification"] = _classification(part)
    kind = _type(part, servers, types)
    if kind is None:
        part.report.unsaid(part.path, f"the column {column['name']!r} is left out: it has no type", NO_TYPE)
        list(part.items())
        return None
    is_list_in_file = servers.files is not None and long_name(kind).endswith("]")
    column["type"] = "jsonb" if is_list_in_file else kind  # files have no one way to write an array
    place = (position if position is not None and position > 0 else UNPLACED, index) if is_key else None
    return _Column(name or "", column, place)


def _key(columns: Iterable[_Column], given: Iterable[str]) -> list[str]:
    """Return the columns of the key that a person has given, otherwise of the contract's."""
    keyed = sorted((one.key, one.said["name"]) for one in columns if one.key is not None)
    key = list(given) or [name for _, name in keyed]
    for one in columns:
        if one.said["name"] in key:
            one.said["nullable"] = False
    return key


def _classification(part: DocumentNode) -> str:
    text = part.text("classification")
    if text is None:
        return Classification.INTERNAL.value
    known = CLASSIFICATIONS.get(text.lower())
    if known is None:
        what = f"the classification {shown(text)} is not one of {', '.join(CLASSIFICATIONS)}"
        part.report.unsaid(part.at("classification"), what, f"It is read as {STRICTEST}: write the one that is meant")
    return known or STRICTEST


def _type(part: DocumentNode, servers: Servers, types: tuple[str, ...]) -> str | None:
    physical, logical = part.text("physicalType"), part.text("logicalType")
    options = dict(part.take("logicalTypeOptions", MAPPING) or {})
    by_logic = _of_logical(part, logical, options)
    for key, value in options.items():
        what = f"{key} {shown(value)} is not in the column's type"
        part.report.unsaid(f"{part.at('logicalTypeOptions')}.{key}", what, A_CHECK)
    if physical is None or servers.is_ours:
        return physical or by_logic
    known = _known(physical, logical, servers, types)
    if known == physical:
        return known
    what = f"{shown(physical)} is no type of PostgreSQL's for {logical or 'it'}"
    found = known or by_logic
    todo = f"It is {found} by its logicalType: see that each value fits" if found else NO_TYPE
    part.report.unsaid(part.at("physicalType"), what, todo)
    return found


def _known(physical: str, logical: str | None, servers: Servers, types: tuple[str, ...]) -> str | None:
    """Return the type that a physical type means in PostgreSQL; None if it is none, or contradicts the logical one."""
    length = IN_BRACKETS.fullmatch(physical)
    if length is not None and logical == "string":  # as the standard's own example writes varchar(15)
        return f"varchar({length[1]})" if 0 < int(length[1]) <= LONGEST_VARCHAR else "text"
    if not is_postgres_type(physical, types, exactly=servers.kind is not SourceKind.POSTGRESQL):
        return None
    is_array = long_name(physical).endswith("[]")
    return None if logical is not None and is_array != (logical == "array") else physical


def _of_logical(part: DocumentNode, logical: str | None, options: dict[str, Any]) -> str | None:
    if logical is None:
        return None
    if logical == "array":
        items = part.part("items")
        inner = None if items is None else _of_items(items)
        return f"{inner}[]" if inner is not None else "jsonb"
    nested = ("properties", "map")
    for key in nested:
        part.unsaid(key, "The column holds it as JSON, whatever is in it")
    return of_logical(logical, options)


def _of_items(items: DocumentNode) -> str | None:
    logical = items.text("logicalType")
    options = dict(items.take("logicalTypeOptions", MAPPING) or {})
    physical = items.text("physicalType")
    found = physical if physical and is_postgres_type(physical) else None
    if found is None and logical not in (None, "array", "object", "map"):
        found = of_logical(str(logical), options)
    items.finish()
    return found


def _relationships(part: DocumentNode, dataset: Dataset) -> None:
    """ImportReport each relationship that no reference check of the dataset says."""
    said = [relationship(dataset.name, check) for check in dataset.checks]
    for one in part.parts("relationships"):
        written = dict(one.items())
        if written not in said:
            what = f"the relationship to {shown(str(written.get('to')))} is not in the model"
            part.report.unsaid(one.path, what, "Write a reference check, if rows are to be checked")
