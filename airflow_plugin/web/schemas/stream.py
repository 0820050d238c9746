"""One stream: its page, its history, and versions compared."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from airflow_plugin.web.schemas.lists import StreamCard
from airflow_plugin.web.schemas.parts import AnyJson, CheckShape, ParseShape, ProblemShape, Status


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
