"""Checks values by a JSON Schema: each schema is compiled to functions once; findings.py explains invalid values.

The parse path checks thousands of rows with it, and a merge job its model, so it imports nothing: docs/architecture.md
says what libraries cost. It supports the keywords that our schemas use; tests compare it with the jsonschema package.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]
Check = Callable[[Any], bool]

ANNOTATIONS = frozenset(("$schema", "$id", "$defs", "title", "description", "examples", "default"))
# Which keywords are about values of one kind only: with or without a `type`, other values pass them.
KEYWORDS = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": ("minimum", "maximum"),
    "array": ("minItems", "maxItems", "items", "uniqueItems"),
    "object": ("required", "properties", "additionalProperties", "maxProperties"),
}
OTHERS = ("type", "enum", "const", "$ref", "allOf", "if", "then")
KNOWN = frozenset((*ANNOTATIONS, *OTHERS)).union(*KEYWORDS.values())

TYPES: dict[str, Check] = {
    "null": lambda value: value is None,
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

MOST_KNOWN = 64  # texts of a key that are remembered as valid
LONGEST_KNOWN = 200  # characters of one

_compiled: dict[int, tuple[Schema, Check]] = {}  # with the schema, so that its id stays its own


def validator(schema: Schema, root: Schema | None = None) -> Check:
    """Return a function that checks a value; `root` is the whole schema if this is a part of one.

    Raises ValueError for a keyword that is not supported.
    """
    if id(schema) not in _compiled:
        _compiled[id(schema)] = schema, _compile(schema, schema if root is None else root)
    return _compiled[id(schema)][1]


def kinds_of(schema: Schema) -> Sequence[str]:
    """Return the names of the types that a schema allows; empty if it does not restrict them."""
    kinds: str | list[str] = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def referenced(schema: Schema, root: Schema) -> Schema:
    """Return the definition that a schema's `$ref` names. Raises KeyError if there is none."""
    definition: Schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return definition


def same(value: Any, other: Any) -> bool:
    """Return whether two JSON values are the same: 1 is not true."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def is_unique(items: list[Any]) -> bool:
    """Return whether no item of a list is given twice."""
    texts = all(isinstance(item, str) for item in items)
    return len(set(items if texts else map(repr, items))) == len(items)


def _compile(schema: Schema, root: Schema) -> Check:
    if unknown := schema.keys() - KNOWN:
        raise ValueError(f"a schema has the keywords {sorted(unknown)}, which are not known here")
    checks = [*_of_kinds(schema, root), *_of_values(schema), *_of_parts(schema, root)]
    if len(checks) == 1:
        return checks[0]

    def is_valid(value: Any) -> bool:
        for check in checks:  # noqa: SIM110 - all() with a generator takes half as long again
            if not check(value):
                return False
        return True

    return is_valid


def _of_kinds(schema: Schema, root: Schema) -> list[Check]:
    """Return the condition for a value of each kind; if the schema names types, the value must be of one of them."""
    kinds = kinds_of(schema)
    if len(kinds) == 1:
        return [_of_kind(kinds[0], schema, root)]
    if len(kinds) == 2:
        one, other = (_of_kind(kind, schema, root) for kind in kinds)
        return [lambda value: one(value) or other(value)]
    if kinds:
        each = [_of_kind(kind, schema, root) for kind in kinds]
        return [lambda value: any(check(value) for check in each)]
    asked = [kind for kind, keywords in KEYWORDS.items() if any(keyword in schema for keyword in keywords)]
    return [_unless_other(TYPES[kind], _of_kind(kind, schema, root)) for kind in asked]


def _unless_other(is_kind: Check, check: Check) -> Check:
    return lambda value: not is_kind(value) or check(value)


def _of_values(schema: Schema) -> list[Check]:
    checks: list[Check] = []
    if "enum" in schema:
        known = tuple(schema["enum"])
        if all(isinstance(one, str) for one in known):
            checks.append(lambda value: isinstance(value, str) and value in known)
        else:
            checks.append(lambda value: any(same(value, one) for one in known))
    if "const" in schema:
        checks.append(lambda value: same(value, schema["const"]))
    return checks


def _of_parts(schema: Schema, root: Schema) -> list[Check]:
    checks: list[Check] = []
    if "$ref" in schema:
        checks.append(validator(referenced(schema, root), root))
    checks += [validator(part, root) for part in schema.get("allOf", ())]
    if "if" in schema:
        condition, then = validator(schema["if"], root), validator(schema.get("then", {}), root)
        checks.append(lambda value: not condition(value) or then(value))
    return checks


def _of_kind(kind: str, schema: Schema, root: Schema) -> Check:
    match kind:
        case "string":
            return _text(schema)
        case "integer" | "number":
            return _number(kind, schema)
        case "array":
            return _array(schema, root)
        case "object":
            return _object(schema, root)
    return TYPES[kind]


def _text(schema: Schema) -> Check:
    low, high = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    if "pattern" not in schema:
        return lambda value: isinstance(value, str) and low <= len(value) <= high
    search = re.compile(schema["pattern"]).search
    known: set[str] = set()

    def is_valid(value: Any) -> bool:
        # Most keys have the same few values in thousands of rows: to look one up takes a fifth of a search.
        if not isinstance(value, str):
            return False
        if value in known:
            return True
        if not (low <= len(value) <= high and search(value) is not None):
            return False
        if len(known) < MOST_KNOWN and len(value) <= LONGEST_KNOWN:
            known.add(value)
        return True

    return is_valid


def _number(kind: str, schema: Schema) -> Check:
    is_kind = TYPES[kind]
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    return lambda value: is_kind(value) and low <= value <= high


def _array(schema: Schema, root: Schema) -> Check:
    low, high = schema.get("minItems", 0), schema.get("maxItems", math.inf)
    item_is_valid, unique = validator(schema.get("items", {}), root), schema.get("uniqueItems", False)

    def is_valid(value: Any) -> bool:
        # In this order: only a list that is short enough, of items that are valid, is compared.
        if not (isinstance(value, list) and low <= len(value) <= high and all(map(item_is_valid, value))):
            return False
        return not unique or is_unique(value)

    return is_valid


def _object(schema: Schema, root: Schema) -> Check:
    most, required = schema.get("maxProperties", math.inf), frozenset(schema.get("required", ()))
    known = {key: validator(part, root) for key, part in schema.get("properties", {}).items()}
    others = schema.get("additionalProperties", True)
    other_is_valid: Check = validator(others, root) if isinstance(others, Mapping) else lambda value: bool(others)

    def is_valid(value: Any) -> bool:
        if not (isinstance(value, dict) and len(value) <= most and value.keys() >= required):
            return False
        for key, item in value.items():  # noqa: SIM110 - all() with a generator takes half as long again
            if not known.get(key, other_is_valid)(item):
                return False
        return True

    return is_valid
