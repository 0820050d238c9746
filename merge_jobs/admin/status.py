"""The state of a platform's streams for operators: the last batch, the open batch, and running jobs."""

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
from config_schema.sql.locks import stream_lock
from config_schema.stream_health import FailedRuns, SourceError, StreamReading, Verdict, judge
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.database_errors import database_failed
from merge_jobs.sql import execute
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
    """A batch that is not committed: `started`, `ingested` or `failed`; `since` is the time of its start or failure."""

    batch_id: int
    status: str
    since: datetime
    run_id: str
    error: str | None
    retryable: bool | None


@dataclass(frozen=True)
class StreamStatus:
    """A stream; `synced` is its status in the stream table, `job` the session of the job that holds it now.

    `failed` are the runs that have failed since the last success, also those without a batch.
    `version_diff_off` and `key_hash_diff_off` say, by dataset, why an audit has switched that strategy off.
    `lost_maps` are the datasets that have lost their row map: their next batch reads every row.
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
    failed: FailedRuns | None = None
    source_error: SourceError | None = None  # what stops batches, by the last look at the source
    has_left: bool = False  # neither synced nor modelled: only its batches are there

    def verdict(self, now: datetime) -> Verdict:
        """Return how the stream is, as Airflow's side judges it; how fresh its data must be only its row says."""
        reading = StreamReading(
            status="retired" if self.has_left else self.synced or "active",
            fresh_at=self.last_checked_at,
            failed=self.failed,
            source_error=self.source_error,
        )
        return judge(reading, now)


@dataclass(frozen=True)
class PlatformStatus:
    """The streams of a platform; without `batch_tables` there has never been a batch. `now` is by the store's clock."""

    platform: str
    merge_store: str
    batch_tables: bool
    streams: tuple[StreamStatus, ...]
    now: datetime

    def of_store(self, store: str | None) -> PlatformStatus:
        """Return the status with the streams of one datastore; with all of them for None."""
        of_it = (one for one in self.streams if store is None or one.key.partition("#")[0] == store)
        return replace(self, streams=tuple(of_it))

    def without_retired(self) -> PlatformStatus:
        """Return the status without the streams that are retired, unless a job is at one."""
        return replace(self, streams=tuple(one for one in self.streams if one.synced != "retired" or one.job))


def platform_status(place: ConnectionInfo, platform: str, modelled: tuple[str, ...]) -> PlatformStatus:
    """Return the streams that have batches or are synced; if nothing is synced yet, those of the model.

    Raises StreamFactoryError.
    """
    where = f"merge store {place}"
    with closing(connect(place, names.status_session(names.platform_name(platform)), where, LOCK_SECONDS)) as session:
        try:
            return _status(session, place, platform, modelled)
        except psycopg2.Error as error:
            raise database_failed(error, where) from error


def modelled_streams(ecosystem: Ecosystem) -> tuple[str, ...]:
    """Return the keys of the streams of a model's datastores."""
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
        synced = dict(_rows(session, "status.synced_streams", None, streams=parts["streams"]))
    batch_tables = parts.keys() >= {"counter", "metrics"}
    found: dict[str, tuple[Any, ...]] = {}
    if batch_tables:
        rows = _rows(session, "status.streams", None, counter=parts["counter"], metrics=parts["metrics"])
        found = {row[0]: row for row in rows}
    held = _rows(session, "status.locks")
    jobs = {number: f"pid {pid} ({name or 'a name not ours to see'})" for number, pid, name in held}
    maps = _maps(session, place, of, parts["row_maps"]) if "row_maps" in parts else {}
    failed, source_errors = _failed_runs(session, parts), _source_errors(session, parts)
    # A retired stream is worth a line only for the batches that it has.
    keys = {*found, *(key for key in (*synced, *failed) if synced.get(key) != "retired")}
    streams = (
        replace(
            _stream(key, found.get(key)),
            synced=synced.get(key),
            job=jobs.get(stream_lock(place.schema, of, key)),
            version_diff_off=maps[key].off(MapKind.VERSIONS) if key in maps else {},
            key_hash_diff_off=maps[key].off(MapKind.KEY_HASHES) if key in maps else {},
            lost_maps=tuple(maps[key].lost) if key in maps else (),
            failed=failed.get(key) or _failed_batch(found.get(key)),
            source_error=source_errors.get(key),
            has_left=key not in synced,
        )
        for key in sorted(keys)
    )
    ((now,),) = _rows(session, "run_outcomes.clock")
    return PlatformStatus(platform, place.in_full(), batch_tables, tuple(streams), now)


def _source_errors(session: Connection, parts: Mapping[str, sql.Identifier]) -> dict[str, SourceError]:
    """Return what stops the batches of streams by the last look at their sources; none before the first look."""
    if "source_checks" not in parts:
        return {}
    rows = _rows(session, "run_outcomes.source_errors", None, source_checks=parts["source_checks"])
    return {key: SourceError(at, error) for key, at, error in rows}


def _failed_runs(session: Connection, parts: Mapping[str, sql.Identifier]) -> dict[str, FailedRuns]:
    """Return the runs of each stream that have failed since its last success; none where no results are kept yet."""
    if not parts.keys() >= {"counter", "run_results"}:
        return {}
    rows = _rows(session, "run_outcomes.failed_runs", None, counter=parts["counter"], run_results=parts["run_results"])
    return {key: FailedRuns(*rest) for key, *rest in rows}


def _failed_batch(row: tuple[Any, ...] | None) -> FailedRuns | None:
    """Return the failure that a batch was left with: where an older job ran, its run left no result."""
    left = None if row is None or row[13] is None else OpenBatch(*row[13:])
    if left is None or left.status != "failed":
        return None
    return FailedRuns(1, left.since, left.since, left.error, left.retryable)


@dataclass
class _Maps:
    """The row maps of a stream, by dataset: why strategies are off, and which tables are missing."""

    distrusted: dict[str, Mapping[MapKind, str]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def off(self, kind: MapKind) -> dict[str, str]:
        return {dataset: reasons[kind] for dataset, reasons in self.distrusted.items() if kind in reasons}


def _maps(session: Connection, place: ConnectionInfo, platform: str, row_maps: sql.Identifier) -> dict[str, _Maps]:
    lines = _rows(session, "status.row_maps", None, row_maps=row_maps)
    tables = {
        (key, dataset): name or names.row_map_table(platform, key.partition("#")[0], dataset)
        for key, dataset, _, name, _ in lines
    }
    rows = _rows(session, "status.tables_there", {"schema": place.schema, "tables": list(tables.values())})
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
        "run_results": names.run_results_table(platform),
        "source_checks": names.source_checks_table(platform),
    }
    rows = _rows(session, "status.tables_there", {"schema": place.schema, "tables": list(tables.values())})
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
        execute(cursor, name, parts, values or {})
        return cursor.fetchall()
