"""A document of another tool, read key by key: a key that nobody has read is reported, so that nothing is dropped."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config_schema.errors import FileUnreadable, ProblemsFound
from config_schema.load.documents import json_document, yaml_document
from config_schema.load.lines import with_lines
from config_schema.load.yaml_scalars import KindsByKey
from config_schema.problem import Problem, Rule
from config_schema.schemas.findings import KEY_IS_GIVEN, OF_ITS_CHOICE, findings

HAS_A_PLACE = Rule("DF3701", "What a file of another tool says has a place in the model.")

# A schema is compiled once, by its identity: none is made while a document is read.
Schema = dict[str, Any]
ANYTHING: Schema = {}
TEXT: Schema = {"type": "string", "minLength": 1, "description": "Write a text, in quotes"}
ANY_TEXT: Schema = {"type": "string", "description": "Write a text, in quotes"}
TEXTS: Schema = {"type": "array", "items": TEXT, "description": "Write a list of texts"}
TRUTH: Schema = {"type": "boolean", "description": "Write true or false"}
INTEGER: Schema = {"type": "integer", "description": "Write a whole number"}
NUMBER: Schema = {"type": "number", "description": "Write a number"}
MAPPING: Schema = {"type": "object", "description": "Write a mapping of keys"}
MAPPINGS: Schema = {"type": "array", "items": MAPPING, "description": "Write a list, with a mapping for each item"}
NO_WORD = "The model has no word for it: keep it where you need it"
LONGEST = 60
# What could hold a secret is reported without its value.
SECRET = re.compile(r"passw|secret|token|api_?key|private|body|authorization", re.IGNORECASE)
LOGIN_IN_TEXT = re.compile(r"://[^/]*@|(passw|secret|token|key)\w*[=:]", re.IGNORECASE)  # in an address


@dataclass
class ImportReport:
    """What one file says that the model does not, and what is wrong with the file itself."""

    file: Path
    notes: list[Problem] = field(default_factory=list)
    wrong: list[Problem] = field(default_factory=list)

    def unsaid(self, path: str, what: str, todo: str = NO_WORD) -> None:
        """Record something that the model does not say."""
        self.notes.append(HAS_A_PLACE.problem(self.file.name, path, what, todo))

    def refuse(self, rule: Rule, path: str, what: str, todo: str) -> None:
        """Record something that is wrong with the file."""
        self.wrong.append(rule.problem(self.file.name, path, what, todo))

    def check(self, value: Any, schema: Schema, path: str) -> bool:
        """Return whether a value is of its schema, and record everything that is wrong with it."""
        found = [one.problem(self.file.name) for one in findings(value, schema, path)]
        self.wrong += found
        return not found

    def raise_if_wrong(self) -> None:
        """Raise ProblemsFound if the file is wrong."""
        if self.wrong:
            raise self.error()

    def error(self) -> ProblemsFound:
        """Return what is wrong with the file, with the lines of the problems."""
        return ProblemsFound(str(self.file), with_lines(self.file.parent, self.wrong))

    def noted(self) -> list[Problem]:
        """Return what the model does not say, in the order of the file's lines."""
        return sorted(with_lines(self.file.parent, dict.fromkeys(self.notes)), key=lambda note: note.line or 0)


