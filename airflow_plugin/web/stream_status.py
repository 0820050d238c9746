"""A stream as a card: its state, and what lists show. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from airflow_plugin.health.dag_owners import clashes
from airflow_plugin.web.runs import DagFacts, DagRunRow
from airflow_plugin.web.seen import Seen, Wanted
from airflow_plugin.web.streams import StreamFacts
from config_schema import names
from config_schema.problem import Problem
from config_schema.stream_health import FailedRuns, HealthState, StreamReading, judge

State = Literal["ok", "late", "failing", "set_aside", "never_succeeded", "never_run", "paused", "retired", "unknown"]
LONGEST = 1000  # characters of a text in a list: a row that a hand has written can have any
STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True)
class Card:
    """A stream, its DAG if Airflow has one, and its current state."""

    stream: StreamFacts
    dag: DagFacts | None
    state: State
    problem: str | None
    met: bool | None
    age_seconds: int | None

    @property
    def last_run(self) -> DagRunRow | None:
        """The last run of the stream's DAG."""
        return self.dag.last_run if self.dag else None

    @property
    def next_run(self) -> datetime | None:
        """When the DAG runs next; None while it does not."""
        resting = self.dag is None or self.dag.is_paused or self.dag.is_stale or self.stream.status != "active"
        return None if resting or self.dag is None else self.dag.next_run

    @property
    def place(self) -> tuple[str, str]:
        """Return the platform and the stream_key."""
        return self.stream.platform, self.stream.stream_key

    @property
    def wanted(self) -> Wanted:
        """What the stream's row wants Airflow to have."""
        stream, problems = self.stream, (*self.stream.problems, *clash(self.stream, self.dag))
        return Wanted(stream.dag_id, stream.fingerprint, problems, stream.updated_at - stream.clock_ahead)

    def to_dict(self, can_edit: bool, success_rate: float | None, seen: Seen) -> dict[str, Any]:
        """Return the card as the API shows it."""
        stream, counts, run = self.stream, self.stream.last.counts, self.last_run
        return {
            "platform": stream.platform,
            "stream_key": stream.stream_key,
            "dag_id": stream.dag_id,
            "status": stream.status,
            "state": self.state,
            "airflow": seen.to_dict(),
            "store": stream.store[:LONGEST],
            "datasets": len(stream.datasets),
            "schedule": stream.schedule and stream.schedule[:LONGEST],
            "next_run": instant(self.next_run),
            "can_edit": can_edit,
            "last_run": run
            and {"run_id": run.run_id, "state": run.state, "start": instant(run.start), "end": instant(run.end)},
            "success_rate": success_rate,
            "freshness": self.freshness(),
            "counts": counts and dict(zip(("inserted", "updated", "deleted", "total"), counts, strict=True)),
            "problem": self.problem and self.problem[:LONGEST],
            "updated_at": instant(stream.updated_at),
        }

    def freshness(self) -> dict[str, Any] | None:
        """Return how old the data is, and whether that meets the need; None if neither is known."""
        need = self.stream.latency_seconds
        if self.stream.status == "retired" or (self.age_seconds is None and need is None):
            return None
        return {"age_seconds": self.age_seconds, "latency_seconds": need, "met": self.met}


def card(stream: StreamFacts, dag: DagFacts | None, now: datetime) -> Card:
    """Return a stream's card; its state is the worst that applies. `now` is by this machine's clock."""
    now += stream.clock_ahead
    problems = (*stream.problems, *clash(stream, dag))
    look = stream.last.look
    reading = StreamReading(
        status=stream.status,
        is_quarantined=bool(problems),
        latency_seconds=stream.latency_seconds,
        row_changed=stream.updated_at,
        fresh_at=look.at,
        failed=look.failed or (FailedRuns(dag.failed_runs) if dag and dag.failed_runs else None),
        unread=stream.unread,
        source_error=stream.source_error,
    )
    found = judge(reading, now, stream.failing_after_runs)
    problem = str(problems[0]) if found.state is HealthState.SET_ASIDE else found.what or None
    age = None if look.at is None else max(0, round((now - look.at).total_seconds()))
    met = found.late is None if stream.latency_seconds is not None and stream.status == "active" else None
    state: State = found.state.value
    return Card(stream, dag, state, problem, met, age)


def clash(stream: StreamFacts, dag: DagFacts | None) -> tuple[Problem, ...]:
    """Return the problem if a static file has the stream's DAG at present."""
    file = None if dag is None or dag.is_stale or stream.status == "retired" else dag.file
    platform = names.platform_name(stream.platform)
    return tuple(problem for _, problem in clashes(platform, [stream.stream_key], lambda _: file))


def count_states(cards: Iterable[Card]) -> dict[str, int]:
    """Return how many are in each state, and in all."""
    counted = Counter[str](one.state for one in cards)
    return {state: counted[state] for state in STATES} | {"total": counted.total()}


def instant(time: datetime | None) -> str | None:
    """Return a time in ISO 8601, in UTC."""
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")
