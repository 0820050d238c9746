"""What several answers have: errors (RFC 9457), problems, checked texts, counts, freshness, what Airflow has stored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from airflow_plugin.web.seen import SeenState

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


class CheckShape(BaseModel):
    """What a quality check found: how many rows break it. Of one that measures a value 1 if it is out of bounds.

    Keys of such rows, and the values of kinds statistic and freshness, are for users who may see data.
    """

    dataset: str
    check: str
    kind: str
    severity: str
    violations: int
    is_measured: bool
    value: float | None
    wanted: str
    keys: list[dict[str, str | None]]


def printable_line(text: str | None) -> str | None:
    """Return the text if it is one line that can be printed. Raises ValueError."""
    if text is not None and not (text.isprintable() and text.strip()):
        raise ValueError("it is no line of printable characters")
    return text
