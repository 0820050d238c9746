"""What the API takes and gives, as its OpenAPI description has it. Times are ISO 8601, in UTC."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StrictBool

from airflow_plugin.web.seen import SeenState
from airflow_plugin.web.stream_status import State

AnyJson = dict[str, Any]
StreamKey = Annotated[str, Field(max_length=255)]
Fingerprint = Annotated[str, Field(max_length=40)]  # as airflow_plugin/rows/fingerprint.py makes them
Status = str  # active, paused, retired, or what a hand has made of it


class ProblemShape(BaseModel):
    """One thing wrong: at which key, what, and what to do."""

    path: str
    what: str
    todo: str
    value: str | None = None
    code: str | None = None


class Error(BaseModel):
    """What errors were before they became problem details; it goes with the next release."""

    what: str
    todo: str
    problems: list[ProblemShape] | None = None


class ErrorAnswer(BaseModel):
    """Problem details (RFC 9457), and beside them `code`, where, what to do, and what is wrong with a config."""

    type: str = Field(description="Names the kind of error; it is no address.")
    title: str = Field(description="When such an error comes: the same for every error of a code.")
    status: int
    detail: str = Field(description="What is wrong.")
    code: str = Field(description="The error's code, which never changes: DF4007. docs/reference/errors.md has all.")
    where: str = Field(description="What the error is of; empty where the request says it.")
    todo: str
    problems: list[ProblemShape] | None = None
    error: Error = Field(deprecated=True)


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


class LastRun(BaseModel):
    """The last run of a stream's DAG."""

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
    """Counts of keys."""

    inserted: int
    updated: int
    deleted: int
    total: int


class SeenShape(BaseModel):
    """Whether Airflow has stored what a row says, or why not: `waiting` ends by itself, `blocked` does not."""

    state: SeenState
    what: str | None
    todo: str | None


class ParseShape(BaseModel):
    """The files that Airflow is asked to parse after a change; `note`: why it is not asked, or not for all."""

    files: list[str]
    note: str | None


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


class SourceShape(BaseModel):
    """`host` is None where the row leaves open which of the platform's sources it is."""

    store: str
    host: str | None
    credential: str | None
    tables: list[str]


class ViewShape(BaseModel):
    """`reads` are merge tables; a view that somebody else has built is of no workspace and no group."""

    workspace: str | None
    group: str | None
    schema_: str = Field(alias="schema")
    name: str
    reads: list[str]


class Lineage(BaseModel):
    """`consumers` are workspaces and their groups; both are None, unknown, where views are in another database."""

    source: SourceShape
    merge_tables: list[str]
    views: list[ViewShape] | None
    consumers: list[str] | None


class ProgressShape(BaseModel):
    """What a running job is at: a phase, since when, and how many pieces of a `kind` are done, of how many.

    `expected` and `bytes_expected` are estimates, `per_second` is of the phase.
    """

    run_id: str
    since: str
    phase: str
    phase_since: str
    dataset: str | None
    kind: str | None
    done: int | None
    expected: int | None
    bytes: int | None
    bytes_expected: int | None
    per_second: float | None
    seen_at: str


class CheckShape(BaseModel):
    """What a quality check found: how many rows break it, never which. Of a `row_count` 1 if it is broken."""

    dataset: str
    check: str
    kind: str
    severity: str
    violations: int


class RefusedDeleteShape(BaseModel):
    """What the open batch would delete, for which it was refused; and who has approved it, and until when."""

    batch_id: int
    dataset: str
    rows: int
    before: int
    max_delete_fraction: float
    approved_by: str | None
    approved_until: str | None


class StreamDetail(StreamCard):
    """`config_text` is set where a hand has made the config no JSON object, `parse` in the answer to a change.

    `progress` is of the jobs that are running, `actions` are those that can work on the stream as it is now.
    `quality_warnings` are the quality checks of severity `warn` that the last run found broken.
    """

    config: AnyJson
    config_text: str | None
    version: int
    by_hand: bool
    problems: list[ProblemShape]
    lineage: Lineage
    progress: list[ProgressShape]
    quality_warnings: list[CheckShape]
    refused_delete: RefusedDeleteShape | None
    actions: list[str]
    parse: ParseShape | None


class ModelledStoreShape(BaseModel):
    """A datastore as far as a platform ingests it; `credential` is null for one that needs no login."""

    name: str
    single_dataset: bool
    datasets: list[str]
    credential: str | None


class Catalogue(BaseModel):
    """The datastores that streams of a platform can be made of; null: nobody knows. `more`: there are others too."""

    stores: list[ModelledStoreShape] | None
    more: bool


class SourceFindingShape(BaseModel):
    """What was found at a source: what stops a batch (`error`), what may stop one (`warning`), or a `note`.

    `dataset` is empty for what concerns all of the source.
    """

    level: Literal["error", "warning", "note"]
    dataset: str
    what: str
    todo: str
    code: str


class SourceDatasetShape(BaseModel):
    """A dataset that can be read: the strategy of its next batches, and why not a cheaper one.

    `columns` are names and types of the source's columns, as far as there was room for them.
    """

    name: str
    table: str
    strategy: str
    why: str
    columns: list[tuple[str, str]]


class SourceLook(BaseModel):
    """The last look at a stream's source; `left_out` is how many findings more there were than are kept."""

    checked_at: str | None
    source: str | None
    findings: list[SourceFindingShape]
    datasets: list[SourceDatasetShape]
    left_out: int


