"""Whether a value fits its schema: a function made once for each schema, which the parse path calls for each row.

It knows what schema_check.py knows, and that says what is wrong where a value does not fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]
Fits = Callable[[Any], bool]

TYPES: dict[str, Fits] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

_made: dict[int, tuple[Schema, Fits]] = {}  # with the schema, so that its id stays its own


def fits(schema: Schema) -> Fits:
    """A function that says whether a value fits."""
    if id(schema) not in _made:
        _made[id(schema)] = schema, _one_of(schema) if "enum" in schema else MAKERS[schema["type"]](schema)
    return _made[id(schema)][1]


def _one_of(schema: Schema) -> Fits:
    known, as_its_type = tuple(schema["enum"]), MAKERS[schema["type"]](schema)
    return lambda value: as_its_type(value) and value in known


def _boolean(schema: Schema) -> Fits:
    return TYPES["boolean"]


def _text(schema: Schema) -> Fits:
    low, high = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    search = re.compile(schema.get("pattern", "")).search
    return lambda value: isinstance(value, str) and low <= len(value) <= high and search(value) is not None


def _number(schema: Schema) -> Fits:
    of_type = TYPES[schema["type"]]
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    return lambda value: of_type(value) and low <= value <= high


def _array(schema: Schema) -> Fits:
    low, high = schema.get("minItems", 0), schema.get("maxItems", math.inf)
    item_fits = fits(schema["items"])
    unique = schema.get("uniqueItems", False) and schema["items"]["type"] == "string"

    def array_fits(value: Any) -> bool:
        # In this order: only a list that is short enough, of texts that are, is compared.
        if not (isinstance(value, list) and low <= len(value) <= high and all(map(item_fits, value))):
            return False
        return not unique or len(set(value)) == len(value)

    return array_fits


def _object(schema: Schema) -> Fits:
    most, required = schema.get("maxProperties", math.inf), frozenset(schema.get("required", ()))
    known = {key: fits(of) for key, of in schema.get("properties", {}).items()}
    others = schema.get("additionalProperties", True)
    other_fits: Fits = fits(others) if isinstance(others, Mapping) else lambda value: bool(others)

    def object_fits(value: Any) -> bool:
        if not (isinstance(value, dict) and len(value) <= most and value.keys() >= required):
            return False
        return all(known.get(key, other_fits)(item) for key, item in value.items())

    return object_fits


MAKERS: dict[str, Callable[[Schema], Fits]] = {
    "boolean": _boolean,
    "string": _text,
    "integer": _number,
    "number": _number,
    "array": _array,
    "object": _object,
}
