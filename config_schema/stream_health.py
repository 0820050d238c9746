"""How a stream is, judged from what was read of it. Pure: Airflow's side and the merge job judge alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

FAILING_AFTER_RUNS = 3  # failed runs in a row; a platform's settings may say another number
# Airflow needs some of it to start a run, and this is not to cry about a stream whose schedule just meets the need.
LET_PASS = timedelta(minutes=1)


class HealthState(Enum):
    """How a stream is; the value is its word in the API, in metrics and on the command line."""

    OK = "ok"
    LATE = "late"  # its data is older than its `latency_seconds`
    FAILING = "failing"  # a failure that no retry helps, several failed runs in a row, or a source that stops batches
    SET_ASIDE = "set_aside"  # its row is quarantined
    NEVER_SUCCEEDED = "never_succeeded"  # runs have failed, and none has ever succeeded
    NEVER_RUN = "never_run"  # no run has ended yet: nothing is merged
    PAUSED = "paused"
    RETIRED = "retired"
    UNKNOWN = "unknown"  # what it is judged by could not be read

    @property
    def is_problem(self) -> bool:
        """Return whether somebody has to look at a stream in this state."""
        return self in PROBLEMS


PROBLEMS = frozenset(
    {
        HealthState.LATE,
        HealthState.FAILING,
        HealthState.SET_ASIDE,
        HealthState.NEVER_SUCCEEDED,
        HealthState.UNKNOWN,
    }
)


def named(state: HealthState) -> str:
    """Return a state in words, for people."""
    words = {HealthState.OK: "fine", HealthState.SET_ASIDE: "quarantined"}
    return words.get(state, state.value.replace("_", " "))


@dataclass(frozen=True)
class FailedRuns:
    """The runs that have failed since the last one that succeeded: how many, since when, and why the last one did.

    `retryable` is None where nobody knows whether a retry can help.
    """

    count: int
    since: datetime | None = None
    at: datetime | None = None
    error: str | None = None
    retryable: bool | None = None


@dataclass(frozen=True)
class SourceError:
    """What stops a stream's batches by a look at its source at that time."""

    at: datetime
    what: str


@dataclass(frozen=True)
class StreamReading:
    """What was read of a stream. All times are by the merge store's clock.

    `fresh_at` is when its merge table was last made equal to its source, or seen to be; `row_changed` when its row was
    last written. `unread` says what could not be read.
    """

    status: str = "active"
    is_quarantined: bool = False
    latency_seconds: int | None = None
    row_changed: datetime | None = None
    fresh_at: datetime | None = None
    failed: FailedRuns | None = None
    unread: str = ""
    source_error: SourceError | None = None


@dataclass(frozen=True)
class Late:
    """A stream that is late: nothing since `since`, and how many seconds more than its latency need that is."""

    since: datetime
    seconds: float
    never: bool  # it has never had a batch


@dataclass(frozen=True)
class Verdict:
    """How a stream is: its state is the worst of what is wrong. The rest says what else is, also beside a worse thing.

    `failed` is set where runs fail so that somebody has to look; `unread` is what could not be read. `source_error` is
    set where a look at the source, younger than the last success, says that the next batch fails.
    """

    state: HealthState
    failed: FailedRuns | None = None
    late: Late | None = None
    unread: str = ""
    fresh_at: datetime | None = None
    source_error: SourceError | None = None

    @property
    def what(self) -> str:
        """What is wrong, in words; empty where nothing is."""
        match self.state:
            case HealthState.FAILING | HealthState.NEVER_SUCCEEDED if self.failed is not None:
                return failure(self.failed, self.fresh_at)
            case HealthState.FAILING if self.source_error is not None:
                return source_in_words(self.source_error)
            case HealthState.LATE if self.late is not None:
                return lateness_in_words(self.late)
            case HealthState.SET_ASIDE:
                return "its row is quarantined"
            case HealthState.UNKNOWN:
                return f"it cannot be judged: {self.unread}"
        return ""


