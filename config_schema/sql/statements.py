"""Whole SQL statements kept in .sql files, `-- name: close_deleted` above each. Pure text, knows no driver.

`{table}` stands for an identifier, `%(key)s` for a value; whoever runs a statement says which ones it gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HEADING = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)
IDENTIFIER = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")
VALUE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Statement:
    """One statement of a file, with the comment that stands above its SQL."""

    file: str
    name: str
    text: str

    @cached_property
    def identifiers(self) -> frozenset[str]:
        return frozenset(IDENTIFIER.findall(self.text))

    @cached_property
    def values(self) -> frozenset[str]:
        return frozenset(VALUE.findall(self.text))

    def checked(self, identifiers: Iterable[str], values: Iterable[str] = ()) -> str:
        """The text. Raises ValueError, naming file and statement, unless it wants just these placeholders."""
        for kind, wanted, given in (
            ("identifiers", self.identifiers, frozenset(identifiers)),
            ("values", self.values, frozenset(values)),
        ):
            if wanted != given:
                raise ValueError(
                    f"{self.file}: {self.name} wants the {kind} {sorted(wanted)} and is given {sorted(given)}"
                )
        return self.text


def load_statements(path: Path) -> dict[str, Statement]:
    """The statements of a .sql file by name, in its order. Raises ValueError for a name given twice or no SQL."""
    _, *parts = HEADING.split(path.read_text("utf-8"))
    found: dict[str, Statement] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        body = text.strip().removesuffix(";")
        if name in found or all(line.startswith("--") for line in body.splitlines()):
            raise ValueError(f"{path.name}: {name} stands there twice, or without SQL")
        found[name] = Statement(path.name, name, body)
    return found
