"""The YAML of a model to plain data, or an error with its line; yaml_scalars.py says what a value means.

The data is built from the parser's events, without a tree of nodes: libyaml's parser, by PyYAML, reads 1,000 datastores
in a tenth of the time of Python's parser, which is kept for its error messages.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.events import AliasEvent, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, StreamEndEvent
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from config_schema.load.yaml_scalars import (
    KNOWN_TAGS,
    MAP,
    MERGE,
    NULL,
    SEQ,
    TEXT,
    Kinds,
    KindsByKey,
    kinds_by_key,
    meant_tag,
    plain_tag,
    plain_value,
    scalar_value,
)

try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML may have been built without libyaml
    CParser = None  # type: ignore[assignment,misc]

MOST_DEPTH, MOST_BY_ALIASES, MOST_SECONDS = 64, 2_000_000, 60.0
LOOKS_AT_CLOCK = 64  # nodes from one look to the next
ANY: Kinds = frozenset()
TEXTS: Kinds = frozenset(["string"])


def load(text: str, kinds: KindsByKey | None = None) -> Any:
    """Return the data of a document; None if it is empty. Raises yaml.YAMLError, with the line.

    `kinds` are those of the values of each key; by default the model's, of which other formats know nothing.
    """
    kinds = kinds_by_key() if kinds is None else kinds
    if CParser is None or Reader.NON_PRINTABLE.search(text):
        return _Document(_PythonParser(text), kinds).data()
    try:
        return _Document(CParser(text), kinds).data()
    except yaml.MarkedYAMLError as error:
        if isinstance(error, yaml.constructor.ConstructorError):
            raise
        _Document(_PythonParser(text), kinds).data()  # raises the same in better words
        raise


def compose(text: str) -> yaml.Node | None:
    """Return the tree of nodes of a document, for the lines in their marks; the tags mean nothing. Raises YAMLError."""
    node: yaml.Node | None = _NodeLoader(text).get_single_node()
    return node


class _PythonParser(Reader, Scanner, Parser):
    """PyYAML's parser in Python, whose errors name the character and what was expected."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


class _PythonComposer(_PythonParser, Composer):
    def __init__(self, text: str) -> None:
        _PythonParser.__init__(self, text)
        Composer.__init__(self)


class _NodeLoader(CParser or _PythonComposer):  # type: ignore[misc]
    """Composes nodes without resolving what they mean, which takes most of PyYAML's time."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return ""

    def descend_resolver(self, node: Any, index: Any) -> None:
        pass

    def ascend_resolver(self) -> None:
        pass


@dataclass
class _Anchor:
    """What an alias stands for: its events, which are read again below the alias's own key."""

    events: list[Any]
    nodes: int = 0  # how many it stands for, those of aliases in it too
    is_open: bool = True  # it is still being read


