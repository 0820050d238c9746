"""Requests that change something, and what came of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StrictBool

from airflow_plugin.jobs.operations import MOST_KEYS, MOST_STREAMS
from airflow_plugin.web.schemas.parts import AnyJson, Fingerprint, ParseShape, SeenShape, StreamKey, printable_line


class NewStream(BaseModel):
    """A stream to create."""

    config: AnyJson


class ChangedStream(BaseModel):
    """`version` is the one that was changed: 409 if the stream is another by now."""

    config: AnyJson
    version: int


class Rollback(BaseModel):
    """The version to go back to, and the version that the user has seen."""

    to: int = Field(ge=1, le=2**63 - 1)
    version: int


class SeenDelete(BaseModel):
    """The refused delete that the user has seen: 409 of the run that approves it, if it is another by then."""

    batch: int = Field(ge=1, le=2**31 - 1)
    dataset: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(printable_line)]
    rows: int = Field(ge=1, le=2**63 - 1)


class WantedChanges(BaseModel):
    """The batch whose changes are wanted, and so many keys of each kind with their values."""

    batch: int = Field(ge=1, le=2**31 - 1)
    keys: int = Field(default=0, ge=0, le=MOST_KEYS)


class ActionBody(BaseModel):
    """`reason` and the user's name stand in the history. `refused_delete` goes with the action approve_delete.

    `changes` goes with show_changes, `confirm` with purge: the stream_key once more.
    """

    refused_delete: SeenDelete | None = None
    changes: WantedChanges | None = None
    confirm: StreamKey | None = None
    reason: Annotated[str | None, Field(min_length=1, max_length=1000), AfterValidator(printable_line)] = None


class SeeValues(BaseModel):
    """Why the user looks at values: the history says it."""

    reason: Annotated[str | None, Field(min_length=1, max_length=1000), AfterValidator(printable_line)] = None


class ActionAnswer(BaseModel):
    """`run_id` and `dag_id` of the run that was triggered, if one was; `parse` where the row was changed."""

    what: str
    parse: ParseShape | None = None
    run_id: str | None = None
    dag_id: str | None = None


class StreamsTogether(BaseModel):
    """Streams of a platform that an action is asked for, and why: the history of each of them says it."""

    stream_keys: list[StreamKey] = Field(min_length=1, max_length=500)
    reason: Annotated[str | None, Field(min_length=1, max_length=1000), AfterValidator(printable_line)] = None


class TogetherResult(BaseModel):
    """What came of an action for one stream: `is_done` as asked for, else why not and what to do."""

    stream_key: str
    is_done: bool
    what: str
    todo: str | None


class TogetherAnswer(BaseModel):
    """A result for each stream, in the order of the request; `parse` where rows were changed."""

    results: list[TogetherResult]
    parse: ParseShape | None


class PurgeTogether(BaseModel):
    """Retired streams to take away for good, as `confirm` how many these are, and why."""

    stream_keys: list[StreamKey] = Field(min_length=1, max_length=MOST_STREAMS)
    confirm: int | None = None
    reason: Annotated[str | None, Field(min_length=1, max_length=1000), AfterValidator(printable_line)] = None


class PurgeAsked(BaseModel):
    """The run that purges them, null if none can be; `results` are of those that were refused."""

    what: str
    dag_id: str | None
    run_id: str | None
    results: list[TogetherResult]


class PurgeState(BaseModel):
    """The run that purges streams, and what became of each of them that the user may see."""

    dag_id: str
    run_id: str
    state: str
    ended: bool
    results: list[TogetherResult]


class RequestState(BaseModel):
    """The run that does what was asked for; `error` is why it failed."""

    dag_id: str
    run_id: str
    state: str
    ended: bool
    error: str | None


class WantedStreams(BaseModel):
    """Streams that were changed, by stream_key, each with the fingerprint that its DAG is to have; None: no DAG.

    `ask`: Airflow is to be asked to parse their files.
    """

    streams: dict[StreamKey, Fingerprint | None] = Field(min_length=1, max_length=500)
    ask: StrictBool = False


class UnseenShape(SeenShape):
    """A stream that Airflow has not stored as it is needed."""

    stream_key: str


class UnseenStreams(BaseModel):
    """The streams that Airflow has not stored as they are needed; `parse` is None where it was not to be asked."""

    unseen: list[UnseenShape]
    parse: ParseShape | None
