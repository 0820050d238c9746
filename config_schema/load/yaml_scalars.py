"""What a plain scalar of a model's YAML means: by its text, and by its key.

YAML 1.1 reads the country `no` as false, the version `1.10` as 1.1, `07` as 7, `12:30` as 750, and a date as a date.
Here, a key that has a text in the model's schema gets the text as it is written; elsewhere numbers are decimal, and
what could mean two things is refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache, lru_cache
from math import isfinite
from typing import Any

from config_schema.names import shortened
from config_schema.schemas import json_schema

Kinds = frozenset[str]  # what values a key has: `string`, `boolean`, `array of string` and so on
KindsByKey = Mapping[str, Kinds]

SCHEMAS = ("ecosystem", "ecosystem_part")
CORE = "tag:yaml.org,2002:"
TEXT, BOOL, NULL, INT, FLOAT, MERGE = (f"{CORE}{name}" for name in ("str", "bool", "null", "int", "float", "merge"))
MAP, SEQ = f"{CORE}map", f"{CORE}seq"
UNCLEAR, WORD = "!unclear", "!yes-or-no"
# What stands for something else than a text, unless the key has texts.
NOT_TEXT = frozenset([BOOL, INT, FLOAT, UNCLEAR, WORD])
# The tags that a scalar may be written with.
KNOWN_TAGS = frozenset([TEXT, BOOL, NULL, INT, FLOAT, MERGE])
WORDS = {"yes": "true", "no": "false", "on": "true", "off": "false"}
SHOWN, MOST_DIGITS, LONGEST_RESOLVED, LONGEST_KEPT = 63, 1000, 6000, 100
DIGITS = list("-+.0123456789")
PATTERNS: tuple[tuple[str, str, list[str]], ...] = (
    (BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (WORD, r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", list("yYnNoO")),
    (NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (INT, r"[-+]?(?:0|[1-9][0-9]*)", DIGITS),
    (FLOAT, r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", DIGITS),
    # 07, 1_000, 0x1F, 0o7, 0b1, 12:30, .inf
    (
        UNCLEAR,
        r"[-+]?(?:0[0-9_]+|[0-9][0-9_]*_[0-9_]*|0[xob][0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+)(?:\.[0-9_]*)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        DIGITS,
    ),
    (MERGE, r"<<", ["<"]),
)
# The tag that a plain scalar has by its text, as PyYAML's resolvers: tag, pattern, first characters.
RESOLVERS = tuple((tag, re.compile(rf"(?:{pattern})\Z"), first) for tag, pattern, first in PATTERNS)
_BY_FIRST: dict[str, list[tuple[str, re.Pattern[str]]]] = defaultdict(list)
for _tag, _pattern, _first in RESOLVERS:
    for _character in _first:
        _BY_FIRST[_character].append((_tag, _pattern))


@lru_cache(maxsize=4096)
def plain_tag(text: str) -> str:
    """Return the tag of a plain scalar by its text; TEXT if it is nothing else."""
    if len(text) > LONGEST_RESOLVED:
        return TEXT  # no number or word of ours is so long
    return next((tag for tag, pattern in _BY_FIRST.get(text[:1], ()) if pattern.match(text)), TEXT)


def meant_tag(tag: str, kinds: Kinds) -> str:
    """Return the tag of a plain scalar whose key has values of these kinds."""
    if tag in NOT_TEXT and kinds == {"string"}:
        return TEXT
    if tag == WORD and kinds == {"boolean"}:
        return BOOL
    return tag


def plain_value(text: str, kinds: Kinds) -> Any:
    """Return the value of a plain scalar whose key has values of these kinds. Raises ValueError with a message."""
    return _kept_value(text, kinds) if len(text) < LONGEST_KEPT else _plain_value(text, kinds)


def _plain_value(text: str, kinds: Kinds) -> Any:
    return scalar_value(meant_tag(plain_tag(text), kinds), text)


_kept_value = lru_cache(maxsize=4096)(_plain_value)  # a model says the same again and again


def scalar_value(tag: str, text: str) -> Any:
    """Return the value of a scalar with a tag. Raises ValueError with a message for a person."""
    match tag:
        case "tag:yaml.org,2002:null":
            return None
        case "tag:yaml.org,2002:bool":
            return _truth(text)
        case "tag:yaml.org,2002:int" | "tag:yaml.org,2002:float":
            return _number(text, int if tag == INT else float)
        case "!unclear":
            unit = re.search("[.](?:inf|nan)", text.lower())
            raise ValueError(f"{_shown(text)} {'is no finite number' if unit else 'could be a text or a number'}")
    return text


@cache
def kinds_by_key() -> KindsByKey:
    """Return the kinds of values of each key of the model, at any place."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in SCHEMAS:
        _collect(json_schema(name), found)
    return {key: frozenset(kinds) for key, kinds in found.items()}


def _number(text: str, kind: type[int] | type[float]) -> int | float:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"{_shown(text)} is too large a number")
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is no number") from None
    if not isfinite(value):
        raise ValueError(f"{_shown(text)} is too large a number")
    return value


def _truth(text: str) -> bool:
    word = WORDS.get(text.lower(), text.lower())
    if word not in ("true", "false"):
        raise ValueError(f"{_shown(text)} is neither true nor false")
    return word == "true"


def _shown(text: str) -> str:
    return shortened(text, SHOWN)


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
