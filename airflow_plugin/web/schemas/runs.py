"""Runs and batches."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from airflow_plugin.web.schemas.parts import CheckShape, CountsShape
from airflow_plugin.web.schemas.stream import ProgressShape


class DatasetShape(CountsShape):
    """What a run did for a dataset.

    `partly_read`: a cursor read a part of the source, so that `total` is the merge table's number of rows.
    """

    name: str
    unchanged: int
    strategy: str
    why: str
    seconds: float
    partly_read: bool


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


class ColumnRows(BaseModel):
    """How many rows a batch updated in a column."""

    name: str
    rows: int


class DatasetChangesShape(BaseModel):
    """What a batch changed in a dataset; without numbers where nobody knows it, with the reason if that is known."""

    name: str
    inserted: int | None
    updated: int | None
    deleted: int | None
    updated_columns: list[ColumnRows]
    why: str | None
    todo: str | None


class BatchChangesAnswer(BaseModel):
    """What a batch changed. `has_values`: keys with values are kept, for those who may see them.

    `may_ask`: the user may have a job look at it, by the action show_changes. `left_out` datasets had no room.
    """

    batch_id: int
    datasets: list[DatasetChangesShape]
    left_out: int
    has_values: bool
    may_see_values: bool
    may_ask: bool


class KeyColumn(BaseModel):
    """A column of a key, as text."""

    column: str
    value: str


class ChangedColumn(BaseModel):
    """A column before and after a batch, as texts; null for NULL, and where there is no such row."""

    column: str
    old: str | None
    new: str | None


class ChangedKeyShape(BaseModel):
    """A key that a batch changed, null if it may not be seen; `hidden` are columns that differ and may not be seen."""

    change: Literal["inserted", "updated", "deleted"]
    key: list[KeyColumn] | None
    values: list[ChangedColumn]
    hidden: list[str]


class DatasetValues(BaseModel):
    """Some of the keys that a batch changed in a dataset."""

    name: str
    keys: list[ChangedKeyShape]


class ChangedValues(BaseModel):
    """Values of a batch; without `is_modelled` nobody knows which columns are PII, and all are hidden."""

    batch_id: int
    is_modelled: bool
    datasets: list[DatasetValues]
