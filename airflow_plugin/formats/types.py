"""PostgreSQL's types and those of other formats: ODCS' logical types, and the types of JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config_schema.model.sql_types import INTEGERS, KNOWN_TYPES, base_type, long_name, parsed

LOGICAL = {
    "date": "date",
    "boolean": "boolean",
    "json": "object",
    "jsonb": "object",
    "real": "number",
    "double precision": "number",
    "numeric": "number",
    "money": "number",
}
# Logical types whose options say nothing more about the type.
PLAIN = {"date": "date", "time": "time", "boolean": "boolean", "object": "jsonb", "map": "jsonb"}
INTEGER_FORMATS = {"i8": "smallint", "i16": "smallint", "i32": "integer", "u8": "smallint", "u16": "integer"}
INTEGER_FORMATS |= {"u32": "bigint", "i64": "bigint"}
NUMBER_FORMATS = {"f32": "real", "f64": "double precision"}
JSON_FORMATS = {
    "date": "date",
    "date-time": "timestamp with time zone",
    "time": "time without time zone",
    "uuid": "uuid",
}
WITH_LIMITS = frozenset(["numeric", "character", "character varying", "bit", "bit varying", "timestamp", "time"])
# Airbyte's own, beside the format.
AIRBYTE_TYPES = {
    "timestamp_with_timezone": "timestamp with time zone",
    "timestamp_without_timezone": "timestamp without time zone",
    "time_with_timezone": "time with time zone",
    "time_without_timezone": "time without time zone",
    "integer": "bigint",
    "big_integer": "numeric",
    "big_number": "numeric",
}


def logical_type(of: str) -> str:
    """Return the standard's logical type for a type of PostgreSQL's."""
    base = base_type(long_name(of))
    if long_name(of).endswith("[]"):
        return "array"
    if base in INTEGERS:
        return "integer"
    if base.startswith("timestamp"):
        return "timestamp"
    if base.startswith("time "):
        return "time"
    return LOGICAL.get(base, "string")


def is_postgres_type(text: str, also: tuple[str, ...] = (), *, exactly: bool = False) -> bool:
    """Return whether a text is a type that PostgreSQL comes with, one of `also`, or one with quotes or a schema.

    `exactly` refuses limits that no type of PostgreSQL's has: another database's `int(11)`.
    """
    base = base_type(text)
    if base == "name":  # PostgreSQL's own for identifiers; in a contract, somebody's domain
        return base in also
    if exactly:
        of = parsed(long_name(text))
        return of is not None and of.base in KNOWN_TYPES and (of.first is None or of.base in WITH_LIMITS)
    return base in KNOWN_TYPES or base in also or '"' in base or "." in base


def of_logical(logical: str, options: dict[str, Any]) -> str | None:
    """Return the type for a logical type, and take the options that are in it out of `options`; None without one."""
    if logical == "string":
        length = options.pop("maxLength", None)
        return f"character varying({length})" if isinstance(length, int) and length > 0 else "text"
    if logical == "integer":
        return INTEGER_FORMATS.get(str(options.pop("format", "i64")), "numeric(20,0)")
    if logical == "number":
        return NUMBER_FORMATS.get(str(options.pop("format", "")), "numeric")
    if logical == "timestamp":
        zone = "with" if options.pop("timezone", False) is True else "without"
        return f"timestamp {zone} time zone"
    return PLAIN.get(logical)


def of_json_schema(schema: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Return the type for values of a JSON Schema, and whether they may be null; None for one that cannot be read."""
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    others = [kind for kind in kinds if kind != "null"]
    if len(others) != 1:
        return None
    found = _of_json_kind(others[0], schema)
    return None if found is None else (found, "null" in kinds)


def _of_json_kind(kind: Any, schema: Mapping[str, Any]) -> str | None:
    special = schema.get("airbyte_type")
    if isinstance(special, str) and special in AIRBYTE_TYPES:
        return AIRBYTE_TYPES[special]
    match kind:
        case "string":
            return JSON_FORMATS.get(str(schema.get("format")), "text")
        case "integer":
            return "bigint"
        case "number":
            return "numeric"
        case "boolean":
            return "boolean"
        case "object" | "array":
            return "jsonb"
        case _:
            return None
