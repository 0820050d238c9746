"""Whether a stream's merge table is as fresh as its consumers need it. Pure; judged from what was committed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_plugin.control.batch_table import LastLook

# Airflow needs some of it to start a run, and this is not to cry about a stream whose schedule just meets the need.
LET_PASS = timedelta(minutes=1)


@dataclass(frozen=True)
class Late:
    """A stream that is late: nothing since `since`, and how many seconds more than its latency need that is."""

    since: datetime
    seconds: float
    never: bool  # it has never had a batch


@dataclass(frozen=True)
class Age:
    """How many seconds ago a stream's merge table was last seen to be equal to its source, and how late that is."""

    seconds: float
    late_seconds: float


def late(latency_seconds: int | None, look: LastLook, row_changed: datetime | None, now: datetime) -> Late | None:
    """Return how an active stream is late; None if it is not, or no latency is demanded.

    `row_changed` is when its row was last written: a stream that is new, or was paused until then, has that long too.
    All times are by the merge store's clock. One that lies ahead of it says nothing, as the clock was set back since;
    if no time is left, the stream is late until it is polled again.
    """
    known = [time for time in (look.at, row_changed) if time is not None]
    if latency_seconds is None or not known:
        return None
    behind = [time for time in known if time <= now + LET_PASS]
    if not behind:
        return Late(min(known), 0.0, look.at is None)
    since = max(behind)
    over = now - since - timedelta(seconds=latency_seconds)
    return Late(since, over.total_seconds(), look.at is None) if over > LET_PASS else None
