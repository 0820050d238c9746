"""Taking an open batch back to its start: its staging goes, and the next run reads the source by the present model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg2

from config_schema import names
from config_schema.marks import told_by
from merge_jobs import asked, batches
from merge_jobs.batches import BatchStatus
from merge_jobs.database import Place
from merge_jobs.errors import BatchCommitted, database_failed
from merge_jobs.store import MergeStore
from merge_jobs.stream import Stream

SESSION = "reset"  # stands for the run id where another command tells who holds the stream


@dataclass(frozen=True)
class Reset:
    """A batch that is reset: the status and run that it was left with, and the staging tables that are dropped."""

    batch_id: int
    status: BatchStatus
    run_id: str
    staging: tuple[str, ...]


def reset_batch(
    place: Place,
    stream: Stream,
    model_commit: str | None = None,
    lock_wait: float = 0,
    dry_run: bool = False,
    asked_by: str | None = None,
) -> Reset | None:
    """Reset the stream's open batch; None if the stream never had a batch. `dry_run` only looks.

    Raises BatchCommitted if the last batch is committed and none is open, StreamBusy if a job is running.
    """
    with MergeStore(place, stream, SESSION) as store:
        try:
            return _reset(store, model_commit, lock_wait, dry_run, asked_by)
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error


def _reset(
    store: MergeStore, model_commit: str | None, lock_wait: float, dry_run: bool, asked_by: str | None
) -> Reset | None:
    store.lock_stream(lock_wait)
    if not _has_batches(store):
        return None
    last = batches.last_batch(store)
    left = batches.open_batch(store, last + 1)
    if left is None:
        if last == 0:
            return None
        where, todo = f"{store.stream} batch {last}", f"Nothing is open: the next run begins batch {last + 1}"
        raise BatchCommitted(where, "Batch is COMMITTED and cannot be reset", todo)
    status, run_id = left
    found = Reset(last + 1, status, run_id, _staging(store))
    if not dry_run:
        store.check_lock()
        for table in found.staging:
            store.run("dataset.drop_staging", staging=store.table(table))
        batches.reset(store, found.batch_id, run_id, model_commit)
        asked.write_down(store, "reset_batch", asked_by)
        store.commit()
    return found


def _has_batches(store: MergeStore) -> bool:
    # An older platform may lack others of today's tables.
    platform = store.stream.platform_name
    tables = [names.batch_counter_table(platform), names.batch_metrics_table(platform)]
    return bool(store.value("batches.count_tables", {"schema": store.place.schema, "tables": tables}) == len(tables))


def _staging(store: MergeStore) -> tuple[str, ...]:
    rows = store.run("reset.tables_of_ours", {"schema": store.place.schema}).fetchall()
    return tuple(table for table, comment in rows if _is_staged(store.stream, table, told_by(comment)))


def _is_staged(stream: Stream, table: str, owner: Mapping[str, object]) -> bool:
    if (owner.get("platform"), owner.get("stream")) != (stream.platform_name, stream.key):
        return False
    # A row map and what is staged for it say the same of themselves.
    dataset = str(owner.get("dataset"))
    staged_map = names.row_map_staging_table(stream.platform_name, stream.store.name, dataset)
    return owner.get("kind") == "staging" or (owner.get("kind") == "map" and table == staged_map)
