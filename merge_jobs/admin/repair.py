"""Checks and repairs what runs need in the merge store: batch tables, the owners of merge tables, indexes.

Columns are left to the next batch, which changes a table together with its rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import psycopg2
from psycopg2.errors import UniqueViolation

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import Ecosystem
from merge_jobs.admin.changes import forget_old_values
from merge_jobs.admin.status import PlatformStatus
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database_errors import database_failed, in_words
from merge_jobs.errors import StreamBusy
from merge_jobs.stores.postgres import (
    as_of,
    batches,
    indexes,
    leftovers,
    migrations,
    row_maps,
)
from merge_jobs.stores.postgres.indexes import IndexFailed
from merge_jobs.stores.postgres.leftovers import LeftoverStep
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.migrations import component_rights
from merge_jobs.stores.postgres.tables import (
    DatasetTables,
    DescribedTable,
    MergeTableBroken,
    described,
    key_index_stands,
    refuse_another_owner,
)
from merge_jobs.stream import Stream, stream_with_key

SESSION = "tables"  # in place of a run id, where another command says who holds the stream
LOCK_SECONDS = 10


@dataclass(frozen=True)
class RepairResult:
    """What was repaired for a stream; `failed` says what could not be, `busy` that a job is running on it.

    `dropped` are tables of earlier batches that no batch needs any more, and indexes that have left the model; `built`
    are indexes for readers. `lost_maps` are the datasets that have
    lost their row map: the next batch reads all of their rows.
    """

    stream: str
    tables: int = 0
    repaired: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    built: tuple[str, ...] = ()
    lost_maps: tuple[str, ...] = ()
    failed: StreamFactoryError | None = None
    busy: bool = False


def running_streams(status: PlatformStatus, modelled: Collection[str]) -> list[str]:
    """Return the streams that are not retired, from the stream table or, if nothing is synced, from the model."""
    synced = [one for one in status.streams if one.synced is not None]
    if not synced:
        return list(modelled)
    return [one.key for one in synced if one.synced != "retired"]


def repair_tables(
    place: ConnectionInfo, ecosystem: Ecosystem, platform: str, streams: Collection[str], *, dry_run: bool = False
) -> Iterator[RepairResult]:
    """Yield what was repaired for each stream, each in its own transaction: an error with one does not stop the others.

    A stream that a job holds is skipped, because the job checks its tables itself.
    """
    for key in streams:
        try:
            yield _kept(place, stream_with_key(ecosystem, platform, key), dry_run)
        except StreamBusy:
            yield RepairResult(key, busy=True)
        except Exception as error:
            yield RepairResult(key, failed=_of_stream(key, in_words(error, f"stream {key}")))


def _of_stream(key: str, error: StreamFactoryError) -> StreamFactoryError:
    """Return the error with the stream's name in it: of many streams one has it."""
    where = f"stream {key}"
    return error if key in error.where else error.reworded(error.what, where=f"{where}: {error.where}")


def _kept(place: ConnectionInfo, stream: Stream, dry_run: bool) -> RepairResult:
    with MergeStore(place, stream, SESSION, LOCK_SECONDS) as store:
        try:
            store.lock_stream(0)
            repaired = list(_batch_tables(store, dry_run))
            created = not migrations.tables_version(store).lost
            lost, existing = row_maps.forget_lost(_all(store)) if created else (), list[DatasetTables]()
            for tables in _all(store):
                as_it_is = described(tables, tables.merge_name)
                if as_it_is is not None:
                    repaired += _repaired(tables, as_it_is)
                    existing.append(tables)
            if created:
                forget_old_values(store)
            store.rollback() if dry_run else store.commit()
            planned = _unneeded(store) if created else []
            dropped = planned if dry_run else leftovers.take(store, planned)
            gone = tuple(step.table for step in dropped)
            found = RepairResult(stream.key, len(existing), tuple(repaired), gone, lost_maps=lost)
            return _with_indexes(store, found, existing, dry_run)
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error


def _with_indexes(
    store: MergeStore, result: RepairResult, existing: Sequence[DatasetTables], dry_run: bool
) -> RepairResult:
    """Build and drop indexes for readers; return the result with what was done, and the first that failed."""
    planned = indexes.steps(store, existing)
    done = list(indexes.take(store, planned)) if not dry_run else planned
    failed = next((one.error for one in done if isinstance(one, IndexFailed)), None)
    steps = [one for one in done if not isinstance(one, IndexFailed)]
    return replace(
        result,
        built=tuple(str(step) for step in steps if step.index is not None),
        dropped=(*result.dropped, *(step.name for step in steps if step.index is None)),
        failed=None if failed is None else _of_stream(result.stream, failed),
    )


def _unneeded(store: MergeStore) -> list[LeftoverStep]:
    """Return the drops of tables that no batch needs; none while an ingested batch waits to be merged."""
    if batches.ingested_batch(store, batches.last_batch(store) + 1):
        return []
    return [step for step in leftovers.steps_for_all(store) if step.usual is None]


def _all(store: MergeStore) -> Iterator[DatasetTables]:
    return (DatasetTables(store, dataset) for dataset in store.stream.datasets)


def _batch_tables(store: MergeStore, dry_run: bool) -> Iterator[str]:
    found = migrations.tables_version(store)
    found.check(store.where)
    if found.needed:
        if not dry_run:
            migrations.run_missing_migrations(store)
        yield "batch tables" if found.lost else "version of the batch tables"
    rights = component_rights(store)
    for grant in rights.lacking() if dry_run else rights.grant_lacking():
        yield f"grant of {grant}"


def _repaired(tables: DatasetTables, existing: DescribedTable) -> Iterator[str]:
    """Repair the index and the functions of a merge table, and yield what was missing.

    Raises StoreMismatch if the table is not this stream's, or if two of its rows share a key.
    """
    refuse_another_owner(tables, existing)
    if not key_index_stands(tables):
        _make_index(tables)
        yield f"index {names.merge_key_index(tables.merge_name)}"
    if any(column.name not in existing.columns for column in tables.dataset.columns):
        return  # the next batch brings them, and makes the functions then
    before = as_of.existing_functions(tables)
    as_of.keep_functions(tables)
    if as_of.existing_functions(tables) != before:
        yield f"function {names.as_of_function(tables.merge_name)}"


def _make_index(tables: DatasetTables) -> None:
    index, schema = names.merge_key_index(tables.merge_name), tables.store.place.schema
    if tables.store.value("repair.index_of_table", {"schema": schema, "index": index, "table": tables.merge_name}):
        tables.run("repair.drop_index", index=tables.store.table(index))
    try:
        tables.run(".create_key_index")
    except UniqueViolation as error:
        where = f"{tables.where}: table {tables.merge_name}"
        what = "its unique index is gone, and it has rows with the same key"
        raise MergeTableBroken(where, what, "Move the table away: the stream is then loaded again") from error
