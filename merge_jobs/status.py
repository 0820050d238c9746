"""What an operator wants to know of a platform's streams: the last batch, what is open, and who is at work."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from config_schema import names
from config_schema.model import Consistency, Ecosystem
from merge_jobs.database import Place, connect
from merge_jobs.errors import database_failed
from merge_jobs.sql import execute
from merge_jobs.store import stream_lock

LOCK_SECONDS = 10


@dataclass(frozen=True)
class LastBatch:
    """The last committed batch; the counts are its own, not those of its run."""

    batch_id: int
    started_at: datetime
    ended_at: datetime
    inserted: int
    updated: int
    deleted: int
    total: int
    strategy: str
    source_snapshot_time: datetime
    model_commit: str | None
    run_id: str

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class OpenBatch:
    """A batch that is not committed: `started`, `ingested` or `failed`; `since` is its start, or when it failed."""

    batch_id: int
    status: str
    since: datetime
    run_id: str
    error: str | None
    retryable: bool | None


@dataclass(frozen=True)
class StreamStatus:
    """A stream; `synced` is its status in the stream table, `job` the session of the job that holds it now."""

    key: str
    synced: str | None = None
    last_checked_at: datetime | None = None
    last: LastBatch | None = None
    open: OpenBatch | None = None
    job: str | None = None


@dataclass(frozen=True)
class PlatformStatus:
    """The streams of a platform; without `batch_tables` none has ever had a batch."""

    platform: str
    merge_store: str
    batch_tables: bool
    streams: tuple[StreamStatus, ...]

    def of_store(self, store: str | None) -> PlatformStatus:
        """With the streams of one datastore only, or with all for None."""
        of_it = (one for one in self.streams if store is None or one.key.partition("#")[0] == store)
        return replace(self, streams=tuple(of_it))


def platform_status(place: Place, platform: str, modelled: tuple[str, ...]) -> PlatformStatus:
    """The streams with batches, and those that are synced, or modelled where nothing is synced yet.

    Raises StreamFactoryError.
    """
    where = f"merge store {place}"
    with closing(connect(place, names.status_session(names.platform_name(platform)), where, LOCK_SECONDS)) as session:
        try:
            return _status(session, place, platform, modelled)
        except psycopg2.Error as error:
            raise database_failed(error, where) from error


def modelled_streams(ecosystem: Ecosystem) -> tuple[str, ...]:
    """The keys of the streams that a model's datastores make."""
    keys: list[str] = []
    for store in ecosystem.datastores:
        if store.consistency is Consistency.SINGLE_DATASET:
            keys += [names.stream_key(store.name, dataset.name) for dataset in store.datasets]
        else:
            keys.append(names.stream_key(store.name))
    return tuple(keys)


def _status(session: Connection, place: Place, platform: str, modelled: tuple[str, ...]) -> PlatformStatus:
    of = names.platform_name(platform)
    counter, metrics, streams = names.batch_counter_table(of), names.batch_metrics_table(of), names.stream_table(of)
    wanted = {"schema": place.schema, "tables": [counter, metrics, streams]}
    there = {name for (name,) in _rows(session, "tables_there", wanted)}
    parts = {name: sql.Identifier(place.schema, table) for name, table in (("counter", counter), ("metrics", metrics))}
    synced: Mapping[str, str | None] = dict.fromkeys(modelled)
    if streams in there:
        synced = dict(_rows(session, "synced_streams", streams=sql.Identifier(place.schema, streams)))
    batch_tables = {counter, metrics} <= there
    found = {row[0]: row for row in (_rows(session, "streams", None, **parts) if batch_tables else ())}
    jobs = {
        number: f"pid {pid} ({name or 'its name is not ours to see'})" for number, pid, name in _rows(session, "locks")
    }
    # A retired stream is worth a line only for the batches that it has.
    keys = {*found, *(key for key, status in synced.items() if status != "retired")}
    told = (
        _stream(key, synced.get(key), found.get(key), jobs.get(stream_lock(place.schema, of, key)))
        for key in sorted(keys)
    )
    return PlatformStatus(platform, str(place), batch_tables, tuple(told))


def _stream(key: str, synced: str | None, row: tuple[Any, ...] | None, job: str | None) -> StreamStatus:
    if row is None:
        return StreamStatus(key, synced, job=job)
    last, left = row[2:13], row[13:]
    return StreamStatus(
        key,
        synced,
        row[1],
        None if last[0] is None else LastBatch(*last),
        None if left[0] is None else OpenBatch(*left),
        job,
    )


def _rows(
    session: Connection, name: str, values: Mapping[str, Any] | None = None, **parts: sql.Composable
) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        execute(cursor, f"status.{name}", parts, values or {})
        return cursor.fetchall()
