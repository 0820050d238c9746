"""The named statements of the .sql files beside this module, composed for the driver: `live.delete_gone`.

Those of SHARED are also Airflow's side's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from config_schema.sql import run_outcomes
from config_schema.sql.statements import SqlFile, Statement

log = logging.getLogger(__name__)

SHARED = {"run_outcomes": run_outcomes.STATEMENTS}

_held_to: ContextVar[tuple[str, frozenset[str]] | None] = ContextVar("limit_to", default=None)


@contextmanager
def limit_to(names: frozenset[str], title: str) -> Iterator[None]:
    """Declare which statements this thread, and threads with a copy of its context, compose.

    A name without a dot means all statements of that file; `title` is the step. For any other statement
    `report_unnamed` is called.
    """
    token = _held_to.set((title, names))
    try:
        yield
    finally:
        _held_to.reset(token)


def statement(name: str) -> Statement:
    """Return the statement `file.name`. Raises ValueError if there is none."""
    file, _, title = name.partition(".")
    return _file(file)[title]


def statements_of(file: str) -> tuple[str, ...]:
    """Return the names of a file's statements, in its order."""
    return tuple(_file(file))


def composed(name: str, parts: Mapping[str, sql.Composable], values: Mapping[str, object]) -> sql.Composed:
    """Return the statement with its parts filled in.

    Raises ValueError unless parts and values are exactly those that it needs.
    """
    _check_named(name)
    return sql.SQL(statement(name).checked(parts, values)).format(**parts)


def execute(
    cursor: Cursor,
    name: str,
    parts: Mapping[str, sql.Composable],
    values: Mapping[str, Any],
    before: sql.Composable | None = None,
) -> None:
    """Run the statement, and the statement `before` it in the same message."""
    wanted = _for_driver(cursor, name, parts, values)
    cursor.execute(wanted if before is None else sql.SQL(";\n").join([before, wanted]), values or None)


@dataclass(frozen=True)
class Query:
    """A statement `file.name` that is to be run, with its values and parts."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, sql.Composable] = field(default_factory=dict)

    def text(self, cursor: Cursor) -> str:
        """Return the statement as it is sent, with its values."""
        wanted = _for_driver(cursor, self.name, self.parts, self.values)
        return cursor.mogrify(wanted, self.values).decode() if self.values else wanted.as_string(cursor)


def _for_driver(
    cursor: Cursor, name: str, parts: Mapping[str, sql.Composable], values: Mapping[str, Any]
) -> sql.Composed:
    # Without values the driver leaves every % unchanged; with values it would interpret those in names.
    if values:
        parts = {part: sql.SQL(text.as_string(cursor).replace("%", "%%")) for part, text in parts.items()}
    return composed(name, parts, values)


def _check_named(name: str) -> None:
    held = _held_to.get()
    if held is not None and name not in held[1] and name.partition(".")[0] not in held[1]:
        report_unnamed(f"the step {held[0]!r} runs the statement {name}, which it does not name")


def report_unnamed(what: str) -> None:
    """Log that a step runs a statement that `dagfactory runs sql` does not print; in tests this raises."""
    log.error("%s: please report this", what)


@cache
def _file(name: str) -> SqlFile:
    return SHARED[name] if name in SHARED else SqlFile(Path(__file__).with_name(f"{name}.sql"))
