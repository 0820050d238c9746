"""The part of JSON Schema that stream.schema.json uses, in plain code: light enough for the parse path.

A property test holds it equal to the jsonschema package, which costs 0.2 s to import and is for CLI, sync and web.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from config_schema.errors import choose_from
from config_schema.schemas.schema_fits import TYPES, Schema, fits

Finding = tuple[str, str, str]  # path, what, what to do

LONGEST_SHOWN = 60
MOST_ADVISED = 3  # unknown keys of an object

ARTICLE = {"integer": "an integer", "array": "a list", "object": "an object", "boolean": "true or false"}


def findings(value: Any, schema: Schema, path: str = "") -> Iterator[Finding]:
    """Everything wrong with `value`, each with its path (`datasets[0]`), in the schema's order."""
    if not fits(schema)(value):
        yield from _findings(value, schema, path)


def _findings(value: Any, schema: Schema, path: str) -> Iterator[Finding]:
    kind = schema["type"]
    if not TYPES[kind](value):
        yield path, f"{_shown(value)} is not {ARTICLE.get(kind, 'a ' + kind)}", _wanted(schema)
        return
    if "enum" in schema and value not in schema["enum"]:
        yield path, f"{_shown(value)} is not known", choose_from(str(value)[:LONGEST_SHOWN], schema["enum"])
    if kind == "string":
        yield from _text(value, schema, path)
    elif kind in ("integer", "number"):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not low <= value <= high:
            yield path, f"{_shown(value)} is out of bounds", f"Give a number from {low} to {high}"
    elif kind == "array":
        yield from _array(value, schema, path)
    elif kind == "object":
        yield from _object(value, schema, path)


def _text(value: str, schema: Schema, path: str) -> Iterator[Finding]:
    low, high = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if not low <= len(value) <= high:
        yield path, f"the text has {len(value)} characters", f"Give {low} to {high}"
    elif "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        yield path, f"{_shown(value)} is not well formed", _wanted(schema)


def _array(value: list[Any], schema: Schema, path: str) -> Iterator[Finding]:
    low, high = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not low <= len(value) <= high:
        yield path, f"the list has {len(value)} items", f"Give {low} to {high}"
        return  # a hostile list must not cost more than a look at its length
    if schema.get("uniqueItems"):
        texts = [item for item in value if isinstance(item, str)]  # such lists are of texts, or told of below
        if len(set(texts)) < len(texts):
            yield path, "an item stands there twice", "Name each once"
    for index, item in enumerate(value):
        yield from _findings(item, schema["items"], f"{path}[{index}]")


def _object(value: dict[str, Any], schema: Schema, path: str) -> Iterator[Finding]:
    known: Schema = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    inside = f"{path}." if path else ""
    if len(value) > schema.get("maxProperties", len(value)):
        yield path, f"there are {len(value)} keys", f"Give at most {schema['maxProperties']}"
    for key in schema.get("required", ()):
        if key not in value:
            yield inside + key, "the key is missing", _wanted(known[key])
    unknown = 0
    for key, item in value.items():
        if key in known:
            yield from _findings(item, known[key], inside + key)
        elif others is False:
            unknown += (
                1  # to look for the nearest one costs milliseconds, which a hostile row can ask for again and again
            )
            todo = choose_from(key[:LONGEST_SHOWN], known) if unknown <= MOST_ADVISED else "Leave it out"
            yield inside + _key(key), f"unknown key {_shown(key)}", todo
        elif others is not True:
            yield from _findings(item, others, inside + _key(key))


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _wanted(schema: Schema) -> str:
    return f"{schema['description'].rstrip('.')}, for example {schema['examples'][0]!r}"


def _key(key: str) -> str:
    return key if key.isprintable() and len(key) <= LONGEST_SHOWN else _shown(key)


def _shown(value: Any) -> str:
    # Sliced first: the repr of a hostile text is as long as that.
    text = repr(value[:LONGEST_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
