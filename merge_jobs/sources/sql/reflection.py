"""Corrects what SQLAlchemy reflects of a table, where that is incomplete or wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning
from sqlalchemy.types import TypeEngine

from config_schema.model import SourceKind
from merge_jobs.sql import statement

# Of MySQL's and MariaDB's list of tables, what can be selected from.
MYSQL_TABLES = frozenset(["BASE TABLE", "SYSTEM VERSIONED", "VIEW"])


@dataclass(frozen=True)
class ReflectedColumn:
    """A column with its type in the dialect of its database."""

    name: str
    type: TypeEngine[Any]
    nullable: bool


def reflected_columns(
    session: sa.Connection, kind: SourceKind, table: str, schema: str | None
) -> list[ReflectedColumn]:
    """Return the columns of a table or view, in its order. Raises SQLAlchemyError."""
    with _without_warnings():
        found = sa.inspect(session).get_columns(table, schema=schema)
    return [ReflectedColumn(_name(one["name"], kind), one["type"], one["nullable"]) for one in found]


def selectable_tables(session: sa.Connection, kind: SourceKind, schema: str | None) -> set[str]:
    """Return the names of tables and views. Raises SQLAlchemyError."""
    inspector = sa.inspect(session)
    if kind is not SourceKind.MYSQL:
        return {*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema)}
    # Its dialect knows no system-versioned tables.
    values = {"schema": schema or inspector.default_schema_name or ""}
    text = statement("mysql_catalogue.tables").checked((), values)
    return {name for name, of, _ in session.exec_driver_sql(text, values) if of in MYSQL_TABLES}


def mysql_engine(session: sa.Connection, table: str, schema: str | None) -> str | None:
    """Return the engine of a table; None if it has none, as a view. Raises SQLAlchemyError."""
    with _without_warnings():
        engine: str | None = sa.inspect(session).get_table_options(table, schema=schema).get("mysql_engine")
    return engine


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Let SQLAlchemy say nothing of a definition that it does not know: the warning would have the server's text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield


def _name(name: str, kind: SourceKind) -> str:
    # Its dialect reads the definition of a table, in which a backtick in a name stands twice.
    return name.replace("``", "`") if kind is SourceKind.MYSQL else name
