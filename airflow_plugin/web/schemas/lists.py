"""Who asks, platforms, the overview, and lists of streams."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from airflow_plugin.web.schemas.parts import CountsShape, Freshness, LastRun, SeenShape, Status
from airflow_plugin.web.stream_status import State


class Me(BaseModel):
    """The user of a request."""

    name: str
    can_create: bool


class DatabaseShape(BaseModel):
    """Whether a platform's merge store answers."""

    ok: bool
    what: str | None = None
    todo: str | None = None
    code: str | None = None


class SnapshotShape(BaseModel):
    """When this machine's dag-processor last saw the stream table."""

    age_seconds: int
    accepted_at: str


class PlatformShape(BaseModel):
    """A platform."""

    platform: str
    name: str
    milestoning: str | None
    database: DatabaseShape
    snapshot: SnapshotShape | None


class Platforms(BaseModel):
    """The platforms of which the user may see anything."""

    platforms: list[PlatformShape]


class StreamCounts(BaseModel):
    """How many streams are in each state."""

    ok: int
    late: int
    failing: int
    set_aside: int
    never_succeeded: int
    never_run: int
    paused: int
    retired: int
    unknown: int
    total: int


class PlatformOverview(PlatformShape):
    """A platform with the states of its streams; None: its merge store cannot be read, so that nobody knows."""

    streams: StreamCounts | None


class StreamCard(BaseModel):
    """`success_rate` is of its last 25 ended runs; `counts` are of its last batch."""

    platform: str
    stream_key: str
    dag_id: str
    status: Status
    state: State
    airflow: SeenShape
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
    """`next`: the offset of the next page, None where this is the last one.

    `unknown`: the platforms whose merge stores cannot be read; none of their streams is counted.
    """

    unknown: list[str]
    total: int
    next: int | None
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
    """Of the streams in each state that needs attention the first; `moved` is the last day."""

    platforms: list[PlatformOverview]
    late: list[StreamCard]
    set_aside: list[StreamCard]
    failing: list[StreamCard]
    never_succeeded: list[StreamCard]
    unknown: list[StreamCard]
    moved: list[MovedShape]


class StreamFreshness(Freshness):
    """How fresh a stream is."""

    platform: str
    stream_key: str
    state: State


class StatusList(BaseModel):
    """`next`: the offset of the next page, None where this is the last one.

    `unknown`: the platforms whose merge stores cannot be read; none of their streams is counted.
    """

    unknown: list[str]
    total: int
    next: int | None
    streams: list[StreamFreshness]


Sorting = Literal["stream_key", "-stream_key", "state", "-state", "start", "-start", "age", "-age", "next", "-next"]
