"""The YAML of a model: each value is what a person means by it, or an error with its line.

YAML 1.1 takes the country `no` for false, the version `1.10` for 1.1, `07` for 7, `12:30` for 750, a date for no text.
Here a key that has a text in the model's schema has the text as it is written; elsewhere numbers are decimal, and what
could mean two things is refused.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from math import isfinite
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config_schema.names import shortened
from config_schema.schemas import json_schema

SCHEMAS = ("ecosystem", "ecosystem_part")
CORE = "tag:yaml.org,2002:"
TEXT, NUMBERS, UNCLEAR, WORD = f"{CORE}str", frozenset([f"{CORE}int", f"{CORE}float"]), "!unclear", "!yes-or-no"
SCALARS = frozenset([f"{CORE}bool", *NUMBERS, UNCLEAR, WORD])
WORDS = {"yes": "true", "no": "false", "on": "true", "off": "false"}
SHOWN, MOST_DIGITS, LONGEST_RESOLVED = 63, 1000, 6000
MOST_DEPTH, MOST_BY_ALIASES, MOST_SECONDS = 64, 2_000_000, 60.0
FINITE = "is no finite number"
DIGITS = list("-+.0123456789")
RESOLVERS: tuple[tuple[str, str, list[str]], ...] = (
    (f"{CORE}bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (WORD, r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", list("yYnNoO")),
    (f"{CORE}null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (f"{CORE}int", r"[-+]?(?:0|[1-9][0-9]*)", DIGITS),
    (f"{CORE}float", r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", DIGITS),
    # 07, 1_000, 0x1F, 0o7, 0b1, 12:30, .inf
    (
        UNCLEAR,
        r"[-+]?(?:0[0-9_]+|[0-9][0-9_]*_[0-9_]*|0[xob][0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+)(?:\.[0-9_]*)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        DIGITS,
    ),
    (f"{CORE}merge", r"<<", ["<"]),
)
# What may be written with a tag of its own, too.
KNOWN_TAGS = frozenset(f"{CORE}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge"))


class ModelLoader(yaml.SafeLoader):
    """The one loader of a model's YAML files."""

    resolvers = tuple((tag, re.compile(rf"(?:{pattern})\Z"), first) for tag, pattern, first in RESOLVERS)
    yaml_implicit_resolvers: Any = {}  # noqa: RUF012  # PyYAML's, whose stubs have it as a variable of each loader

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._open: list[str | None] = []  # anchors of the nodes that are being read
        self._sizes: list[int] = [0]  # of these nodes: how many nodes they have so far, those of aliases too
        self._size_of: dict[str, int] = {}  # by anchor
        self._by_aliases = 0
        self._end = time.monotonic() + MOST_SECONDS

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs have no types for it
        if time.monotonic() > self._end:
            raise _wrong(f"reading up to here took longer than {MOST_SECONDS} s", event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self._open:
                raise _wrong(f"the alias *{event.anchor} stands inside what it stands for", event.start_mark)
            self._count_alias(event)
            return super().compose_node(parent, index)
        if len(self._open) >= MOST_DEPTH:
            raise _wrong(f"it is nested deeper than {MOST_DEPTH} levels", event.start_mark)
        self._open.append(event.anchor)
        self._sizes.append(1)
        node = super().compose_node(parent, index)
        self._open.pop()
        size = self._sizes.pop()
        self._sizes[-1] += size
        if event.anchor is not None:
            self._size_of[event.anchor] = size
        return node

    def _count_alias(self, event: Any) -> None:
        """Count what the alias stands for: a few lines of aliases can stand for millions of values."""
        size = self._size_of.get(event.anchor, 0)
        self._sizes[-1] += size
        self._by_aliases += size
        if self._by_aliases > MOST_BY_ALIASES:
            raise _wrong(f"aliases stand for more than {MOST_BY_ALIASES} values", event.start_mark)

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is ScalarNode and implicit[0] and len(value) > LONGEST_RESOLVED:
            return TEXT  # no number or word of ours is so long
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]  # PyYAML's

    def compose_scalar_node(self, anchor: Any) -> ScalarNode:
        node = super().compose_scalar_node(anchor)
        if node.tag not in KNOWN_TAGS | SCALARS:
            raise _wrong(f"the tag {node.tag} is not known here", node.start_mark)
        return node

    def compose_sequence_node(self, anchor: Any) -> SequenceNode:
        node = super().compose_sequence_node(anchor)
        _check_tag(node, "seq")
        return node

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node = super().compose_mapping_node(anchor)
        _check_tag(node, "map")
        node.value = [(key, _meant(key.value, value)) for key, value in _with_text_keys(node)]
        return node


