"""Whether data fit a JSON Schema, by the keywords that our schemas use, and nothing of why not.

The jsonschema package, which words what is wrong, costs 0.1 s and 8 MB to load. A merge job that runs each minute on
a model that was checked when it was synced should not pay for that. A property test holds the two equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from config_schema.schemas.schema_fits import TYPES

Schema = Mapping[str, Any]
WORDS = frozenset(["$schema", "$id", "$defs", "title", "description", "examples", "default", "then"])


def conforms(value: Any, schema: Schema, root: Schema | None = None) -> bool:
    """Whether `value` is valid. `root` is the whole schema, where `schema` is a part of one.

    Raises KeyError for a keyword that is not known here.
    """
    whole = schema if root is None else root
    return all(RULES[word](value, asked, schema, whole) for word, asked in schema.items() if word not in WORDS)


def _type(value: Any, asked: Any, schema: Schema, root: Schema) -> bool:
    kinds = [asked] if isinstance(asked, str) else asked
    return any(value is None if kind == "null" else TYPES[kind](value) for kind in kinds)


def _reference(value: Any, asked: str, schema: Schema, root: Schema) -> bool:
    return conforms(value, root["$defs"][asked.removeprefix("#/$defs/")], root)


def _properties(value: Any, asked: Schema, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, dict) or all(
        conforms(value[key], part, root) for key, part in asked.items() if key in value
    )


def _others(value: Any, asked: Any, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict) or asked is True:
        return True
    others = [item for key, item in value.items() if key not in schema.get("properties", {})]
    return not others if asked is False else all(conforms(item, asked, root) for item in others)


def _items(value: Any, asked: Schema, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, list) or all(conforms(item, asked, root) for item in value)


def _condition(value: Any, asked: Schema, schema: Schema, root: Schema) -> bool:
    return not conforms(value, asked, root) or conforms(value, schema.get("then", {}), root)


def _all_of(value: Any, asked: list[Schema], schema: Schema, root: Schema) -> bool:
    return all(conforms(value, part, root) for part in asked)


def _pattern(value: Any, asked: str, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, str) or re.search(asked, value) is not None


def _unique(value: Any, asked: bool, schema: Schema, root: Schema) -> bool:
    return not isinstance(value, list) or len({repr(item) for item in value}) == len(value)


def _required(value: Any, asked: list[str], schema: Schema, root: Schema) -> bool:
    return not isinstance(value, dict) or all(key in value for key in asked)


def _sized(
    kind: type[str] | type[list[Any]] | type[dict[str, Any]], fits: Callable[[int, int], bool]
) -> Callable[[Any, int, Schema, Schema], bool]:
    return lambda value, asked, schema, root: not isinstance(value, kind) or fits(len(value), asked)


def _bounded(fits: Callable[[float, float], bool]) -> Callable[[Any, float, Schema, Schema], bool]:
    return lambda value, asked, schema, root: not TYPES["number"](value) or fits(value, asked)


RULES: dict[str, Callable[[Any, Any, Schema, Schema], bool]] = {
    "type": _type,
    "$ref": _reference,
    "properties": _properties,
    "additionalProperties": _others,
    "items": _items,
    "if": _condition,
    "allOf": _all_of,
    "enum": lambda value, asked, schema, root: any(value == one and type(value) is type(one) for one in asked),
    "const": lambda value, asked, schema, root: bool(value == asked and type(value) is type(asked)),
    "pattern": _pattern,
    "uniqueItems": _unique,
    "required": _required,
    "minLength": _sized(str, lambda length, least: length >= least),
    "maxLength": _sized(str, lambda length, most: length <= most),
    "minItems": _sized(list, lambda length, least: length >= least),
    "maxItems": _sized(list, lambda length, most: length <= most),
    "maxProperties": _sized(dict, lambda length, most: length <= most),
    "minimum": _bounded(lambda number, least: number >= least),
    "maximum": _bounded(lambda number, most: number <= most),
}
