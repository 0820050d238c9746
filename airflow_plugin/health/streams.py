"""All streams of a platform judged: rows as the factory judges them, rows that are gone, and how fresh the data is."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from airflow_plugin.control.batch_table import LastLook
from airflow_plugin.control.unforeseen import unforeseen_in
from airflow_plugin.health.dag_owners import clashes, owners_in
from airflow_plugin.health.stored import Stored, read_stored
from airflow_plugin.operators.notifier import Notifier
from airflow_plugin.rows.evaluation import Evaluation, evaluate_streams, row_place
from airflow_plugin.rows.last_good import KnownStream, LastGood, updated_streams
from airflow_plugin.rows.last_good_file import read_snapshot
from airflow_plugin.rows.plan import DagPlan
from airflow_plugin.rows.reading import TableRow
from airflow_plugin.settings import PlatformSettings, snapshot_path
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.problem import Problem, Rule
from config_schema.result import DatasetCheck
from config_schema.stream_health import (
    HealthState,
    StreamReading,
    Verdict,
    failure,
    judge,
    lateness_in_words,
    source_in_words,
)

SNAPSHOT_IS_RENEWED = Rule("DF2601", "The dag-processor of this machine has seen the stream table recently.")
ROW_GONE_BY_HISTORY = Rule("DF2602", "The row of a stream stays in the table until its history says retired.")
DATA_IS_FRESH = Rule("DF2603", "A stream's data is not older than its `latency_seconds`.")
RUNS_SUCCEED = Rule("DF2605", "The runs of a stream succeed.")
SOURCE_IS_READABLE = Rule("DF2607", "The source of a stream can be read as the model says, by the last look at it.")
STREAM_IS_JUDGED = Rule("DF2606", "All that a stream is judged by can be read.")

NAMED_CHECKS = 5  # in a line about a stream
SNAPSHOT_SECONDS = 600  # a dag-processor at work sees the table every half minute

log = logging.getLogger(__name__)


class StreamProblem(NamedTuple):
    """Something wrong with a stream, or with the platform as a whole where `stream_key` is empty."""

    stream_key: str
    problem: Problem

    def __str__(self) -> str:
        return str(self.problem)


@dataclass(frozen=True)
class Age:
    """How many seconds ago a stream's merge table was last seen to be equal to its source, and how late that is."""

    seconds: float
    late_seconds: float


@dataclass(frozen=True)
class Health:
    """Everything that is wrong, by stream, and one line on what is fine; of active streams how old their data is.

    `verdicts` are of all streams that are not retired. A stream that never had a batch has no age.
    """

    problems: tuple[StreamProblem, ...]
    fine: str
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    needs: Mapping[str, int] = field(default_factory=dict)  # seconds, of streams whose consumers need a latency
    ages: Mapping[str, Age] = field(default_factory=dict)
    warnings: Mapping[str, tuple[DatasetCheck, ...]] = field(default_factory=dict)  # of severity `warn`
    notifiers: Mapping[str, Notifier] = field(default_factory=dict)  # who is notified of a stream
    at: datetime | None = None  # by the merge store's clock

    @property
    def streams(self) -> list[str]:
        """The streams with problems."""
        return sorted({found.stream_key for found in self.problems if found.stream_key})

    def count(self, state: HealthState) -> int:
        """Return how many streams are in a state."""
        return sum(one.state is state for one in self.verdicts.values())

    @property
    def quality_warnings(self) -> list[str]:
        """The streams of which quality checks are broken, a line for each."""
        return [f"{key} has {quality_warning(broken)}" for key, broken in sorted(self.warnings.items())]

    @property
    def late(self) -> int:
        """The number of late streams, including those that are reported for something worse."""
        return sum(one.late is not None for one in self.verdicts.values())


def quality_warning(broken: Sequence[DatasetCheck]) -> str:
    """Return in words which checks of severity `warn` the last run found broken."""
    checks = "check is" if len(broken) == 1 else "checks are"
    named = "; ".join(map(str, broken[:NAMED_CHECKS]))
    more = f"; and {len(broken) - NAMED_CHECKS} more" if len(broken) > NAMED_CHECKS else ""
    return f"a quality warning: {len(broken)} {checks} broken by its last batch: {named}{more}"


def platform_health(settings: PlatformSettings, dsn: tuple[str, str] | None = None, dags: Path | None = None) -> Health:
    """Judge the streams as they are now. Raises StreamFactoryError if the merge store cannot be read.

    `dsn` is the DSN and where it is from, if it is not to be the factory's; `dags` is Airflow's dags folder, where it
    is to be looked through for static files with the DAG id of a stream.
    """
    with unforeseen_in(names.stream_table(settings.platform_name)):
        stored = read_stored(settings, dsn)
        found = judged(settings, stored, stored.now or datetime.now(UTC))
        if dags is None:
            return found
        active = [row.stream_key for row in stored.rows if row.status != "retired"]
        same_id = clashes(settings.platform_name, active, owners_in(dags, settings.platform_name).get)
        taken = [StreamProblem(key, problem) for key, problem in same_id]
        return replace(found, problems=tuple(sorted((*found.problems, *taken))))


def judged(settings: PlatformSettings, stored: Stored, now: datetime) -> Health:
    """Judge what was read, by the snapshot of this machine's dag-processor too, where there is one."""
    path = snapshot_path(settings.platform_name)
    try:
        snapshot = read_snapshot(path, settings.platform_name)
    except StreamFactoryError as error:
        log.warning("The last-good snapshot on this machine is not looked at: %s", error)
        snapshot = None
    return health(settings, stored, snapshot, now)


