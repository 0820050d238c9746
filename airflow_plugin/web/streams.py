"""A platform's streams as lists show them: read at most once a second, evaluated once per version of the table."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from airflow_plugin.control.batch_table import BatchTables
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.source_checks import SourceChecks
from airflow_plugin.control.unforeseen import unforeseen_in
from airflow_plugin.health.stored import failed_runs
from airflow_plugin.rows.evaluation import evaluate_streams, row_place
from airflow_plugin.rows.fingerprint import fingerprint_of_doc
from airflow_plugin.rows.last_good import KnownStream, Row
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.sync.diff import parsed
from airflow_plugin.web.pool import read
from airflow_plugin.web.queries import (
    MOST_CONFIGS,
    NO_BATCH,
    LastBatchRow,
    StoredRow,
    last_batches,
    stored_rows,
)
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.problem import Problem, Rule
from config_schema.stream_health import FAILING_AFTER_RUNS, FailedRuns, SourceError

CONFIG_IS_READ = Rule("DF4104", "A config is short enough that lists of streams can read it.")

FRESH_SECONDS = 1.5
LONGEST_LATENCY = 31_536_000  # seconds, as the schema of rows has it


@dataclass(frozen=True)
class StreamFacts:
    """The content of a row, as far as it can be read, and its problems."""

    platform: str  # yellowlive
    stream_key: str
    dag_id: str
    status: str
    updated_at: datetime
    store: str
    milestoning: str
    credential: str | None  # the secret for its source
    datasets: tuple[str, ...]
    schedule: str | None
    latency_seconds: int | None
    problems: tuple[Problem, ...]
    last: LastBatchRow
    fingerprint: str | None = None  # of its DAG, as the row wants it; None where it wants none, or is quarantined
    clock_ahead: timedelta = timedelta(0)  # the merge store's clock, which wrote all times, over this machine's
    failing_after_runs: int = FAILING_AFTER_RUNS
    unread: str = ""  # what could not be read of it
    source_error: SourceError | None = None  # what stops its batches, by the last look at its source


@dataclass
class Streams:
    """The streams of one platform in this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    read_at: float = 0.0
    token: str = ""
    settings: PlatformSettings | None = None
    facts: Mapping[str, StreamFacts] = field(default_factory=dict)
    trouble: StreamFactoryError | None = None


def streams_of(settings: PlatformSettings) -> Mapping[str, StreamFacts]:
    """Return the streams by stream_key, retired ones too, at most seconds old. Raises StreamFactoryError."""
    known = _known(settings.platform_name)
    with known.lock:
        if known.settings != settings:
            known.settings, known.token, known.read_at = settings, "", 0.0
        if time.monotonic() - known.read_at > FRESH_SECONDS:
            known.trouble = None
            try:
                with unforeseen_in(names.stream_table(settings.platform_name)):
                    _refresh(known, settings)
            except StreamFactoryError as error:
                known.trouble = error  # also for those who wait for it now, or they would fail one after the other
            known.read_at = time.monotonic()
        if known.trouble is not None:
            raise known.trouble
        return known.facts


def forget(settings: PlatformSettings) -> None:
    """Read them again for the next request, because this one has changed them."""
    known = _known(settings.platform_name)
    with known.lock:  # whoever reads them now may have begun before the change
        known.read_at = 0.0


def _refresh(known: Streams, settings: PlatformSettings) -> None:
    found = read(settings, lambda session: _read(session, known.token))
    changed = found.token != known.token
    facts = _judged(settings, found.rows) if changed else known.facts
    times = {row.stream_key: row.updated_at for row in found.rows}
    known.facts = {
        key: replace(
            one,
            last=found.last(key),
            updated_at=times[key],
            clock_ahead=found.clock_ahead,
            unread=found.unread,
            source_error=found.source_errors.get(key),
        )
        for key, one in facts.items()
    }
    known.token = found.token


class _Found(NamedTuple):
    """What was read of a merge store; `unread` is why nobody knows which runs have failed."""

    token: str
    rows: tuple[StoredRow, ...]
    batches: Mapping[str, LastBatchRow]
    clock_ahead: timedelta
    failed: Mapping[str, FailedRuns]
    unread: str
    source_errors: Mapping[str, SourceError]

    def last(self, key: str) -> LastBatchRow:
        """Return how a stream stands."""
        last = self.batches.get(key, NO_BATCH)
        failed = self.failed.get(key)
        return last if failed is None else replace(last, look=replace(last.look, failed_runs=failed))


def _read(session: ControlSession, known_token: str) -> _Found:
    batches = BatchTables(session)
    found = *stored_rows(session, known_token), last_batches(session), batches.clock() - datetime.now(UTC)
    return _Found(*found, *failed_runs(batches), SourceChecks(session).errors())


def _judged(settings: PlatformSettings, rows: tuple[StoredRow, ...]) -> dict[str, StreamFacts]:
    active = [row for row in rows if row.status != "retired"]
    streams = [
        KnownStream(row.stream_key, Row(row.status, row.config_json)) for row in active if row.config_json is not None
    ]
    judged = evaluate_streams(streams, settings, lambda plan: fingerprint_of_doc(plan.doc))
    problems = {key: of.problems for key, of in judged.quarantined.items()}
    problems |= {row.stream_key: (_not_read(settings, row),) for row in active if row.config_json is None}
    facts = (_facts(settings, row, problems.get(row.stream_key, ())) for row in rows)
    return {
        one.stream_key: one if one.problems else replace(one, fingerprint=judged.made.get(one.dag_id)) for one in facts
    }


def _not_read(settings: PlatformSettings, row: StoredRow) -> Problem:
    what = f"its config is among the longest of more than {MOST_CONFIGS >> 20} MB of configs, and lists do not read it"
    todo = "Look for configs that are too long: a usual one has 2 KB"
    return CONFIG_IS_READ.problem(row_place(settings.platform_name, row.stream_key), "", what, todo)


def _facts(settings: PlatformSettings, row: StoredRow, problems: tuple[Problem, ...]) -> StreamFacts:
    config = parsed(row.config_json or "")
    schedule, assets, datasets = config.get("schedule"), config.get("schedule_assets"), config.get("datasets")
    store, credential = (config.get(key) for key in ("store_name", "source_credential_secret_name"))
    if schedule is None and isinstance(assets, list) and assets:
        schedule = "assets: " + ", ".join(map(str, assets))
    return StreamFacts(
        platform=settings.platform_name,
        stream_key=row.stream_key,
        dag_id=names.dag_id(settings.platform_name, row.stream_key),
        status=row.status,
        updated_at=row.updated_at,
        store=_storable(store) if isinstance(store, str) else row.stream_key.partition("#")[0],
        milestoning=str(config.get("milestoning", "live")),
        credential=_storable(credential) if isinstance(credential, str) else None,
        datasets=tuple(_storable(str(one)) for one in datasets) if isinstance(datasets, list) else (),
        schedule=schedule if isinstance(schedule, str) else None,
        latency_seconds=_latency(config.get("latency_seconds")),
        problems=problems,
        last=NO_BATCH,
        failing_after_runs=settings.failing_after_runs,
    )


def _storable(text: str) -> str:
    """Return a text of a row as a database can be asked for it: a row's JSON may have characters that none takes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _latency(need: object) -> int | None:
    """Return the latency that a row demands, if it is one: no sum of times holds what a row may say."""
    return need if isinstance(need, int) and need is not True and 0 < need <= LONGEST_LATENCY else None


@cache
def _known(platform: str) -> Streams:
    return Streams()
