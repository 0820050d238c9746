"""Whole SQL statements in .sql files, with `-- name: close_deleted` above each. Pure text, knows no driver.

`{table}` stands for an identifier, `%(key)s` for a value; whoever runs a statement names the ones that it gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HEADING = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)
IDENTIFIER = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")
VALUE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Statement:
    """One statement of a file, with the comment above its SQL."""

    file: str
    name: str
    text: str

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """The names of the identifiers for which the text has placeholders."""
        return frozenset(IDENTIFIER.findall(self.text))

    @cached_property
    def values(self) -> frozenset[str]:
        """The names of the values for which the text has placeholders."""
        return frozenset(VALUE.findall(self.text))

    def checked(self, identifiers: Iterable[str], values: Iterable[str] = ()) -> str:
        """Return the text. Raises ValueError, with file and statement, unless its placeholders are exactly these."""
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
    """Return the statements of a .sql file by name, in its order.

    Raises ValueError for a name given twice or a statement without SQL.
    """
    _, *parts = HEADING.split(path.read_text("utf-8"))
    found: dict[str, Statement] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        body = text.strip().removesuffix(";")
        if name in found or all(line.startswith("--") for line in body.splitlines()):
            raise ValueError(f"{path.name}: {name} is given twice, or without SQL")
        found[name] = Statement(path.name, name, body)
    return found


class SqlFile:
    """The statements of a .sql file by name; the file is read at the first use."""

    def __init__(self, path: str | Path) -> None:
        """Take the file beside a module, given the module's `__file__`, or the file itself."""
        self._path = Path(path).with_suffix(".sql")

    def __getitem__(self, name: str) -> Statement:
        """Return a statement. Raises ValueError if there is none of this name."""
        if name not in self._statements:
            raise ValueError(f"{self._path.name} has no statement {name!r}")
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in the order of the file."""
        return iter(self._statements)

    @cached_property
    def _statements(self) -> dict[str, Statement]:
        return load_statements(self._path)


def quoted(*parts: str) -> str:
    """Return an identifier with its schema, as statements and to_regclass() read it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