def judge(reading: StreamReading, now: datetime, failing_after: int = FAILING_AFTER_RUNS) -> Verdict:
    """Return how a stream is: the worst state that applies. `now` is by the merge store's clock."""
    if reading.status == "retired":
        return Verdict(HealthState.RETIRED)
    if reading.status != "active":
        return Verdict(HealthState.SET_ASIDE if reading.is_quarantined else HealthState.PAUSED)
    failed = reading.failed
    if failed is not None and reading.fresh_at is not None and not is_failing(failed, failing_after):
        failed = None  # the next run may well succeed
    lateness = late(reading.latency_seconds, reading.fresh_at, reading.row_changed, now)
    source = _not_disproved(reading.source_error, reading.fresh_at)
    found = Verdict(HealthState.OK, failed, lateness, reading.unread, reading.fresh_at, source)
    return replace(found, state=_worst(reading, found, failing_after))


def _worst(reading: StreamReading, found: Verdict, failing_after: int) -> HealthState:
    if reading.is_quarantined:
        return HealthState.SET_ASIDE
    if found.failed is not None and is_failing(found.failed, failing_after):
        return HealthState.FAILING
    if found.source_error is not None:
        return HealthState.FAILING
    if found.late is not None:
        return HealthState.LATE
    if found.failed is not None:
        return HealthState.NEVER_SUCCEEDED
    if reading.unread:
        return HealthState.UNKNOWN
    return HealthState.NEVER_RUN if reading.fresh_at is None else HealthState.OK


def _not_disproved(error: SourceError | None, fresh_at: datetime | None) -> SourceError | None:
    """Return the error unless a batch has succeeded since the source was looked at."""
    return None if error is None or (fresh_at is not None and fresh_at >= error.at) else error


def is_failing(failed: FailedRuns, failing_after: int) -> bool:
    """Return whether no retry helps, or so many runs in a row have failed that nobody should wait for the next one."""
    return failed.retryable is False or failed.count >= failing_after


def failure(failed: FailedRuns, fresh_at: datetime | None) -> str:
    """Return in words how runs have failed."""
    runs = "its last run has failed" if failed.count == 1 else f"its last {failed.count} runs have failed"
    since = f" since {in_utc(failed.since)}" if failed.since is not None and failed.count > 1 else ""
    never = ", and none has ever succeeded" if fresh_at is None else ""
    why = f": {failed.error}" if failed.error else ""
    helps = " (No retry can help)" if failed.retryable is False else ""
    return f"{runs}{since}{never}{why}{helps}"


def source_in_words(error: SourceError) -> str:
    """Return what stops the next batch, and when that was seen."""
    return f"its source was looked at {in_utc(error.at)}, and a batch would fail: {error.what}"


def late(
    latency_seconds: int | None, fresh_at: datetime | None, row_changed: datetime | None, now: datetime
) -> Late | None:
    """Return how an active stream is late; None if it is not, or no latency is demanded.

    A stream that is new, or was paused until its row was last written, has that long too. A time that lies ahead of
    the clock says nothing, as that was set back since; if no time is left, the stream is late until it is polled again.
    """
    known = [time for time in (fresh_at, row_changed) if time is not None]
    if latency_seconds is None or not known:
        return None
    behind = [time for time in known if time <= now + LET_PASS]
    if not behind:
        return Late(min(known), 0.0, fresh_at is None)
    since = max(behind)
    over = now - since - timedelta(seconds=latency_seconds)
    return Late(since, over.total_seconds(), fresh_at is None) if over > LET_PASS else None


def lateness_in_words(one: Late) -> str:
    """Return how late a stream is, and since when nothing has come."""
    since = in_utc(one.since)
    seen = f"it has never been ingested, and its row is of {since}" if one.never else f"nothing since {since}"
    return f"late by {one.seconds:.0f} s: {seen}"


def in_utc(time: datetime) -> str:
    """Return a time as logs and tables show it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
