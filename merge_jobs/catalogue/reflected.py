"""The tables of a database that is not PostgreSQL, by its SQLAlchemy dialect; mysql.py and sqlite.py know more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Inspector

from merge_jobs.catalogue.found import FoundColumn, FoundKey, FoundTable, TableKind, unusable_unless_filled
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.sql.column_types import postgres_type
from merge_jobs.sources.sql.reflection import reflected_columns
from merge_jobs.sources.sql.source import inspected_schema


def reflected_tables(
    session: sa.Connection, place: ConnectionInfo, only: Collection[str] | None = None
) -> list[FoundTable]:
    """Return the tables and views of the place's schema, by name; `only` these, if it is given."""
    schema, inspector = inspected_schema(place), sa.inspect(session)
    tables = [(name, TableKind.TABLE) for name in inspector.get_table_names(schema=schema)]
    views = [(name, TableKind.VIEW) for name in inspector.get_view_names(schema=schema)]
    return [
        readable_or_why(name, kind, partial(_table, session, place, schema, name, kind))
        for name, kind in sorted(tables + views)
        if only is None or name in only
    ]


def readable_or_why(name: str, kind: TableKind, read: Callable[[], FoundTable]) -> FoundTable:
    """Return what `read` gives; if the catalogue refuses this table, the table as left out."""
    try:
        return read()
    except MemoryError:
        raise
    except Exception as error:  # of the driver, and of SQLAlchemy for a type that it does not understand
        return FoundTable(name, kind, left_out=f"its definition cannot be read ({type(error).__name__})")


def modelled_columns(session: sa.Connection, place: ConnectionInfo, table: str) -> list[FoundColumn]:
    """Return the columns of a table, in order, with types that can contain every value."""
    found = reflected_columns(session, place.kind, table, inspected_schema(place))
    return [FoundColumn(one.name, postgres_type(one.type, place.kind), one.nullable) for one in found]


def _table(session: sa.Connection, place: ConnectionInfo, schema: str | None, name: str, kind: TableKind) -> FoundTable:
    columns = modelled_columns(session, place, name)
    filled = [column.name for column in columns if not column.nullable]
    return FoundTable(name, kind, tuple(columns), tuple(_keys(sa.inspect(session), schema, name, filled)))


def _keys(inspector: Inspector, schema: str | None, table: str, filled: Iterable[str]) -> Iterator[FoundKey]:
    primary = inspector.get_pk_constraint(table, schema=schema)
    if primary["constrained_columns"]:
        yield FoundKey(primary.get("name") or "primary key", tuple(primary["constrained_columns"]), preferred=True)
    for index in inspector.get_indexes(table, schema=schema):
        if not index["unique"]:
            continue
        key = tuple(name for name in index["column_names"] if name is not None)
        if len(key) < len(index["column_names"]):
            unusable: str | None = "it is of expressions"
        elif any(
            of.endswith("_where") and condition is not None
            for of, condition in index.get("dialect_options", {}).items()
        ):
            unusable = "it is of some rows only"
        else:
            unusable = unusable_unless_filled(key, filled)
        yield FoundKey(str(index["name"]), key, unusable)