for tag, pattern, first in ModelLoader.resolvers:
    ModelLoader.add_implicit_resolver(tag, pattern, first)


def _check_tag(node: Node, name: str) -> None:
    if node.tag != CORE + name:
        raise _wrong(f"the tag {node.tag} is not known here", node.start_mark)


def _with_text_keys(node: MappingNode) -> Iterator[tuple[ScalarNode, Node]]:
    """The keys, each a text, and their values. Raises an error for a key that is none, or stands there twice."""
    seen = set()
    for key, value in node.value:
        if not isinstance(key, ScalarNode) or key.tag == f"{CORE}null":
            raise _wrong("a key is no text", key.start_mark)
        if key.tag != f"{CORE}merge":
            key = _as(TEXT, key)
        if key.value in seen:
            raise _wrong(f"the key {key.value!r} stands there twice", key.start_mark)
        seen.add(key.value)
        yield key, value


def _meant(key: str, value: Node) -> Node:
    """The value of a key as a person means it, by what the schema has for the key."""
    kinds: set[str] = _kinds().get(key, set())
    if isinstance(value, ScalarNode) and value.style is None and value.tag in SCALARS:
        if kinds == {"string"}:
            return _as(TEXT, value)
        if value.tag == WORD and kinds == {"boolean"}:
            return _as(f"{CORE}bool", value)
    elif isinstance(value, SequenceNode) and kinds == {"array of string"}:
        value.value = [_as(TEXT, one) if _is_plain(one) else one for one in value.value]
    return value


def _is_plain(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style is None and node.tag in SCALARS


def _as(tag: str, node: ScalarNode) -> ScalarNode:
    """The node with another tag; an alias may still stand for the node itself."""
    return ScalarNode(tag, node.value, node.start_mark, node.end_mark, node.style)


@cache
def _kinds() -> dict[str, set[str]]:
    """What values each key of the model has, wherever it stands: `string`, `boolean`, `array of string` and so on."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in SCHEMAS:
        _collect(json_schema(name), found)
    return found


def _collect(schema: Any, found: dict[str, set[str]]) -> None:
    if isinstance(schema, list):
        for one in schema:
            _collect(one, found)
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    for key, of in (properties if isinstance(properties, dict) else {}).items():
        if isinstance(of, dict) and "const" not in of:
            found[key] |= _types(of)
    for of in schema.values():
        _collect(of, found)


def _types(of: dict[str, Any]) -> set[str]:
    kinds = of.get("type", "other")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    items = of.get("items", {}).get("type", "other") if kinds == ["array"] else None
    return {f"array of {items}"} if items else set(kinds)


def _number(loader: ModelLoader, node: ScalarNode) -> int | float:
    if len(node.value) > MOST_DIGITS:
        raise _wrong(f"{shortened(node.value, SHOWN)} is too large a number", node.start_mark)
    try:
        value: int | float = int(node.value) if node.tag == f"{CORE}int" else float(node.value)
    except ValueError:
        raise _wrong(f"{shortened(node.value, SHOWN)} is no number", node.start_mark) from None
    if not isfinite(value):
        raise _wrong(f"{shortened(node.value, SHOWN)} is too large a number", node.start_mark)
    return value


def _truth(loader: ModelLoader, node: ScalarNode) -> bool:
    word: str = WORDS.get(node.value.lower(), node.value.lower())
    if word not in ("true", "false"):
        raise _wrong(f"{shortened(node.value, SHOWN)} is neither true nor false", node.start_mark)
    return word == "true"


def _unclear(loader: ModelLoader, node: ScalarNode) -> None:
    what = (
        "could be a text or a number" if ".i" not in node.value.lower() and ".n" not in node.value.lower() else FINITE
    )
    raise _wrong(f"{shortened(node.value, SHOWN)} {what}", node.start_mark)


def _wrong(what: str, mark: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, what, mark)


ModelLoader.add_constructor(UNCLEAR, _unclear)
ModelLoader.add_constructor(WORD, lambda loader, node: node.value)
ModelLoader.add_constructor(f"{CORE}bool", _truth)
ModelLoader.add_constructor(f"{CORE}int", _number)
ModelLoader.add_constructor(f"{CORE}float", _number)
