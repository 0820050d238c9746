"""What a lake can hold of a dataset: the type of each column in Iceberg, and how PostgreSQL writes its values for it.

Exact or refused: every value that is written is the value that PostgreSQL has. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from config_schema.model import Column, Dataset, DatasetStrategy, Datastore, SourceKind
from config_schema.model.sql_types import SqlType, long_name, parsed

MOST_DIGITS = 38
LIMITS = re.compile(r" *\([^()]*\)")
# Iceberg itself has more, and what writes and reads its files in Python has not.
OUTSIDE = (
    "a date or time outside of the years 1 to 9999, infinity too",
    "Correct the values, or model the column as text",
)
NO_NUMBER = (
    "NaN or infinity, which Iceberg's decimal does not have",
    "Correct the values, or model the column as text",
)
MIDNIGHT = ("24:00, which Iceberg's time does not have", "Correct the values, or model the column as text")
SHAPED = (
    "an array of several dimensions, or one that does not begin at 1, which is no list",
    "Correct the values, or model the column as text",
)


class Form(Enum):
    """What PostgreSQL writes for a value, and what is to be made of it."""

    AS_IT_IS = "as it is"
    DAYS = "days since 1970-01-01"
    MICROSECONDS = "microseconds"
    HEX = "hexadecimal digits"
    LIST = "a JSON list of texts"


@dataclass(frozen=True)
class LakeType:
    """A type of Iceberg.

    `iceberg` and `duckdb` are its names there; `written` is the expression that writes a value `{}` out. `misfit` is
    the condition of values that have no place, and `reason` says why, and what to do. A list has that of its elements.
    """

    iceberg: str
    duckdb: str
    form: Form = Form.AS_IT_IS
    written: str = "{}"
    misfit: str | None = None
    reason: tuple[str, str] | None = None
    element: LakeType | None = None


TEXT = LakeType("string", "VARCHAR", written="{}::text")
MICROSECONDS = "(extract(epoch FROM {}) * 1000000)::bigint"
OUTSIDE_OF_YEARS = "{} NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999999'"
# By PostgreSQL's type without its limits and time zone.
TYPES = {
    "boolean": LakeType("boolean", "BOOLEAN"),
    "smallint": LakeType("int", "INTEGER"),
    "integer": LakeType("int", "INTEGER"),
    "bigint": LakeType("long", "BIGINT"),
    "real": LakeType("float", "FLOAT"),
    "double precision": LakeType("double", "DOUBLE"),
    "text": TEXT,
    "character varying": TEXT,
    "character": TEXT,
    "json": TEXT,
    "jsonb": TEXT,
    "uuid": LakeType("uuid", "UUID", Form.HEX, "replace({}::text, '-', '')"),
    "bytea": LakeType("binary", "BLOB", Form.HEX, "encode({}, 'hex')"),
    "date": LakeType(
        "date", "DATE", Form.DAYS, "({} - '1970-01-01')", "{} NOT BETWEEN '0001-01-01' AND '9999-12-31'", OUTSIDE
    ),
}
STAMP = LakeType("timestamp", "TIMESTAMP", Form.MICROSECONDS, MICROSECONDS, OUTSIDE_OF_YEARS, OUTSIDE)
ZONED = replace(STAMP, iceberg="timestamptz", duckdb="TIMESTAMP WITH TIME ZONE")
CLOCK = LakeType("time", "TIME", Form.MICROSECONDS, MICROSECONDS, "{} = '24:00'", MIDNIGHT)
# An empty array has no item to make a list of, and NULL none either: it stays NULL.
ITEMS = """CASE WHEN cardinality({0}) = 0 THEN '[]' ELSE (
    SELECT json_agg((ONE)::text ORDER BY place) FROM unnest({0}) WITH ORDINALITY item (one, place)
)::text END"""
HAS_ITEM = " OR EXISTS (SELECT FROM unnest({0}) item (one) WHERE MISFIT)"
# In a key equal values are the same value there, whatever tool compares them.
IN_KEYS = frozenset(
    [
        *("boolean", "smallint", "integer", "bigint", "numeric", "text", "character varying", "uuid", "bytea", "date"),
        *("timestamp", "time"),
    ]
)


def lake_type(text: str) -> LakeType | None:
    """Return the type in Iceberg for a column of PostgreSQL's type `text`; None if there is none that is exact."""
    of = parsed(_without_blanks(text))
    if of is None or of.array not in ("", "[]"):
        return None
    found = _scalar(of)
    return found if found is None or not of.array else _list_of(found)


