"""Staging tables and row maps that no batch needs any more: dropped as soon as no other session reads them.

A batch never waits for a lock on such a table. It creates its tables under free names; a table that is still read, by
pg_dump for example, stays until a later batch, `merge-job tables` or `merge-job reset` gets the lock at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg2 import errors as conditions
from psycopg2 import sql

from config_schema import names
from config_schema.sql.object_comments import parsed_comment
from merge_jobs.database.together import Lookup, in_step
from merge_jobs.errors import TablesHeld
from merge_jobs.sql import Query
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables, TableNames, check_owner
from merge_jobs.stream import Stream

log = logging.getLogger(__name__)

MOST = 8  # tables of a kind that a dataset may have: one in use, the others still read by somebody
AT_ONCE = 50  # tables dropped in one transaction: each takes a few locks of the server's table of locks
# The table is read, a person's view reads it, or it is not there any more. Each is left to the next look.
LEFT = (
    conditions.LockNotAvailable,
    conditions.DependentObjectsStillExist,
    conditions.UndefinedTable,
    conditions.DuplicateTable,
)


@dataclass(frozen=True)
class LeftoverStep:
    """A table to drop, or a row map to rename to its usual name."""

    dataset: str
    table: str
    usual: str | None = None

    def __str__(self) -> str:
        return f"table {self.table} " + ("dropped" if self.usual is None else f"renamed to {self.usual}")


@dataclass(frozen=True)
class TablesThere:
    """The tables under any name that staging tables and maps can have, with their comments; and the maps in use."""

    existing: Mapping[str, str | None]
    current: Mapping[str, str]


def names_for_batch(store: MergeStore, there: TablesThere, new: Iterable[str]) -> dict[str, TableNames]:
    """Drop what earlier batches left, and choose free names for the tables of the next batch. May commit.

    Returns the names by dataset. `new` are the datasets without a merge table; their row map gets another name.
    Raises StoreMismatch if a usual name is taken by a table that is not ours, and TablesHeld if other sessions read
    all tables of a kind.
    """
    done = take(store, list(_steps(store.stream, there)))
    if done:
        log.info("%s: %s", store.stream, "; ".join(map(str, done)))
        there = _found(store)
    is_new = set(new)
    return {
        of.name: _free_names(of, there.existing, there.current.get(of.name), of.name in is_new)
        for of in _datasets(store)
    }


def drop_staged(tables: DatasetTables) -> None:
    """Drop the staging table and the staged map of this transaction: nobody else can see them."""
    store = tables.store
    made = [tables.staging_name]
    if tables.dataset.cursor is None or tables.dataset.cursor.finds_deletes:
        made.append(tables.staged_map_name)
    store.run("leftovers.drop", tables=sql.SQL(", ").join(map(store.table, made)))


def drop_leftovers(store: MergeStore, made: Sequence[DatasetTables] | None = None) -> None:
    """Drop the tables that the committed batch does not need any more, if nobody reads them. Commits.

    They are the staging tables and staged maps of `made`; None for whatever is left of the stream.
    """
    if made is None:
        planned = list(steps(store))
    else:
        planned = [LeftoverStep(of.name, table) for of in made for table in (of.staging_name, of.staged_map_name)]
    done = take(store, planned)
    left = [step for step in planned if step not in done]
    if left:
        log.info("%s: left for later, as they are in use: %s", store.stream, ", ".join(step.table for step in left))


def steps(store: MergeStore) -> Iterator[LeftoverStep]:
    """Yield the steps for the tables under the names of the stream's datasets."""
    yield from _steps(store.stream, _found(store))


def steps_for_all(store: MergeStore) -> Iterator[LeftoverStep]:
    """Yield the steps for all tables of the stream, by their comments: also of datasets that left the model."""
    rows = store.run("reset.tables_of_ours", {"schema": store.place.schema}).fetchall()
    (in_use,) = store.together([row_maps.maps_in_use(store)])
    yield from _steps(store.stream, TablesThere(dict(rows), row_maps.current_tables(store, in_use)))


def take(store: MergeStore, planned: Sequence[LeftoverStep]) -> list[LeftoverStep]:
    """Perform the steps that need not wait for a lock; return those. Commits; the caller has nothing to commit."""
    done: list[LeftoverStep] = []
    for start in range(0, len(planned), AT_ONCE):
        some = planned[start : start + AT_ONCE]
        if _taken(store, some):
            done += some
        elif len(some) > 1:
            done += [step for step in some if _taken(store, [step])]
    return done