class _Document:
    """One reading of one document."""

    def __init__(self, parser: Any, kinds: KindsByKey) -> None:
        self._parser = parser
        self._anchors: dict[str, _Anchor] = {}
        self._recording: list[_Anchor] = []
        self._replays = self._by_aliases = self._nodes = self._depth = 0
        self._end = time.monotonic() + MOST_SECONDS
        self._kinds = kinds

    def data(self) -> Any:
        events = self._events()
        next(events)  # the stream's start
        if isinstance(next(events), StreamEndEvent):
            return None
        value = self._value(next(events), events, ANY)
        next(events)  # the document's end
        if not isinstance(event := next(events), StreamEndEvent):
            raise _wrong("but found another document", event)
        return value

    def _events(self) -> Iterator[Any]:
        get = self._parser.get_event
        while True:
            event = get()
            for anchor in self._recording:
                anchor.events.append(event)
            yield event

    def _value(self, event: Any, events: Iterator[Any], kinds: Kinds) -> Any:
        self._nodes += 1
        if self._nodes % LOOKS_AT_CLOCK == 1 and time.monotonic() > self._end:
            raise _wrong(f"reading up to here took longer than {MOST_SECONDS} s", event)
        if isinstance(event, AliasEvent):
            return self._alias(event, kinds)
        if type(event) is ScalarEvent and event.anchor is None:
            return _scalar(event, kinds)
        if event.anchor is not None and not self._replays:
            return self._anchored(event, events, kinds)
        return self._node(event, events, kinds)

    def _node(self, event: Any, events: Iterator[Any], kinds: Kinds) -> Any:
        if isinstance(event, ScalarEvent):
            return _scalar(event, kinds)
        if self._depth >= MOST_DEPTH:
            raise _wrong(f"it is nested deeper than {MOST_DEPTH} levels", event)
        self._depth += 1
        found: Any = None
        if isinstance(event, MappingStartEvent):
            found = self._mapping(event, events)
        else:
            found = self._sequence(event, events, TEXTS if kinds == {"array of string"} else ANY)
        self._depth -= 1
        return found

    def _sequence(self, start: Any, events: Iterator[Any], kinds: Kinds) -> list[Any]:
        _check_tag(start, SEQ)
        found = []
        while not isinstance(event := next(events), SequenceEndEvent):
            found.append(self._value(event, events, kinds))
        return found

    def _mapping(self, start: Any, events: Iterator[Any]) -> dict[str, Any]:
        _check_tag(start, MAP)
        own: dict[str, Any] = {}
        merged: dict[str, Any] | None = None
        while type(event := next(events)) is not MappingEndEvent:
            # Nearly all are plain words of the model, which stand for themselves.
            is_known = type(event) is ScalarEvent and event.value in self._kinds and event.anchor is event.tag is None
            key, is_merge = (event.value, False) if is_known else self._key(event)
            if key in own or (is_merge and merged is not None):
                raise _wrong(f"the key {key!r} is given twice", event)
            value_event = next(events)
            if is_merge:
                merged = _merged(self._value(value_event, events, ANY), value_event)
            else:
                own[key] = self._value(value_event, events, self._kinds.get(key, ANY))
        return own if merged is None else {**merged, **own}

    def _key(self, event: Any) -> tuple[str, bool]:
        """Return the text of a key, and whether it is `<<`, which merges. Raises an error for a key that is no text."""
        if isinstance(event, AliasEvent):
            event = self._anchor(event).events[0]
        elif isinstance(event, ScalarEvent) and event.anchor is not None and not self._replays:
            self._anchored(event, iter(()), TEXTS)
        tag = _scalar_tag(event) if isinstance(event, ScalarEvent) else NULL
        if tag == NULL:
            raise _wrong("a key is no text", event)
        return event.value, tag == MERGE

    def _anchored(self, event: Any, events: Iterator[Any], kinds: Kinds) -> Any:
        if event.anchor in self._anchors:
            raise _wrong(f"the anchor &{event.anchor} is given twice", event)
        anchor = self._anchors[event.anchor] = _Anchor([event])
        before = self._nodes
        self._recording.append(anchor)
        value = self._node(event, events, kinds)
        self._recording.remove(anchor)
        anchor.nodes, anchor.is_open = self._nodes - before + 1, False
        return value

    def _anchor(self, event: Any) -> _Anchor:
        if event.anchor not in self._anchors:
            raise _wrong(f"found undefined alias {event.anchor!r}", event)
        anchor = self._anchors[event.anchor]
        if anchor.is_open:
            raise _wrong(f"the alias *{event.anchor} stands inside what it stands for", event)
        return anchor

    def _alias(self, event: Any, kinds: Kinds) -> Any:
        """Return what an alias stands for; counted, as a few lines of aliases can stand for millions of values."""
        anchor = self._anchor(event)
        if not self._replays:
            self._by_aliases += anchor.nodes
        if self._by_aliases > MOST_BY_ALIASES:
            raise _wrong(f"aliases stand for more than {MOST_BY_ALIASES} values", event)
        self._replays += 1
        events = iter(anchor.events)
        value = self._node(next(events), events, kinds)
        self._replays -= 1
        return value


def _merged(value: Any, event: Any) -> dict[str, Any]:
    """Return the keys that `<<` takes over; of a list, those of the first mapping that has them."""
    parts = value if isinstance(value, list) else [value]
    found: dict[str, Any] = {}
    for part in reversed(parts):
        if not isinstance(part, dict):
            raise _wrong("<< takes a mapping, or a list of mappings", event)
        found.update(part)
    return found


def _scalar(event: Any, kinds: Kinds) -> Any:
    try:
        if event.tag is None:
            return plain_value(event.value, kinds) if event.implicit[0] else event.value
        tag = _scalar_tag(event)
        return scalar_value(meant_tag(tag, kinds) if not event.style else tag, event.value)
    except ValueError as error:
        raise _wrong(str(error), event) from None


def _scalar_tag(event: Any) -> str:
    if event.tag is None or event.tag == "!":
        return plain_tag(event.value) if event.implicit[0] else TEXT
    if event.tag not in KNOWN_TAGS:
        raise _wrong(f"the tag {event.tag} is not known here", event)
    return str(event.tag)


def _check_tag(event: Any, known: str) -> None:
    if event.tag not in (None, "!", known):
        raise _wrong(f"the tag {event.tag} is not known here", event)


def _wrong(what: str, event: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, what, event.start_mark)
