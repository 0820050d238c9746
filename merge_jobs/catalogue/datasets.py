"""From the tables of a catalogue to datasets, and the reasons for tables that are none."""

from __future__ import annotations

from collections.abc import Iterable

from config_schema.load.described import LeftOut, Sorted
from config_schema.model import Column, Dataset
from merge_jobs.catalogue.errors import DatastoreImpossible
from merge_jobs.catalogue.found import FoundColumn, FoundKey, FoundTable, TableKind

FLAGS = {"datastores[0].name": "--name", "datastores[0].source.credential": "--credential"}
NO_KEY = "it has no primary key, and no unique index on columns that are never NULL"


def sorted_tables(tables: Iterable[FoundTable], by_name: Iterable[str]) -> Sorted:
    """Return each table as a dataset or as left out; `by_name` are names that a person has given in full."""
    given = set(by_name)
    found = Sorted()
    for table in tables:
        if table.left_out is not None and not (table.by_name and table.name in given):
            found.left_out.append(LeftOut(table.name, table.left_out))
            continue
        columns = [column for column in table.columns if column.unreadable is None]
        notes = [f"column {one.name!r} is left out: {one.unreadable}" for one in table.columns if one.unreadable]
        key = _key(table, columns)
        if key is None:
            found.left_out.append(LeftOut(table.name, _why_no_key(table), _dataset(table.name, columns, ())))
            continue
        found.datasets.append(_dataset(table.name, columns, key.columns))
        found.notes[table.name] = notes + ([key.note] if key.note else [])
    return found


def impossible(path: str, what: str, todo: str) -> DatastoreImpossible:
    """Return the error for a rule of the model that the datastore itself breaks."""
    return DatastoreImpossible(FLAGS.get(path, "--dsn"), path, what, todo)


def _key(table: FoundTable, columns: Iterable[FoundColumn]) -> FoundKey | None:
    """Return the primary key, otherwise the shortest unique index; indexes that are never deferred come first."""
    there = {column.name for column in columns}
    usable = [key for key in table.keys if key.unusable is None and key.columns and there.issuperset(key.columns)]
    return min(
        usable, key=lambda key: (not key.preferred, key.note is not None, len(key.columns), key.columns), default=None
    )


def _why_no_key(table: FoundTable) -> str:
    if table.kind is not TableKind.TABLE:
        return f"it is a {table.kind.value}, of which the catalogue knows no key"
    readable = {column.name for column in table.columns if column.unreadable is None}
    reasons = [f"{key.name}: {key.unusable}" for key in table.keys if key.unusable]
    reasons += [
        f"{key.name}: the user may not read all of it"
        for key in table.keys
        if key.unusable is None and not readable.issuperset(key.columns)
    ]
    return f"{NO_KEY} ({'; '.join(reasons)})" if reasons else NO_KEY


def _dataset(table: str, columns: Iterable[FoundColumn], key: tuple[str, ...]) -> Dataset:
    return Dataset(
        table, tuple(Column(one.name, one.type, one.nullable and one.name not in key) for one in columns), key
    )