class SchemaColumn(BaseModel):
    """A column: its type by the model, in the source, and in the merge table; null: it is not there, or unknown."""

    name: str
    type: str | None
    is_key: bool
    nullable: bool | None
    classification: str | None
    source_type: str | None
    merge_type: str | None


class SchemaConsumer(BaseModel):
    """A dataset group that gets a dataset; `masked` are the columns that are NULL in its views."""

    workspace: str
    group: str
    masked: list[str]


class SchemaDataset(BaseModel):
    """A dataset of a stream; `consumers` is null where nobody knows them."""

    name: str
    source_table: str | None
    merge_table: str
    columns: list[SchemaColumn]
    consumers: list[SchemaConsumer] | None


class StreamSchema(BaseModel):
    """The datasets of a stream; `is_modelled`: the synced model is known. `left_out` had no room in the answer."""

    is_modelled: bool
    source_seen_at: str | None
    datasets: list[SchemaDataset]
    left_out: int


class HistoryVersion(BaseModel):
    """A change of a stream's row, or something that was asked for; `reason` as whoever did it gave one."""

    version: int
    at: str
    by: str
    action: str
    reason: str | None
    status: Status
    config: AnyJson


class History(BaseModel):
    """`more`: there are older versions than these."""

    more: bool
    versions: list[HistoryVersion]


class ChangeShape(BaseModel):
    """A key of the config, or `status`; None: not set."""

    path: str
    before: Any
    after: Any


class Diff(BaseModel):
    """The keys that differ between two versions."""

    changes: list[ChangeShape]


class DatasetShape(CountsShape):
    """What a run did for a dataset."""

    name: str
    unchanged: int
    strategy: str
    why: str
    seconds: float


class BatchShape(BaseModel):
    """A batch of a stream. `quality` has the checks of a batch that failed for them too."""

    batch_id: int
    state: str
    start: str
    end: str | None
    seconds: float | None
    rows_per_second: float | None
    inserted: int | None
    updated: int | None
    deleted: int | None
    total: int | None
    strategy: str | None
    run_id: str
    error: str | None
    said: str | None
    datasets: list[DatasetShape]
    quality: list[CheckShape]


class Batches(BaseModel):
    """A page of batches."""

    batches: list[BatchShape]


class RunError(BaseModel):
    """Why a run failed; of one that still runs, why its last try did."""

    what: str
    todo: str


class RunShape(BaseModel):
    """A run of a stream's DAG."""

    platform: str
    stream_key: str
    dag_id: str
    run_id: str
    state: str
    start: str | None
    end: str | None
    seconds: float | None
    run_type: str
    result: Literal["done", "keep_working", "error"] | None
    counts: CountsShape | None
    error: RunError | None


class Runs(BaseModel):
    """`next`: the offset of the next page, None where this is the last one."""

    total: int
    next: int | None
    runs: list[RunShape]


class RunDetail(RunShape):
    """A run, with its datasets and batches; `progress` while its job says what it is at."""

    result_code: int | None
    progress: ProgressShape | None
    datasets: list[DatasetShape]
    quality: list[CheckShape]
    log_url: str
    batches: list[BatchShape]


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


def _line(text: str | None) -> str | None:
    if text is not None and not (text.isprintable() and text.strip()):
        raise ValueError("it is no line of printable characters")
    return text


class SeenDelete(BaseModel):
    """The refused delete that the user has seen: 409 of the run that approves it, if it is another by then."""

    batch: int = Field(ge=1, le=2**31 - 1)
    dataset: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_line)]
    rows: int = Field(ge=1, le=2**63 - 1)


class ActionBody(BaseModel):
    """`reason` and the user's name stand in the history. `refused_delete` goes with the action approve_delete.

    `confirm` goes with purge: the stream_key once more.
    """

    refused_delete: SeenDelete | None = None
    confirm: StreamKey | None = None
    reason: Annotated[str | None, Field(min_length=1, max_length=1000), AfterValidator(_line)] = None


class ActionAnswer(BaseModel):
    """`run_id` and `dag_id` of the run that was triggered, if one was; `parse` where the row was changed."""

    what: str
    parse: ParseShape | None = None
    run_id: str | None = None
    dag_id: str | None = None


class StreamsTogether(BaseModel):
    """Streams of a platform that an action is asked for, and why: the history of each of them says it."""

    stream_keys: list[StreamKey] = Field(min_length=1, max_length=500)
    reason: Annotated[str | None, Field(min_length=1, max_length=1000), AfterValidator(_line)] = None


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


class Problems(BaseModel):
    """The problems of a config."""

    problems: list[ProblemShape]


class Task(BaseModel):
    """A task of a DAG."""

    task_id: str
    operator: str
    downstream: list[str]


class DagShape(BaseModel):
    """The DAG that a config gives."""

    dag_id: str
    schedule: str | None
    timezone: str
    tasks: list[Task]
    next_runs: list[str]
    pod: AnyJson | None


class Preview(BaseModel):
    """`dag` is None where the problems let none come about."""

    dag: DagShape | None
    changes: list[ChangeShape]
    problems: list[ProblemShape]


Sorting = Literal["stream_key", "-stream_key", "state", "-state", "start", "-start", "age", "-age", "next", "-next"]
