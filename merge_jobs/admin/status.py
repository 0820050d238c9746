"""What an operator wants to know of a platform's streams: the last batch, what is open, and who is running."""

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
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.errors import database_failed
from merge_jobs.sql import execute
from merge_jobs.stores.postgres.merge_store import stream_lock
from merge_jobs.stores.postgres.row_maps import MapKind, read_distrusted

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
        """How long the batch took; 0 if the clock was set back meanwhile."""
        return max(0.0, (self.ended_at - self.started_at).total_seconds())  # the clock may be set back meanwhile


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

    `version_diff_off` and `key_hash_diff_off` say, by dataset, why an audit has put that strategy off.
    `lost_maps` are the datasets whose row map is gone: their next batch reads every row.
    """

    key: str
    synced: str | None = None
    last_checked_at: datetime | None = None
    last: LastBatch | None = None
    open: OpenBatch | None = None
    job: str | None = None
    version_diff_off: Mapping[str, str] = field(default_factory=dict)
    key_hash_diff_off: Mapping[str, str] = field(default_factory=dict)
    lost_maps: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlatformStatus:
    """The streams of a platform; without `batch_tables` none has ever had a batch."""

    platform: str
    merge_store: str
    batch_tables: bool
    streams: tuple[StreamStatus, ...]

    def of_store(self, store: str | None) -> PlatformStatus:
        """Return the status with the streams of one datastore only; with all for None."""
        of_it = (one for one in self.streams if store is None or one.key.partition("#")[0] == store)
        return replace(self, streams=tuple(of_it))


def platform_status(place: ConnectionInfo, platform: str, modelled: tuple[str, ...]) -> PlatformStatus:
    """Return the streams that have batches or are synced; the model's where nothing is synced yet.

    Raises StreamFactoryError.
    """
    where = f"merge store {place}"
    with closing(connect(place, names.status_session(names.platform_name(platform)), where, LOCK_SECONDS)) as session:
        try:
            return _status(session, place, platform, modelled)
        except psycopg2.Error as error:
            raise database_failed(error, where) from error


def modelled_streams(ecosystem: Ecosystem) -> tuple[str, ...]:
    """Return the keys of the streams that a model's datastores give."""
    keys: list[str] = []
    for store in ecosystem.datastores:
        if store.consistency is Consistency.SINGLE_DATASET:
            keys += [names.stream_key(store.name, dataset.name) for dataset in store.datasets]
        else:
            keys.append(names.stream_key(store.name))
    return tuple(keys)


def _status(session: Connection, place: ConnectionInfo, platform: str, modelled: tuple[str, ...]) -> PlatformStatus:
    of = names.platform_name(platform)
    parts = _tables_there(session, place, of)
    synced: Mapping[str, str | None] = dict.fromkeys(modelled)
    if "streams" in parts:
        synced = dict(_rows(session, "synced_streams", None, streams=parts["streams"]))
    batch_tables = parts.keys() >= {"counter", "metrics"}
    rows = _rows(session, "streams", None, counter=parts["counter"], metrics=parts["metrics"]) if batch_tables else []
    found = {row[0]: row for row in rows}
    jobs = {number: f"pid {pid} ({name or 'a name not ours to see'})" for number, pid, name in _rows(session, "locks")}
    maps = _maps(session, place, of, parts["row_maps"]) if "row_maps" in parts else {}
    # A retired stream is worth a line only for the batches that it has.
    keys = {*found, *(key for key, status in synced.items() if status != "retired")}
    streams = (
        replace(
            _stream(key, found.get(key)),
            synced=synced.get(key),
            job=jobs.get(stream_lock(place.schema, of, key)),
            version_diff_off=maps[key].off(MapKind.VERSIONS) if key in maps else {},
            key_hash_diff_off=maps[key].off(MapKind.KEY_HASHES) if key in maps else {},
            lost_maps=tuple(maps[key].lost) if key in maps else (),
        )
        for key in sorted(keys)
    )
    return PlatformStatus(platform, place.in_full(), batch_tables, tuple(streams))


@dataclass
class _Maps:
    """The row maps of a stream, by dataset: why strategies are off, and those whose table is gone."""

    distrusted: dict[str, Mapping[MapKind, str]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def off(self, kind: MapKind) -> dict[str, str]:
        return {dataset: reasons[kind] for dataset, reasons in self.distrusted.items() if kind in reasons}


def _maps(session: Connection, place: ConnectionInfo, platform: str, row_maps: sql.Identifier) -> dict[str, _Maps]:
    lines = _rows(session, "row_maps", None, row_maps=row_maps)
    tables = {
        (key, dataset): name or names.row_map_table(platform, key.partition("#")[0], dataset)
        for key, dataset, _, name, _ in lines
    }
    rows = _rows(session, "tables_there", {"schema": place.schema, "tables": list(tables.values())})
    there = {name for (name,) in rows}
    found: dict[str, _Maps] = {}
    for key, dataset, is_made, _, distrusted in lines:
        of_stream = found.setdefault(key, _Maps())
        of_stream.distrusted[dataset] = read_distrusted(distrusted)
        if is_made and tables[key, dataset] not in there:
            of_stream.lost.append(dataset)
    return found


def _tables_there(session: Connection, place: ConnectionInfo, platform: str) -> dict[str, sql.Identifier]:
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