def _taken(store: MergeStore, some: Sequence[LeftoverStep]) -> bool:
    """Perform the steps in one transaction, all of them or none."""
    try:
        store.later("leftovers.do_not_wait")
        dropped = [store.table(step.table) for step in some if step.usual is None]
        if dropped:
            store.later("leftovers.drop", tables=sql.SQL(", ").join(dropped))
        for step in some:
            if step.usual is not None:
                store.later("leftovers.rename_map", map=store.table(step.table), usual=sql.Identifier(step.usual))
                row_maps.has_its_usual_name(store, step.dataset)
        store.commit()
    except LEFT:
        store.rollback()
        return False
    return True


def _datasets(store: MergeStore) -> list[DatasetTables]:
    return [DatasetTables(store, dataset) for dataset in store.stream.datasets]


def _stagings(stream: Stream, dataset: str) -> list[str]:
    numbers = range(1, MOST + 1)
    return [names.staging_table(stream.platform_name, stream.store.name, dataset, number) for number in numbers]


def _staged_maps(stream: Stream, dataset: str) -> list[str]:
    numbers = range(1, MOST + 1)
    return [names.row_map_staging_table(stream.platform_name, stream.store.name, dataset, number) for number in numbers]


def finding(store: MergeStore) -> Lookup[TablesThere]:
    """Look for the staging tables and maps of the stream's datasets."""
    every = [
        name
        for of in _datasets(store)
        for name in (of.usual_map_name, *_stagings(store.stream, of.name), *_staged_maps(store.stream, of.name))
    ]
    names_asked = {"schema": store.place.schema, "names": every}
    existing, in_use = yield [Query("leftovers.existing_tables", names_asked), row_maps.maps_in_use(store)]
    return TablesThere(dict(existing), row_maps.current_tables(store, in_use))


def _found(store: MergeStore) -> TablesThere:
    (there,) = in_step([finding(store)], store.together)
    return there


def _steps(stream: Stream, there: TablesThere) -> Iterator[LeftoverStep]:
    """Yield drops first, then renames: a map can only get its usual name after the older one is dropped."""
    existing, current, renamed = there.existing, there.current, []
    for table, comment in existing.items():
        owner = parsed_comment(comment)
        dataset = str(owner.get("dataset"))
        if (owner.get("platform"), owner.get("stream")) != (stream.platform_name, stream.key):
            continue
        in_use = current.get(dataset)
        if owner.get("kind") == "staging" or (owner.get("kind") == "map" and table != in_use):
            yield LeftoverStep(dataset, table)
        elif owner.get("kind") == "map":
            usual = names.row_map_table(stream.platform_name, stream.store.name, dataset)
            if table != usual and _is_ours_or_free(usual, existing, owner):
                renamed.append(LeftoverStep(dataset, table, usual))
    yield from renamed


def _is_ours_or_free(name: str, existing: Mapping[str, str | None], owner: Mapping[str, object]) -> bool:
    return name not in existing or parsed_comment(existing[name]) == owner


def _free_names(of: DatasetTables, existing: Mapping[str, str | None], in_use: str | None, is_new: bool) -> TableNames:
    stream = of.store.stream
    staging = _free(of, _stagings(stream, of.name), existing, "staging")
    staged_maps = _staged_maps(stream, of.name)
    if is_new:
        row_map = _free(of, [of.usual_map_name, *staged_maps], existing, "map")
        staged_maps = [name for name in staged_maps if name != row_map]
    else:
        row_map = in_use or of.usual_map_name
    staged_map = _free(of, staged_maps, existing, "map")
    return TableNames(
        None if staging == of.staging_name else staging,
        None if staged_map == of.staged_map_name else staged_map,
        None if row_map == of.usual_map_name else row_map,
    )


def _free(of: DatasetTables, wanted: Sequence[str], existing: Mapping[str, str | None], kind: str) -> str:
    for name in wanted:
        if name not in existing:
            return name
        check_owner(of, name, existing[name], kind)
    raise TablesHeld(
        f"{of.where}: tables {wanted[0]} to {wanted[-1]}",
        wanted,
        f"no batch needs them any more, and none can be dropped: held by {readers(of.store, wanted)}",
        "Wait until that session has ended, or end it; drop what is built on these tables",
    )


def readers(store: MergeStore, tables: Sequence[str]) -> str:
    """Return who holds locks on the tables, for people."""
    found = store.value("leftovers.readers", {"schema": store.place.schema, "names": list(tables)})
    return str(found or "a session that has ended by now")
