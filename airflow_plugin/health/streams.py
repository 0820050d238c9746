"""All streams of a platform judged: rows as the factory judges them, rows that are gone, and how fresh the data is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from airflow_plugin.control.batch_table import BatchTables, LastLook
from airflow_plugin.control.session import control_session
from airflow_plugin.control.stream_table import StreamRow, StreamTable
from airflow_plugin.health.dag_owners import clashes, owners_in
from airflow_plugin.health.freshness import Age, Late, late
from airflow_plugin.rows.evaluation import Evaluation, evaluate_streams, row_place
from airflow_plugin.rows.last_good import KnownStream, LastGood, updated_streams
from airflow_plugin.rows.last_good_file import read_snapshot
from airflow_plugin.rows.plan import DagPlan
from airflow_plugin.rows.reading import TableRow
from airflow_plugin.settings import PlatformSettings, merge_store_dsn, snapshot_path
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.problem import Problem, Rule

SNAPSHOT_IS_RENEWED = Rule("DF2601", "The dag-processor of this machine has seen the stream table recently.")
ROW_GONE_BY_HISTORY = Rule("DF2602", "The row of a stream stays in the table until its history says retired.")
DATA_IS_FRESH = Rule("DF2603", "A stream's data is not older than its `latency_seconds`.")

STATEMENT_SECONDS = 30
SNAPSHOT_SECONDS = 600  # a dag-processor at work sees the table every half minute

log = logging.getLogger(__name__)


class StreamProblem(NamedTuple):
    """Something wrong with a stream, or with the platform as a whole where `stream_key` is empty."""

    stream_key: str
    problem: Problem

    def __str__(self) -> str:
        return str(self.problem)


class Stored(NamedTuple):
    """What the merge store says: all rows, the streams that left without having been retired, and the last looks.

    `now` is the time by its clock.
    """

    rows: list[StreamRow]
    gone: list[str]
    looks: Mapping[str, LastLook]
    now: datetime | None = None


@dataclass(frozen=True)
class Health:
    """Everything that is wrong, by stream, and one line on what is fine; of active streams how old their data is.

    A stream that never had a batch has no age.
    """

    problems: tuple[StreamProblem, ...]
    fine: str
    known: int = 0  # streams that are not retired
    late: int = 0
    ages: Mapping[str, Age] = field(default_factory=dict)

    @property
    def streams(self) -> list[str]:
        """The streams with problems."""
        return sorted({found.stream_key for found in self.problems if found.stream_key})


def platform_health(settings: PlatformSettings, dsn: tuple[str, str] | None = None, dags: Path | None = None) -> Health:
    """Judge the streams as they are now. Raises StreamFactoryError if the merge store cannot be read.

    `dsn` is the DSN and where it is from, if it is not to be the factory's; `dags` is Airflow's dags folder, where it
    is to be looked through for static files with the DAG id of a stream.
    """
    path = snapshot_path(settings.platform_name)
    try:
        snapshot = read_snapshot(path, settings.platform_name)
    except StreamFactoryError as error:
        log.warning("The last-good snapshot on this machine is not looked at: %s", error)
        snapshot = None
    stored = read_stored(settings, dsn)
    found = health(settings, stored, snapshot, stored.now or datetime.now(UTC))
    if dags is None:
        return found
    active = [row.stream_key for row in stored.rows if row.status != "retired"]
    same_id = clashes(settings.platform_name, active, owners_in(dags, settings.platform_name).get)
    taken = [StreamProblem(key, problem) for key, problem in same_id]
    return replace(found, problems=tuple(sorted((*found.problems, *taken))))


def read_stored(settings: PlatformSettings, dsn: tuple[str, str] | None = None) -> Stored:
    """Return what the merge store has of the platform's streams.

    Raises StreamFactoryError: no DSN, no connection, no table, no answer in time.
    """
    platform, schema = settings.platform_name, settings.merge_store_schema
    text, where = dsn or merge_store_dsn(platform)
    with control_session(text, where, platform, schema, readonly=True) as session:
        session.execute("SET LOCAL statement_timeout = %(time)s", {"time": f"{STATEMENT_SECONDS}s"}, where=where)
        table, batches = StreamTable(session), BatchTables(session)
        rows = table.select(retired=True)
        keys = [row.stream_key for row in rows if row.status != "retired"]
        return Stored(rows, table.gone_streams(), batches.last_looks(keys), batches.clock())


def health(settings: PlatformSettings, stored: Stored, snapshot: LastGood | None, now: datetime) -> Health:
    """Judge what was read; without the snapshot of this machine's dag-processor only the history tells what is gone."""
    rows = [TableRow(row.stream_key, row.status, row.config_json) for row in stored.rows]
    streams = updated_streams(snapshot.streams if snapshot else {}, rows)
    if snapshot is None:
        streams |= {key: KnownStream(key, None) for key in stored.gone}
    found: Evaluation[DagPlan] = evaluate_streams(streams.values(), settings, lambda plan: plan)
    changed = {row.stream_key: row.updated_at for row in stored.rows}
    lates = {
        key: lateness
        for key, stream in found.streams.items()
        if (lateness := late(_latency(stream), stored.looks.get(key, LastLook()), changed.get(key), now))
    }
    same_id = {key: found_in_row.problems for key, found_in_row in found.quarantined.items()}
    if snapshot is None:
        same_id |= {key: (_gone_by_history(settings, key),) for key in stored.gone}
    problems = [
        *(StreamProblem("", problem) for problem in snapshot_problems(settings, snapshot)),
        *(StreamProblem(key, problem) for key, of_stream in same_id.items() for problem in of_stream),
        *(_too_late(settings, key, one, stored.looks.get(key, LastLook())) for key, one in lates.items()),
    ]
    ages = {
        key: Age(max(0.0, (now - look.at).total_seconds()), lates[key].seconds if key in lates else 0.0)
        for key, look in stored.looks.items()
        if look.at is not None and _is_active(found.streams.get(key))
    }
    return Health(tuple(sorted(problems)), _fine(found, lates), len(found.streams), len(lates), ages)


