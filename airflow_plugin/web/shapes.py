"""What the API takes and gives, as its OpenAPI description has it. Times are ISO 8601, in UTC."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from airflow_plugin.web.cards import State

Status = str  # active, paused, retired, or what a hand has made of it


class ProblemShape(BaseModel):
    """One thing wrong: at which key, what, and what to do."""

    path: str
    what: str
    todo: str
    value: str | None = None


class Error(BaseModel):
    what: str
    todo: str
    problems: list[ProblemShape] | None = None


class ErrorAnswer(BaseModel):
    error: Error


class Me(BaseModel):
    name: str
    can_create: bool


class Database(BaseModel):
    ok: bool
    what: str | None = None
    todo: str | None = None


class Snapshot(BaseModel):
    """When this machine's dag-processor last saw the stream table."""

    age_seconds: int
    accepted_at: str


class PlatformShape(BaseModel):
    platform: str
    name: str
    milestoning: str | None
    database: Database
    snapshot: Snapshot | None


class Platforms(BaseModel):
    platforms: list[PlatformShape]


class StreamCounts(BaseModel):
    """How many streams are in each state."""

    ok: int
    late: int
    failing: int
    set_aside: int
    paused: int
    retired: int
    never_run: int
    total: int


class PlatformOverview(PlatformShape):
    streams: StreamCounts


class LastRun(BaseModel):
    run_id: str
    state: str
    start: str | None
    end: str | None


class Freshness(BaseModel):
    """`met` is None where nobody said how fresh the data must be, or the stream rests."""

    age_seconds: int | None
    latency_seconds: int | None
    met: bool | None


class CountsShape(BaseModel):
    inserted: int
    updated: int
    deleted: int
    total: int


class StreamCard(BaseModel):
    """`success_rate` is of its last 25 ended runs; `counts` are of its last batch."""

    platform: str
    stream_key: str
    dag_id: str
    status: Status
    state: State
    store: str
    datasets: int
    schedule: str | None
    next_run: str | None
    can_edit: bool
    last_run: LastRun | None
    success_rate: float | None
    freshness: Freshness | None
    counts: CountsShape | None
    problem: str | None
    updated_at: str


class StreamList(BaseModel):
    total: int
    streams: list[StreamCard]


class MovedShape(BaseModel):
    """What a platform committed in one hour."""

    hour: str
    platform: str
    inserted: int
    updated: int
    deleted: int
    batches: int


class Overview(BaseModel):
    """`late`, `set_aside` and `failing` are the first of them; `moved` is the last day."""

    platforms: list[PlatformOverview]
    late: list[StreamCard]
    set_aside: list[StreamCard]
    failing: list[StreamCard]
    moved: list[MovedShape]


class StreamFreshness(Freshness):
    platform: str
    stream_key: str


class StatusList(BaseModel):
    streams: list[StreamFreshness]


Sorting = Literal["stream_key", "-stream_key", "state", "-state", "start", "-start", "age", "-age", "next", "-next"]
AnyJson = dict[str, Any]
