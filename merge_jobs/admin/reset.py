"""Resetting an open batch: its staging is dropped, and the next run reads the source by the current model."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg2

from config_schema import names
from config_schema.errors import StreamFactoryError
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database.together import in_step
from merge_jobs.database_errors import database_failed
from merge_jobs.stores.postgres import (
    batches,
    leftovers,
    migrations,
    operator_audit,
    row_maps,
)
from merge_jobs.stores.postgres.batches import BatchStatus
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.stream import Stream

SESSION = "reset"  # in place of a run id, where another command says who holds the stream


class BatchCommitted(StreamFactoryError):
    """A reset was requested for a batch that is committed.

    Nothing: the next run begins the next batch.
    """

    code = "DF5207"

    def __init__(self, stream: str, batch_id: int) -> None:
        self.stream, self.batch_id = stream, batch_id
        todo = f"Nothing is open: the next run begins batch {batch_id + 1}"
        super().__init__(f"{stream} batch {batch_id}", "Batch is COMMITTED and cannot be reset", todo)


@dataclass(frozen=True)
class Reset:
    """A batch that was reset: its status and run before, and the staging tables that were dropped.

    `held` are tables that other sessions read: a later batch drops them. `lost_maps` are the datasets that have
    lost their row map: the next batch reads all of their rows.
    """

    batch_id: int
    status: BatchStatus
    run_id: str
    staging: tuple[str, ...]
    held: tuple[str, ...] = ()
    lost_maps: tuple[str, ...] = ()


def reset_batch(
    place: ConnectionInfo,
    stream: Stream,
    model_commit: str | None = None,
    lock_wait: float = 0,
    dry_run: bool = False,
    asked_by: str | None = None,
    reason: str | None = None,
) -> Reset | None:
    """Reset the stream's open batch; return None if the stream never had one. `dry_run` changes nothing.

    Raises BatchCommitted if the last batch is committed and none is open, StreamBusy if a job is running.
    """
    with MergeStore(place, stream, SESSION) as store:
        try:
            return _reset(store, model_commit, lock_wait, dry_run, asked_by, reason)
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error


def _reset(
    store: MergeStore,
    model_commit: str | None,
    lock_wait: float,
    dry_run: bool,
    asked_by: str | None,
    reason: str | None,
) -> Reset | None:
    store.lock_stream(lock_wait)
    migrations.tables_version(store).check(store.where)
    if not _has_batches(store):
        return None
    last = batches.last_batch(store)
    left = batches.open_batch(store, last + 1)
    if left is None:
        if last == 0:
            return None
        raise BatchCommitted(str(store.stream), last)
    status, run_id = left
    planned = [step for step in leftovers.steps_for_all(store) if step.usual is None] if _has_maps(store) else []
    lost = row_maps.forget_lost(_datasets(store)) if _has_maps(store) else ()
    done = planned
    if not dry_run:
        in_step([store.checking_lock()], store.together)
        batches.reset(store, last + 1, run_id, model_commit)
        operator_audit.record_action(store, "reset_batch", asked_by, reason)
        store.commit()
        done = leftovers.take(store, planned)
    held = tuple(step.table for step in planned if step not in done)
    return Reset(last + 1, status, run_id, tuple(step.table for step in done), held, lost)


def _has_batches(store: MergeStore) -> bool:
    # An older platform may lack others of today's tables.
    platform = store.stream.platform_name
    return _stand(store, names.batch_counter_table(platform), names.batch_metrics_table(platform))


def _datasets(store: MergeStore) -> list[DatasetTables]:
    return [DatasetTables(store, dataset) for dataset in store.stream.datasets]


def _has_maps(store: MergeStore) -> bool:
    return _stand(store, names.row_maps_table(store.stream.platform_name))


def _stand(store: MergeStore, *tables: str) -> bool:
    values = {"schema": store.place.schema, "tables": list(tables)}
    return bool(store.value("batches.count_tables", values) == len(tables))