def snapshot_problems(settings: PlatformSettings, snapshot: LastGood | None) -> Iterator[Problem]:
    """Return what is wrong with a snapshot that is not renewed: then the dag-processor does not see the table."""
    if snapshot is None:
        return
    allowed = SNAPSHOT_SECONDS + settings.cache_ttl
    if snapshot.ahead > allowed:
        what = f"its time is {snapshot.ahead:.0f} s ahead of this machine's clock, so that its age is not known"
    elif snapshot.age > allowed:
        what = f"the stream table was last seen {snapshot.age:.0f} s ago by the dag-processor of this machine"
    else:
        return
    todo = "Look at its log; if there is none here any more, remove the file"
    yield SNAPSHOT_IS_RENEWED.problem(str(snapshot_path(settings.platform_name)), "", what, todo)


def _gone_by_history(settings: PlatformSettings, key: str) -> Problem:
    """Return the problem of a row that is missing by its history, which `last-good --forget` does not change."""
    what = "the row is gone, though by the history its stream was never retired"
    todo = "Bring the row back (dagfactory sync), or retire the stream by a row with the status retired"
    return ROW_GONE_BY_HISTORY.problem(row_place(settings.platform_name, key), "", what, todo)


def _latency(stream: KnownStream) -> int | None:
    """Return how fresh an active stream's data must be, by the row that its DAG uses."""
    if stream.good is None or stream.good.status != "active":
        return None
    need: int | None = json.loads(stream.good.config_json).get("latency_seconds")
    return need


def _too_late(settings: PlatformSettings, key: str, one: Late, look: LastLook) -> StreamProblem:
    since = f"{one.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    seen = f"it has never been ingested, and its row is of {since}" if one.never else f"nothing since {since}"
    what = f"late by {one.seconds:.0f} s: {seen}"
    if look.open_batch is not None:
        what += f"; batch {look.open_batch} is {look.open_status}{f' ({look.error})' if look.error else ''}"
    dag_id = names.dag_id(settings.platform_name, key)
    where = row_place(settings.platform_name, key)
    todo = f"Look at the runs of {dag_id}, and whether it is paused in Airflow"
    return StreamProblem(key, DATA_IS_FRESH.problem(where, "latency_seconds", what, todo))


def _is_active(stream: KnownStream | None) -> bool:
    return stream is not None and stream.good is not None and stream.good.status == "active"


def _fine(found: Evaluation[DagPlan], lates: Mapping[str, Late]) -> str:
    fine = [one for key, one in found.streams.items() if key not in found.quarantined and key not in lates]
    active = sum(one.good is not None and one.good.status == "active" for one in fine)
    watched = sum(_latency(one) is not None for one in fine)
    return (
        f"{len(fine)} of {len(found.streams)} streams are fine: {active} active, {len(fine) - active} paused; "
        f"{watched} of them have a latency need, and meet it"
    )
