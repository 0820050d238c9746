"""Reads JSON without a loss: every digit of a number, no key twice; and writes its values for columns."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from config_schema.model import Column
from config_schema.model.sql_types import long_name, parsed

JSON_TYPES = ("json", "jsonb")


class NotExactJson(ValueError):
    """JSON that means nothing certain."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotExactJson("a key is in it twice")
    return found


def _no_number(word: str) -> None:
    raise NotExactJson(f"{word} is no number of JSON")


def parsed_json(text: str) -> Any:
    """Return what a text means. Raises ValueError, ArithmeticError or RecursionError; NotExactJson in words of ours."""
    return json.loads(text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once)


def is_json(column: Column) -> bool:
    """Return whether a column has JSON of any kind."""
    of = parsed(long_name(column.type))
    return of is not None and of.base in JSON_TYPES and not of.array


def nested_as_json(value: Any) -> Any:
    """Return what no other type than a text has, an object or a list, as JSON; others as they are."""
    return json_value(value) if isinstance(value, dict | list) else value


def json_text(value: Any) -> str:
    """Return a text as it is, as it is JSON already, and another value as JSON."""
    return value if isinstance(value, str) else json_value(value)


def json_value(value: Any) -> str:
    """Return a value as JSON with every digit of its numbers; the json module has no decimal numbers."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(str(key), ensure_ascii=False)}: {json_value(one)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(json_value, value))}]"
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        raise NotExactJson("bytes are no JSON")
    if value is None or isinstance(value, str | int | float):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return json.dumps(str(value), ensure_ascii=False)
