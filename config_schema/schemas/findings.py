"""What is wrong with a value by a JSON Schema, in words: where, what, and what to do. For rows, settings and models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from config_schema.errors import choose_from
from config_schema.schemas.validator import (
    TYPES,
    Schema,
    is_unique,
    kinds_of,
    referenced,
    same,
    validator,
)

Finding = tuple[str, str, str]  # path, what, what to do

LONGEST_SHOWN = 60
MOST_ADVISED = 3  # unknown keys of an object: to look for the nearest known one costs milliseconds

ARTICLE = {"integer": "an integer", "array": "a list", "object": "an object", "boolean": "true or false"}


def findings(value: Any, schema: Schema, path: str = "") -> Iterator[Finding]:
    """Yield everything that is wrong with `value`, each with its path (`datasets[0]`), in the schema's order."""
    if not validator(schema)(value):
        yield from _Search(schema).of_value(value, schema, path)


class _Search:
    """The walk over a value that is not valid, by the parts of one whole schema."""

    def __init__(self, root: Schema) -> None:
        self.root = root

    def of_value(self, value: Any, schema: Schema, path: str) -> Iterator[Finding]:
        kinds = kinds_of(schema)
        if kinds and not any(TYPES[kind](value) for kind in kinds):
            wanted = " or ".join(ARTICLE.get(kind, f"a {kind}") for kind in kinds)
            yield path, f"{_shown(value)} is not {wanted}", _wanted(schema)
            return
        yield from _of_choice(value, schema, path)
        if isinstance(value, str):
            yield from _of_text(value, schema, path)
        elif TYPES["number"](value):
            yield from _of_number(value, schema, path)
        elif isinstance(value, list):
            yield from self.of_list(value, schema, path)
        elif isinstance(value, dict):
            yield from self.of_object(value, schema, path)
        yield from self.of_parts(value, schema, path)

    def of_list(self, value: list[Any], schema: Schema, path: str) -> Iterator[Finding]:
        low, high = schema.get("minItems", 0), schema.get("maxItems")
        if len(value) < low or (high is not None and len(value) > high):
            yield path, f"the list has {len(value)} items", _bounds(low, high)
            return  # a hostile list must not cost more than a look at its length
        if schema.get("uniqueItems") and not is_unique(value):
            yield path, "an item stands there twice", "Name each once"
        for index, item in enumerate(value):
            yield from self.of_value(item, schema.get("items", {}), f"{path}[{index}]")

    def of_object(self, value: dict[str, Any], schema: Schema, path: str) -> Iterator[Finding]:
        known: Schema = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        inside = f"{path}." if path else ""
        if len(value) > schema.get("maxProperties", len(value)):
            yield path, f"there are {len(value)} keys", f"Give at most {schema['maxProperties']}"
        for key in schema.get("required", ()):
            if key not in value:
                yield inside + key, "the key is missing", _wanted(known.get(key, {}))
        unknown = 0
        for key, item in value.items():
            if key in known:
                yield from self.of_value(item, known[key], inside + key)
            elif others is False:
                unknown += 1
                todo = choose_from(str(key)[:LONGEST_SHOWN], known) if unknown <= MOST_ADVISED else "Leave it out"
                yield inside + _key(key), f"unknown key {_shown(key)}", todo
            elif others is not True:
                yield from self.of_value(item, others, inside + _key(key))

    def of_parts(self, value: Any, schema: Schema, path: str) -> Iterator[Finding]:
        if "$ref" in schema:
            yield from self.of_value(value, referenced(schema, self.root), path)
        for part in schema.get("allOf", ()):
            yield from self.of_value(value, part, path)
        if "if" in schema and validator(schema["if"], self.root)(value):
            yield from self.of_value(value, schema.get("then", {}), path)


def _of_choice(value: Any, schema: Schema, path: str) -> Iterator[Finding]:
    choice = [schema["const"]] if "const" in schema else schema.get("enum")
    if choice is not None and not any(same(value, one) for one in choice):
        yield path, f"{_shown(value)} is not known", choose_from(str(value)[:LONGEST_SHOWN], map(str, choice))


def _of_text(value: str, schema: Schema, path: str) -> Iterator[Finding]:
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    if len(value) < low or (high is not None and len(value) > high):
        yield path, f"the text has {len(value)} characters", _bounds(low, high)
    elif "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        yield path, f"{_shown(value)} is not well formed", _wanted(schema)


def _of_number(value: float, schema: Schema, path: str) -> Iterator[Finding]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if (low is not None and not low <= value) or (high is not None and not value <= high):
        yield path, f"{_shown(value)} is out of bounds", _bounds(low, high, "a number ")


def _bounds(low: float | None, high: float | None, of: str = "") -> str:
    if high is None:
        return f"Give {of}of at least {low}" if of else f"Give at least {low}"
    if low is None:
        return f"Give {of}of at most {high}" if of else f"Give at most {high}"
    return f"Give {of}from {low} to {high}" if of else f"Give {low} to {high}"


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _wanted(schema: Schema) -> str:
    parts = [schema.get("description", "See the schema").rstrip(".")]
    if schema.get("examples"):
        parts.append(f"for example {schema['examples'][0]!r}")
    return ", ".join(parts)


def _key(key: object) -> str:
    return key if isinstance(key, str) and key.isprintable() and len(key) <= LONGEST_SHOWN else _shown(key)


def _shown(value: Any) -> str:
    # Sliced first: the repr of a hostile text is as long as that.
    text = repr(value[:LONGEST_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