class DocumentNode:
    """A mapping of the document; what is read of it is taken out, and `finish` reports the rest."""

    def __init__(self, data: Mapping[str, Any], path: str, report: ImportReport, *, hidden: bool = False) -> None:
        self._left = {key: value for key, value in data.items() if value is not None}
        self.path, self.report = path, report
        self.hidden = hidden  # no value of it is shown: any key can hold a secret

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def at(self, key: str) -> str:
        """Return the path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def peek(self, key: str) -> Any:
        """Return the value of a key as it is, without taking it; None if it is not there."""
        return self._left.get(key)

    def take(self, key: str, schema: Schema) -> Any:
        """Return the value of a key; None if it is not there, or is not of its schema, which is recorded."""
        value = self._left.pop(key, None)
        if value is None or not self.report.check(value, schema, self.at(key)):
            return None
        return value

    def needed(self, key: str, schema: Schema, todo: str) -> Any:
        """Return the value of a key that the format requires; None if it is missing or wrong, which is recorded."""
        if key not in self:
            self.report.refuse(KEY_IS_GIVEN, self.at(key), "the key is missing", todo)
        return self.take(key, schema)

    def text(self, *keys: str) -> str | None:
        """Return the text of the first of the keys that is there."""
        key = next((one for one in keys if one in self), keys[0])
        found: str | None = self.take(key, TEXT)
        return found

    def part(self, *keys: str) -> DocumentNode | None:
        """Return the mapping of the first of the keys that is there."""
        key = next((one for one in keys if one in self), keys[0])
        found = self.take(key, MAPPING)
        return None if found is None else DocumentNode(found, self.at(key), self.report, hidden=self.hidden)

    def parts(self, key: str) -> list[DocumentNode]:
        """Return the mappings in the list of a key; none if it is not there."""
        found = self.take(key, MAPPINGS) or []
        return [
            DocumentNode(one, f"{self.at(key)}[{index}]", self.report, hidden=self.hidden)
            for index, one in enumerate(found)
        ]

    def choice(self, key: str, choices: Mapping[str, Any]) -> Any:
        """Return what stands for the text of a key; None if it is not there, or no choice, which is recorded."""
        text = self.text(key)
        if text is None or text in choices:
            return None if text is None else choices[text]
        self.report.refuse(OF_ITS_CHOICE, self.at(key), f"{shown(text)} is not known", f"Use {' or '.join(choices)}")
        return None

    def unsaid(self, key: str, todo: str = NO_WORD) -> None:
        """ImportReport a key, if it is there, as something that the model does not say."""
        if key in self:
            value = self._left.pop(key)
            if value in ("", [], {}):
                return  # it says nothing
            hidden = self.hidden or SECRET.search(key) or (isinstance(value, str) and LOGIN_IN_TEXT.search(value))
            said = "(not shown)" if hidden else shown(value)
            self.report.unsaid(self.at(key), f"{key} {said} is not in the model", todo)

    def finish(self, todos: Mapping[str, str] | None = None) -> None:
        """ImportReport each key that nobody has taken; `todos` says what to do about some of them."""
        for key in list(self._left):
            self.unsaid(key, (todos or {}).get(key, NO_WORD))

    def keys(self) -> list[str]:
        """Return the keys that nobody has taken."""
        return list(self._left)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Take all keys with their values."""
        while self._left:
            key = next(iter(self._left))
            yield key, self._left.pop(key)


def whole_document(report: ImportReport, kinds: KindsByKey) -> DocumentNode:
    """Return the mapping in the report's file of YAML or JSON. Raises ProblemsFound or FileUnreadable.

    The limits of size, depth, aliases and time are those of a model's files.
    """
    if not os.path.lexists(report.file):
        raise FileUnreadable(
            report.file, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), "Name another file"
        )
    is_json = report.file.suffix == ".json"  # with tabs, which YAML refuses
    data = json_document(report.file) if is_json else yaml_document(report.file, kinds=kinds)
    if data is None:
        report.refuse(KEY_IS_GIVEN, "", "the file is empty", "Name another file")
    report.check({} if data is None else data, MAPPING, "")
    report.raise_if_wrong()
    return DocumentNode(data, "", report)


def shown(value: Any) -> str:
    """Return a value, or what is in it, for a sentence about it."""
    if isinstance(value, dict):
        return f"with {', '.join(shown(str(key)) for key in list(value)[:3])}" if value else "without keys"
    if isinstance(value, list):
        return f"with {len(value)} item{'' if len(value) == 1 else 's'}"
    text = value if isinstance(value, str) else json.dumps(value)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return repr(text) if isinstance(value, str) else text