def may_be_key(text: str) -> bool:
    """Return whether a column of a key may have the type."""
    of = parsed(_without_blanks(text))
    return of is not None and not of.array and of.base in IN_KEYS


def _without_blanks(text: str) -> str:
    """Return a type as format_type() writes it, which has no blanks in its limits."""
    return LIMITS.sub(lambda found: "".join(found[0].split()), long_name(text))


def _scalar(of: SqlType) -> LakeType | None:
    match of.base:
        case "numeric":
            if of.first is None or not (of.first <= MOST_DIGITS and 0 <= of.second <= of.first):
                return None
            name = f"decimal({of.first}, {of.second})"
            return LakeType(name, name.upper(), misfit="{} IN ('NaN', 'Infinity', '-Infinity')", reason=NO_NUMBER)
        case "timestamp":
            return ZONED if of.zone == " with time zone" else STAMP
        case "time":
            return CLOCK if of.zone == " without time zone" else None
    return TYPES.get(of.base)


def _list_of(element: LakeType) -> LakeType:
    written = ITEMS.replace("ONE", element.written.format("one"))
    misfit, reason = "array_ndims({0}) > 1 OR array_lower({0}, 1) <> 1", SHAPED
    if element.misfit is not None and element.reason is not None:
        misfit += HAS_ITEM.replace("MISFIT", element.misfit.format("one"))
        reason = (f"{SHAPED[0]}; or an element with {element.reason[0]}", SHAPED[1])
    return LakeType(
        f"list<{element.iceberg}>", f"{element.duckdb}[]", Form.LIST, written, misfit, reason, element=element
    )


def type_of(column: Column) -> LakeType:
    """Return the column's type in Iceberg. Only for datasets that `refusals` has nothing against."""
    found = lake_type(column.type)
    assert found is not None
    return found


# What a dataset may ask for that is not to be had in a lake yet, and how it is when it asks for nothing.
OPTIONS = {
    "checks": (),
    "on_delete": Dataset.on_delete,
    "keep_closed_days": None,
    "keep_changes": None,
    "valid_from": None,
    "indexes": (),
    "strategy": DatasetStrategy.AUTO,
}


def refusals(store: Datastore, dataset: Dataset) -> Iterator[tuple[str, str, str]]:
    """Yield what no lake can hold of a dataset, or not yet: the path in it, what is wrong, and what to do."""
    if store.source.kind is not SourceKind.POSTGRESQL:
        what = f"{store.name} is on {store.source.kind.value}, and a lake takes rows of PostgreSQL only"
        yield "", what, "Assign it to a platform without a lake"
    if store.change_feed is not None:
        what = f"{store.name} has change_feed, which is not to be had in a lake"
        yield "", what, "Take change_feed out, or assign it to a platform without a lake"
    for option, default in OPTIONS.items():
        if getattr(dataset, option) != default:
            what = f"{dataset.name} has {option}, which is not to be had in a lake"
            yield option, what, f"Take {option} out, or assign it to a platform without a lake"
    seen: dict[str, str] = {}
    for number, column in enumerate(dataset.columns):
        at, name = f"columns[{number}]", column.name
        if lake_type(column.type) is None:
            what = f"{name!r} is of type {column.type}, for which Iceberg has none that is exact"
            yield f"{at}.type", what, "Model it as text, or as numeric with at most 38 digits if it is a number"
        elif name in dataset.primary_key and not may_be_key(column.type):
            what = f"{name!r} is a key of type {column.type}, of which equal values may differ"
            yield f"{at}.type", what, "Model it as text, or take another key"
        if name.lower() in seen:
            what = f"{name!r} and {seen[name.lower()]!r} are one name for tools that read Iceberg tables"
            yield f"{at}.name", what, "Read the table through a view that names it differently"
        seen.setdefault(name.lower(), name)
