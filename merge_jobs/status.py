"""What an operator wants to know of a platform's streams: the last batch, what is open, and who is at work."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
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
    """A stream; `synced` is its status in the stream table, `job` the session of the job that holds it now.

    `version_diff_off` says, by dataset, why an audit has put version diff off.
    """

    key: str
    synced: str | None = None
    last_checked_at: datetime | None = None
    last: LastBatch | None = None
    open: OpenBatch | None = None
    job: str | None = None
    version_diff_off: Mapping[str, str] = field(default_factory=dict)


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
    parts = _tables_there(session, place, of)
    synced: Mapping[str, str | None] = dict.fromkeys(modelled)
    if "streams" in parts:
        synced = dict(_rows(session, "synced_streams", None, streams=parts["streams"]))
    batch_tables = parts.keys() >= {"counter", "metrics"}
    rows = _rows(session, "streams", None, counter=parts["counter"], metrics=parts["metrics"]) if batch_tables else []
    found = {row[0]: row for row in rows}
    jobs = {number: f"pid {pid} ({name or 'a name not ours to see'})" for number, pid, name in _rows(session, "locks")}
    off: dict[str, dict[str, str]] = {}
    if "row_maps" in parts:
        for key, dataset, reason in _rows(session, "distrusted", None, row_maps=parts["row_maps"]):
            off.setdefault(key, {})[dataset] = reason
    # A retired stream is worth a line only for the batches that it has.
    keys = {*found, *(key for key, status in synced.items() if status != "retired")}
    streams = (
        replace(
            _stream(key, found.get(key)),
            synced=synced.get(key),
            job=jobs.get(stream_lock(place.schema, of, key)),
            version_diff_off=off.get(key, {}),
        )
        for key in sorted(keys)
    )
    return PlatformStatus(platform, str(place), batch_tables, tuple(streams))


def _tables_there(session: Connection, place: Place, platform: str) -> dict[str, sql.Identifier]:
    tables = {
        "counter": names.batch_counter_table(platform),
        "metrics": names.batch_metrics_table(platform),
        "streams": names.stream_table(platform),
        "row_maps": names.row_maps_table(platform),
    }
    rows = _rows(session, "tables_there", {"schema": place.schema, "tables": list(tables.values())})
    there = {name for (name,) in rows}
    return {part: sql.Identifier(place.schema, table) for part, table in tables.items() if table in there}


def _stream(key: str, row: tuple[Any, ...] | None) -> StreamStatus:
    if row is None:
        return StreamStatus(key)
    last, left = row[2:13], row[13:]
    return StreamStatus(
        key,
        last_checked_at=row[1],
        last=None if last[0] is None else LastBatch(*last),
        open=None if left[0] is None else OpenBatch(*left),
    )


def _rows(
    session: Connection, name: str, values: Mapping[str, Any] | None = None, **parts: sql.Composable
) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        execute(cursor, f"status.{name}", parts, values or {})
        return cursor.fetchall()
