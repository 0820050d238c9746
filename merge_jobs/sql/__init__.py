"""The named statements of the .sql files beside this module, composed for the driver: `live.delete_gone`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from config_schema.sql.statements import Statement, load_statements


def statement(name: str) -> Statement:
    """The statement `file.name`. Raises ValueError if there is none."""
    file, _, title = name.partition(".")
    found = _statements(file).get(title)
    if found is None:
        raise ValueError(f"{file}.sql has no statement {title!r}")
    return found


def statements_of(file: str) -> tuple[str, ...]:
    """The names of a file's statements, in its order."""
    return tuple(_statements(file))


def composed(name: str, parts: Mapping[str, sql.Composable], values: Mapping[str, object]) -> sql.Composed:
    """The statement with its parts put in. Raises ValueError unless parts and values are just those that it wants."""
    return sql.SQL(statement(name).checked(parts, values)).format(**parts)


def execute(
    cursor: Cursor,
    name: str,
    parts: Mapping[str, sql.Composable],
    values: Mapping[str, Any],
    before: sql.Composable | None = None,
) -> None:
    """Run the statement, and `before` it another one in the same message.

    Without values the driver leaves every % alone; with values it would read those in names.
    """
    if values:
        parts = {part: sql.SQL(text.as_string(cursor).replace("%", "%%")) for part, text in parts.items()}
    wanted = composed(name, parts, values)
    cursor.execute(wanted if before is None else sql.SQL(";\n").join([before, wanted]), values or None)


@cache
def _statements(file: str) -> dict[str, Statement]:
    return load_statements(Path(__file__).with_name(f"{file}.sql"))
