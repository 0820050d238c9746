"""What is wrong with a value by a JSON Schema, in words: where, what, and what to do. For rows, settings and models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from config_schema.errors import choose_from
from config_schema.problem import Problem, Rule
from config_schema.schemas.validator import (
    TYPES,
    Schema,
    is_unique,
    kinds_of,
    referenced,
    same,
    validator,
)

OF_ITS_TYPE = Rule("DF1301", "A value has the type that its key has.")
OF_ITS_CHOICE = Rule("DF1302", "A value is one of those that its key can have.")
OF_ITS_LENGTH = Rule("DF1303", "A text has as many characters as its key can have.")
OF_ITS_FORM = Rule("DF1304", "A text has the form that its key asks for.")
IN_BOUNDS = Rule("DF1305", "A number is within the bounds of its key.")
AS_MANY_ITEMS = Rule("DF1306", "A list has as many items as its key can have.")
ITEMS_DIFFER = Rule("DF1307", "A list names each item once.")
AS_MANY_KEYS = Rule("DF1308", "An object has as many keys as it can have.")
KEY_IS_GIVEN = Rule("DF1309", "A key that is required is given.")
KEY_IS_KNOWN = Rule("DF1310", "A key is one that the schema knows.")


class SchemaFinding(NamedTuple):
    """A place in a document that its schema does not allow, and the rule that it breaks."""

    rule: Rule
    path: str
    what: str
    todo: str

    def problem(self, file: str, path: str | None = None) -> Problem:
        """Return the finding as a problem of a file, at its own path unless another is given."""
        return self.rule.problem(file, self.path if path is None else path, self.what, self.todo)


LONGEST_SHOWN = 60
MOST_ADVISED = 3  # unknown keys of an object: to look for the nearest known one costs milliseconds

ARTICLE = {"integer": "an integer", "array": "a list", "object": "an object", "boolean": "true or false"}


def findings(value: Any, schema: Schema, path: str = "") -> Iterator[SchemaFinding]:
    """Yield everything that is wrong with `value`, each with its path (`datasets[0]`), in the schema's order."""
    if not validator(schema)(value):
        yield from _Search(schema).of_value(value, schema, path)


class _Search:
    """The search through an invalid value, by the parts of one whole schema."""

    def __init__(self, root: Schema) -> None:
        self.root = root

    def of_value(self, value: Any, schema: Schema, path: str) -> Iterator[SchemaFinding]:
        kinds = kinds_of(schema)
        if kinds and not any(TYPES[kind](value) for kind in kinds):
            wanted = " or ".join(ARTICLE.get(kind, f"a {kind}") for kind in kinds)
            yield SchemaFinding(OF_ITS_TYPE, path, f"{_shown(value)} is not {wanted}", _wanted(schema))
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

    def of_list(self, value: list[Any], schema: Schema, path: str) -> Iterator[SchemaFinding]:
        low, high = schema.get("minItems", 0), schema.get("maxItems")
        if len(value) < low or (high is not None and len(value) > high):
            yield SchemaFinding(AS_MANY_ITEMS, path, f"the list has {len(value)} items", _bounds(low, high))
            return  # a hostile list must not cost more than a look at its length
        if schema.get("uniqueItems") and not is_unique(value):
            yield SchemaFinding(ITEMS_DIFFER, path, "an item is listed twice", "List each once")
        for index, item in enumerate(value):
            yield from self.of_value(item, schema.get("items", {}), f"{path}[{index}]")

    def of_object(self, value: dict[str, Any], schema: Schema, path: str) -> Iterator[SchemaFinding]:
        known: Schema = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        inside = f"{path}." if path else ""
        if len(value) > schema.get("maxProperties", len(value)):
            yield SchemaFinding(
                AS_MANY_KEYS, path, f"there are {len(value)} keys", f"Give at most {schema['maxProperties']}"
            )
        for key in schema.get("required", ()):
            if key not in value:
                yield SchemaFinding(KEY_IS_GIVEN, inside + key, "the key is missing", _wanted(known.get(key, {})))
        unknown = 0
        for key, item in value.items():
            if key in known:
                yield from self.of_value(item, known[key], inside + key)
            elif others is False:
                unknown += 1
                todo = choose_from(str(key)[:LONGEST_SHOWN], known) if unknown <= MOST_ADVISED else "Leave it out"
                yield SchemaFinding(KEY_IS_KNOWN, inside + _key(key), f"unknown key {_shown(key)}", todo)
            elif others is not True:
                yield from self.of_value(item, others, inside + _key(key))

    def of_parts(self, value: Any, schema: Schema, path: str) -> Iterator[SchemaFinding]:
        if "$ref" in schema:
            yield from self.of_value(value, referenced(schema, self.root), path)
        for part in schema.get("allOf", ()):
            yield from self.of_value(value, part, path)
        if "if" in schema and validator(schema["if"], self.root)(value):
            yield from self.of_value(value, schema.get("then", {}), path)


def _of_choice(value: Any, schema: Schema, path: str) -> Iterator[SchemaFinding]:
    choice = [schema["const"]] if "const" in schema else schema.get("enum")
    if choice is not None and not any(same(value, one) for one in choice):
        todo = choose_from(str(value)[:LONGEST_SHOWN], map(str, choice))
        yield SchemaFinding(OF_ITS_CHOICE, path, f"{_shown(value)} is not known", todo)


def _of_text(value: str, schema: Schema, path: str) -> Iterator[SchemaFinding]:
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    if len(value) < low or (high is not None and len(value) > high):
        yield SchemaFinding(OF_ITS_LENGTH, path, f"the text has {len(value)} characters", _bounds(low, high))
    elif "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        yield SchemaFinding(OF_ITS_FORM, path, f"{_shown(value)} is not well formed", _wanted(schema))


def _of_number(value: float, schema: Schema, path: str) -> Iterator[SchemaFinding]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if (low is not None and not low <= value) or (high is not None and not value <= high):
        yield SchemaFinding(IN_BOUNDS, path, f"{_shown(value)} is out of bounds", _bounds(low, high, "a number "))


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
