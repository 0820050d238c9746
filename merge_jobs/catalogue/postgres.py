"""The tables of a PostgreSQL schema, by its system catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from config_schema.errors import UnknownName
from config_schema.model.sql_types import KNOWN_TYPES, base_type
from merge_jobs.catalogue.errors import SchemaNotReadable
from merge_jobs.catalogue.found import FoundColumn, FoundKey, FoundTable, TableKind, unusable_unless_filled
from merge_jobs.sources.postgres.source import PostgresSource

KINDS = {
    "r": TableKind.TABLE,
    "p": TableKind.TABLE,
    "v": TableKind.VIEW,
    "m": TableKind.MATERIALIZED_VIEW,
    "f": TableKind.FOREIGN_TABLE,
}
NO_RIGHT = "the user has no SELECT on it"


@dataclass(frozen=True)
class _Relation:
    """A row of the statement `tables`."""

    oid: int
    name: str
    kind: str
    readable: bool
    secured: bool  # row-level security holds for this user
    partition_of: str | None
    has_children: bool
    extension: str | None


def postgres_tables(source: PostgresSource, only: Collection[str] | None = None) -> list[FoundTable]:
    """Return what can be selected from in the schema, by name; `only` these tables, if it is given.

    Raises UnknownName if there is no such schema, SchemaNotReadable if the user may not use it.
    """
    asked = {"schema": source.place.schema, "tables": None if only is None else list(only)}
    _check_schema(source)
    columns: dict[int, list[FoundColumn]] = defaultdict(list)
    for oid, name, *of, nullable, readable in source.rows("catalogue.columns", asked):
        columns[oid].append(FoundColumn(name, modelled_type(*of), nullable, None if readable else NO_RIGHT))
    keys: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for oid, *index in source.rows("catalogue.keys", asked):
        keys[oid].append(tuple(index))
    relations = [_Relation(*row) for row in source.rows("catalogue.tables", asked)]
    return [_table(one, tuple(columns[one.oid]), keys[one.oid]) for one in relations]


def modelled_type(kind: str, built_in: bool, array: bool) -> str:
    """Return the type with which every merge store can store a column of type `kind`, given by format_type().

    It is text for types that a merge store may lack: the producer's own types (enums, composites), types of
    extensions, and types whose text names an object of its server.
    """
    base = base_type(kind)
    if built_in and (base == '"char"' or (base in KNOWN_TYPES and not base.startswith("reg"))):
        return kind
    return "text[]" if array else "text"


def _check_schema(source: PostgresSource) -> None:
    schema = source.place.schema
    found = source.rows("catalogue.schema_is_usable", {"schema": schema})
    if not found:
        known = [name for (name,) in source.rows("catalogue.schemas")]
        raise UnknownName("--schema", "schema", schema, known, source.where)
    if not found[0][0]:
        raise SchemaNotReadable(source.where, schema, source.place.user)


def _table(of: _Relation, columns: tuple[FoundColumn, ...], indexes: list[tuple[Any, ...]]) -> FoundTable:
    keys = tuple(_keys(of, columns, indexes))
    by_name = of.extension is not None and not (of.partition_of or of.secured or not of.readable)
    return FoundTable(of.name, KINDS[of.kind], columns, keys, _left_out(of, columns), by_name)


def _left_out(of: _Relation, columns: tuple[FoundColumn, ...]) -> str | None:
    if of.partition_of is not None:
        return f"it is a partition of {of.partition_of}, with which its rows are read"
    if not of.readable and all(column.unreadable is not None for column in columns):
        return f"{NO_RIGHT}: GRANT it to read the table"
    if of.secured:
        return "row-level security keeps rows from this user: a batch reads all rows or none"
    if of.extension is not None:
        return f"it belongs to the extension {of.extension}: name it by --table to have it nevertheless"
    return None


def _keys(of: _Relation, columns: tuple[FoundColumn, ...], indexes: list[tuple[Any, ...]]) -> Iterator[FoundKey]:
    filled = [column.name for column in columns if not column.nullable]
    for name, primary, immediate, valid, partial, of_expressions, key in indexes:
        if not valid:
            unusable: str | None = "it is not valid"
        elif partial:
            unusable = "it is of some rows only"
        elif of_expressions:
            unusable = "it is of expressions"
        elif of.has_children:
            unusable = "rows of tables that inherit from this one are not in it"
        else:
            unusable = unusable_unless_filled(key, filled)
        note = None if immediate else "the key is deferrable: it holds when a transaction has ended"
        yield FoundKey(name, tuple(key), unusable, note, primary)
