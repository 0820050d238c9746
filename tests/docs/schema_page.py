"""A reference page of a JSON Schema: a section for each object, a table row for each key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.docs.markdown import cell, code, table

Schema = Mapping[str, Any]


def schema_sections(schema: Schema, title: str, level: int = 2) -> str:
    """The sections of a schema's own object and of all objects in it, each once."""
    return "\n".join(_Page(schema, level).sections(schema, title))


class _Page:
    """Where an object is described already is remembered, so that each is described once."""

    def __init__(self, schema: Schema, level: int) -> None:
        self.definitions: Schema = schema.get("$defs", {})
        self.hashes = "#" * level
        self.reported: set[str] = set()

    def sections(self, schema: Schema, title: str) -> Iterator[str]:
        self.reported.add(title)
        inside = list(_alternatives(schema, self.definitions))
        yield f"{self.hashes} {title}\n\n{cell(schema.get('description', ''))}\n"
        if schema.get("properties"):
            yield self._table(schema, title)
        for kind, one in inside:
            yield f"With {kind}:\n"
            yield self._table(one, title)
        for part in (schema, *(one for _, one in inside)):
            for key, value in part.get("properties", {}).items():
                for name, found in self._objects(value, f"{title}.{key}"):
                    if name not in self.reported:
                        yield from self.sections(found, name)

    def _table(self, schema: Schema, title: str) -> str:
        wanted = schema.get("required", ())
        rows = []
        for key, value in schema.get("properties", {}).items():
            one = self._resolved(value)
            description = value.get("description") or one.get("description", "")
            example = code(json.dumps(one["examples"][0])) if one.get("examples") else ""
            must = "yes" if key in wanted else ""
            rows.append((code(key), self._kind(value, f"{title}.{key}"), must, cell(description), example))
        return table(("key", "what it takes", "must be there", "what it is", "example"), rows)

    def _resolved(self, schema: Schema) -> Schema:
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.definitions[name] if name else schema

    def _objects(self, schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
        """The objects that a value is, or holds, and the titles of their sections."""
        name = schema.get("$ref", "").rpartition("/")[2]
        one = self._resolved(schema)
        if one.get("properties") or one.get("allOf"):
            yield name or path.partition(".")[2], one
        if isinstance(one.get("items"), Mapping):
            yield from self._objects(one["items"], path)
        if isinstance(one.get("additionalProperties"), Mapping):
            yield from self._objects(one["additionalProperties"], path)

    def _kind(self, schema: Schema, path: str) -> str:
        one = self._resolved(schema)
        if one.get("properties") or one.get("allOf"):
            ((title, _), *_) = self._objects(schema, path)
            return f"[{title}](#{anchor(title)})"
        if "items" in one:
            bounds = [_between(one.get("minItems"), one.get("maxItems"), "").strip()]
            bounds += ["each once"] if one.get("uniqueItems") else []
            said = ", ".join(filter(None, bounds))
            return f"list{f' ({said})' if said else ''} of {self._kind(one['items'], path)}"
        if isinstance(one.get("additionalProperties"), Mapping):
            return f"object: any key to {self._kind(one['additionalProperties'], path)}"
        return _plain(one)


def anchor(title: str) -> str:
    """As a forge makes it of a heading."""
    return "".join(char for char in title.lower().replace(" ", "-") if char.isalnum() or char in "-_")


def _alternatives(schema: Schema, definitions: Schema) -> Iterator[tuple[str, Schema]]:
    """What more there is where a key has a value: the schema's `if` and `then`."""
    for one in schema.get("allOf", ()):
        then = one.get("then", {})
        found = definitions[then["$ref"].rpartition("/")[2]] if "$ref" in then else then
        for key, value in one.get("if", {}).get("properties", {}).items():
            yield f"{code(key)} {code(str(value.get('const')))}", found


def _plain(schema: Schema) -> str:
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if "enum" in schema:
        return " or ".join(code(str(one)) for one in schema["enum"])
    kinds = schema.get("type", "anything")
    kind = kinds if isinstance(kinds, str) else " or ".join(kinds)
    if kind == "string":
        length = _between(schema.get("minLength"), schema.get("maxLength"), " characters")
        shape = f", {code(schema['pattern'].removesuffix(_NO_LINE_END))}" if "pattern" in schema else ""
        return f"text{length}{shape}"
    return f"{kind}{_between(schema.get('minimum'), schema.get('maximum'), '')}"


_NO_LINE_END = r"(?!\n)"  # where `$` would let one through: noise for people


def _between(low: float | None, high: float | None, unit: str) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return "" if low == 0 else f" from {low}{unit}"
    return f" up to {high}{unit}" if low is None else f" {low} to {high}{unit}"
