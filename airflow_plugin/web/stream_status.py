"""A stream as a card: its state, and what lists show of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from airflow_plugin.health.dag_owners import clashes
from airflow_plugin.health.freshness import late
from airflow_plugin.web.runs import DagFacts, DagRunRow
from airflow_plugin.web.seen import Seen, Wanted
from airflow_plugin.web.streams import StreamFacts
from config_schema import names
from config_schema.problem import Problem

State = Literal["ok", "late", "failing", "set_aside", "paused", "retired", "never_run"]
LONGEST = 1000  # characters of a text in a list: a row that a hand has written can have any
STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True)
class Card:
    """A stream, its DAG if Airflow has one, and how it stands now."""

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
    """Return a stream's card, whose state is the worst that applies. `now` is by this machine's clock."""
    now += stream.clock_ahead
    look, active = stream.last.look, stream.status == "active"
    lateness = late(stream.latency_seconds, look, stream.updated_at, now) if active else None
    run = dag.last_run if dag else None
    state: State = "ok"
    problem = None
    wrong = bool(stream.problems or clash(stream, dag))
    if stream.status in ("retired", "paused") and not (wrong and stream.status == "paused"):
        state = "retired" if stream.status == "retired" else "paused"
    elif problems := (*stream.problems, *clash(stream, dag)):
        state, problem = "set_aside", str(problems[0])
    elif (run and run.state == "failed") or look.open_status == "failed":
        state, problem = "failing", look.error or "its last run failed"
    elif lateness:
        state, problem = "late", f"late by {lateness.seconds:.0f} s"
    elif look.at is None and (run is None or run.state not in ("success", "failed")):
        state = "never_run"
    age = None if look.at is None else max(0, round((now - look.at).total_seconds()))
    met = lateness is None if stream.latency_seconds is not None and active else None
    return Card(stream, dag, state, problem, met, age)


def clash(stream: StreamFacts, dag: DagFacts | None) -> tuple[Problem, ...]:
    """Return what is wrong where a static file has the stream's DAG at present."""
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