def health(settings: PlatformSettings, stored: Stored, snapshot: LastGood | None, now: datetime) -> Health:
    """Judge what was read; without a snapshot of the dag-processor here, only the history shows rows that are gone."""
    rows = [TableRow(row.stream_key, row.status, row.config_json) for row in stored.rows]
    streams = updated_streams(snapshot.streams if snapshot else {}, rows)
    if snapshot is None:
        streams |= {key: KnownStream(key, None) for key in stored.gone}
    found: Evaluation[DagPlan] = evaluate_streams(streams.values(), settings, lambda plan: plan)
    in_row = {key: found_in_row.problems for key, found_in_row in found.quarantined.items()}
    if snapshot is None:
        in_row |= {key: (_gone_by_history(settings, key),) for key in stored.gone}
    verdicts = _verdicts(settings, stored, found, in_row.keys(), now)
    problems = [
        *(StreamProblem("", problem) for problem in snapshot_problems(settings, snapshot)),
        *(StreamProblem(key, problem) for key, of_stream in in_row.items() for problem in of_stream),
        *(one for key, verdict in verdicts.items() for one in _problems(settings, key, verdict, stored.look(key))),
    ]
    ages = {
        key: Age(max(0.0, (now - look.at).total_seconds()), verdict.late.seconds if verdict.late else 0.0)
        for key, verdict in verdicts.items()
        if (look := stored.look(key)).at is not None and _is_active(found.streams[key])
    }
    needs = {key: need for key, stream in found.streams.items() if (need := _need(stream)) is not None}
    warnings = {key: broken for key in verdicts if (broken := stored.look(key).warnings)}
    return Health(
        tuple(sorted(problems)),
        _fine(verdicts, needs),
        verdicts,
        needs,
        ages,
        warnings,
        notifiers=_notifiers(settings, found),
        at=now,
    )


def _notifiers(settings: PlatformSettings, found: Evaluation[DagPlan]) -> dict[str, Notifier]:
    plans = {key: found.made.get(names.dag_id(settings.platform_name, key)) for key in found.streams}
    return {key: plan.notifier for key, plan in plans.items() if plan is not None and plan.notifier is not None}


def _verdicts(
    settings: PlatformSettings,
    stored: Stored,
    found: Evaluation[DagPlan],
    quarantined: Collection[str],
    now: datetime,
) -> dict[str, Verdict]:
    changed = {row.stream_key: row.updated_at for row in stored.rows}
    verdicts = {}
    for key, stream in found.streams.items():
        look, row = stored.look(key), stream.good or stream.row
        reading = StreamReading(
            status=row.status if row else "active",
            is_quarantined=key in quarantined,
            latency_seconds=_need(stream),
            row_changed=changed.get(key),
            fresh_at=look.at,
            failed=look.failed,
            unread=stored.unread,
            source_error=stored.source_errors.get(key),
        )
        verdicts[key] = judge(reading, now, settings.failing_after_runs)
    return verdicts


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


def _need(stream: KnownStream) -> int | None:
    """Return how fresh a stream's data must be, by the row that its DAG uses."""
    if stream.good is None:
        return None
    need: int | None = json.loads(stream.good.config_json).get("latency_seconds")
    return need


def _problems(settings: PlatformSettings, key: str, found: Verdict, look: LastLook) -> Iterator[StreamProblem]:
    """Yield what is wrong with a stream beside its row."""
    where, dag_id = row_place(settings.platform_name, key), names.dag_id(settings.platform_name, key)
    if found.failed is not None:
        todo = f"Correct that, then trigger {dag_id}"
        yield StreamProblem(key, RUNS_SUCCEED.problem(where, "", failure(found.failed, look.at), todo))
    if found.source_error is not None:
        todo = f"Correct that, then test the connection again, or trigger {dag_id}"
        yield StreamProblem(key, SOURCE_IS_READABLE.problem(where, "", source_in_words(found.source_error), todo))
    if found.late is not None:
        what = lateness_in_words(found.late)
        if look.open_batch is not None:
            what += f"; batch {look.open_batch} is {look.open_status}{f' ({look.error})' if look.error else ''}"
        todo = f"Look at the runs of {dag_id}, and whether it is paused in Airflow"
        yield StreamProblem(key, DATA_IS_FRESH.problem(where, "latency_seconds", what, todo))
    if found.state is HealthState.UNKNOWN:
        yield StreamProblem(key, STREAM_IS_JUDGED.problem(where, "", found.what, "Run dagfactory doctor"))


def _is_active(stream: KnownStream) -> bool:
    return stream.good is not None and stream.good.status == "active"


def _fine(verdicts: Mapping[str, Verdict], needs: Collection[str]) -> str:
    fine = [key for key, verdict in verdicts.items() if not verdict.state.is_problem]
    active = [key for key in fine if verdicts[key].state is not HealthState.PAUSED]
    never = sum(verdicts[key].state is HealthState.NEVER_RUN for key in active)
    watched = sum(key in needs for key in active)
    return (
        f"{len(fine)} of {len(verdicts)} streams are fine: {len(active)} active, {len(fine) - len(active)} paused; "
        f"{watched} of them have a latency need, and meet it{f'; {never} have never run' if never else ''}"
    )
