"""The tables of a SQLite file, by its pragmas."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from merge_jobs.catalogue.found import FoundColumn, FoundKey, FoundTable, TableKind, unusable_unless_filled
from merge_jobs.catalogue.reflected import readable_or_why
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.sql.column_types import declared_type
from merge_jobs.sources.sql.reflection import reflected_columns
from merge_jobs.sources.sql.source import inspected_schema

NO_DATASET = {"virtual": "it is a virtual table", "shadow": "it is what a virtual table keeps its data in"}
TABLES = """
SELECT name, type, wr, strict FROM pragma_table_list
WHERE schema = :schema AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name
"""
COLUMNS = 'SELECT name, "notnull", pk, type FROM pragma_table_xinfo(:table, :schema) WHERE hidden <> 1'
INDEXES = 'SELECT name, origin, partial FROM pragma_index_list(:table, :schema) WHERE "unique" ORDER BY name'
# Columns of the key; one that is an expression has no name.
INDEXED = "SELECT name FROM pragma_index_xinfo(:index, :schema) WHERE key ORDER BY seqno"
ROWID = "the primary key of this table may be NULL in SQLite: a batch with such a row is refused"


@dataclass(frozen=True)
class _Pragmas:
    """What the pragmas say about one table."""

    name: str
    strict: bool  # no column holds values of another type than its own, and no primary key is NULL
    without_rowid: bool
    schema: str
    connection: sa.Connection

    def rows(self, statement: str, **values: str) -> list[Any]:
        return list(self.connection.execute(sa.text(statement), {"schema": self.schema, **values}))


def sqlite_tables(
    connection: sa.Connection, place: ConnectionInfo, only: Collection[str] | None = None
) -> list[FoundTable]:
    """Return the tables and views of the file, by name, without SQLite's own; `only` these, if it is given."""
    schema = inspected_schema(place) or "main"
    found: list[FoundTable] = []
    for name, spoken, without_rowid, strict in connection.execute(sa.text(TABLES), {"schema": schema}):
        if only is not None and name not in only:
            continue
        if spoken in NO_DATASET:
            found.append(FoundTable(name, left_out=NO_DATASET[spoken]))
            continue
        kind = TableKind.VIEW if spoken == "view" else TableKind.TABLE
        of = _Pragmas(name, bool(strict), bool(without_rowid), schema, connection)
        found.append(readable_or_why(name, kind, partial(_table, place, of, kind)))
    return found


def _table(place: ConnectionInfo, of: _Pragmas, kind: TableKind) -> FoundTable:
    pragmas = of.rows(COLUMNS, table=of.name)
    primary = tuple(str(name) for name, _, pk, _ in sorted(pragmas, key=lambda row: row[2]) if pk)
    empty = {str(name) for name, not_null, *_ in pragmas if not not_null}
    indexes = of.rows(INDEXES, table=of.name)
    # Without an index of its own, a primary key is the row's address, which is never NULL.
    is_address = not any(origin == "pk" for _, origin, _ in indexes)
    if of.without_rowid or of.strict or is_address:
        empty -= set(primary)
    declared = {name: spoken for name, *_, spoken in pragmas}
    columns = [
        FoundColumn(one.name, declared_type(declared[one.name], one.type), one.name in empty)
        for one in reflected_columns(of.connection, place.kind, of.name, inspected_schema(place))
    ]
    keys = [*_primary(primary, empty), *_unique(of, indexes, columns)]
    return FoundTable(of.name, kind, tuple(columns), tuple(keys))


def _primary(columns: tuple[str, ...], empty: set[str]) -> Iterator[FoundKey]:
    """Yield the primary key. SQLite allows NULL in it, because of an old fault; that is ignored."""
    if columns:
        yield FoundKey("primary key", columns, note=ROWID if empty.intersection(columns) else None, preferred=True)


def _unique(of: _Pragmas, indexes: Iterable[Any], columns: list[FoundColumn]) -> Iterator[FoundKey]:
    filled = [column.name for column in columns if not column.nullable]
    for index, origin, of_some_rows in indexes:
        if origin == "pk":
            continue
        names = [name for (name,) in of.rows(INDEXED, index=str(index))]
        key = tuple(str(name) for name in names if name is not None)
        if of_some_rows:
            unusable: str | None = "it is of some rows only"
        elif len(key) < len(names):
            unusable = "it is of expressions"
        else:
            unusable = unusable_unless_filled(key, filled)
        yield FoundKey(str(index), key, unusable)
