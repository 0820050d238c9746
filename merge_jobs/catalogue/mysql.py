"""The tables of a MySQL or MariaDB database, by its information schema."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from merge_jobs.catalogue.found import FoundColumn, FoundKey, FoundTable, TableKind, unusable_unless_filled
from merge_jobs.catalogue.reflected import modelled_columns, readable_or_why
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.sql.source import inspected_schema
from merge_jobs.sql import statement

KINDS = {"BASE TABLE": TableKind.TABLE, "SYSTEM VERSIONED": TableKind.TABLE, "VIEW": TableKind.VIEW}
PRIMARY = "PRIMARY"
NO_RIGHT = "the user has no SELECT on it"

Indexes = Mapping[str, list[tuple[str | None, int | None]]]  # by index: its columns, and how many characters of each


def mysql_tables(
    connection: sa.Connection, place: ConnectionInfo, only: Collection[str] | None = None
) -> list[FoundTable]:
    """Return the tables and views of the schema that the user can see, by name; `only` these, if it is given."""
    asked = {"schema": inspected_schema(place) or place.database}
    readable: dict[str, dict[str, bool]] = defaultdict(dict)
    for table, column, rights in _rows(connection, "rights", asked):
        readable[table][column] = "select" in str(rights).lower().split(",")
    indexes: dict[str, dict[str, list[tuple[str | None, int | None]]]] = defaultdict(lambda: defaultdict(list))
    for table, index, column, part in _rows(connection, "keys", asked):
        indexes[table][index].append((column, part))
    found: list[FoundTable] = []
    for name, spoken, engine in _rows(connection, "tables", asked):
        if only is not None and name not in only:
            continue
        kind = KINDS.get(spoken)
        if kind is None:
            found.append(FoundTable(name, left_out=f"it is a {str(spoken).lower()}, no table"))
            continue
        read = _Reader(connection, place, name, kind, readable[name], indexes[name])
        table = readable_or_why(name, kind, read.table)
        found.append(replace(table, left_out=_no_snapshot(kind, engine) or table.left_out))
    return found


def _rows(connection: sa.Connection, name: str, values: dict[str, str]) -> Iterable[Sequence[Any]]:
    text = statement(f"mysql_catalogue.{name}").checked((), values)
    return connection.exec_driver_sql(text, values).all()


def _no_snapshot(kind: TableKind, engine: str | None) -> str | None:
    if kind is TableKind.VIEW or engine == "InnoDB":
        return None
    return f"its engine {engine} knows no snapshot: convert it to InnoDB"


class _Reader:
    """What is known of one table before its definition is read."""

    def __init__(
        self,
        connection: sa.Connection,
        place: ConnectionInfo,
        name: str,
        kind: TableKind,
        readable: Mapping[str, bool],
        indexes: Indexes,
    ) -> None:
        self._connection, self._place, self._name, self._kind = connection, place, name, kind
        self._readable, self._indexes = readable, indexes

    def table(self) -> FoundTable:
        columns = [self._column(one) for one in modelled_columns(self._connection, self._place, self._name)]
        filled = [column.name for column in columns if not column.nullable]
        keys = tuple(_keys(self._indexes, filled))
        readable = any(column.unreadable is None for column in columns)
        return FoundTable(self._name, self._kind, tuple(columns), keys, None if readable else NO_RIGHT)

    def _column(self, column: FoundColumn) -> FoundColumn:
        return column if self._readable.get(column.name, True) else replace(column, unreadable=NO_RIGHT)


def _keys(indexes: Indexes, filled: Iterable[str]) -> Iterator[FoundKey]:
    for name, parts in indexes.items():
        columns = tuple(column for column, _ in parts if column is not None)
        unusable = "it is of expressions" if len(columns) < len(parts) else unusable_unless_filled(columns, filled)
        short = [column for column, part in parts if part is not None]
        note = f"the source's key is of the first characters of {', '.join(map(repr, short))}" if short else None
        yield FoundKey(name, columns, unusable, note, name == PRIMARY)
