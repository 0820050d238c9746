"""The position of a PostgreSQL source, so that a batch never merges an older state than the one before it.

A standby that lags, or an old primary behind the same address, has rows that have been replaced since the last batch. A
server on a later timeline was promoted or restored by PostgreSQL's own means: what it contains is the truth from then
on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from merge_jobs.database.together import Lookup, in_step
from merge_jobs.errors import SourceBehind
from merge_jobs.process import shutdown
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import Query

log = logging.getLogger(__name__)

WAIT_SECONDS = 30.0  # for a standby to catch up
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Position:
    """Where a server is: `wal` in bytes from the start of its log, `transaction` the next one that may complete.

    A standby reports its timeline late: the true one may be higher.
    """

    system: str
    timeline: int
    wal: int
    transaction: int
    standby: bool

    def __str__(self) -> str:
        return f"{self.wal >> 32:X}/{self.wal & 0xFFFFFFFF:X} of timeline {self.timeline}"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


def position_from_dict(stored: Mapping[str, Any] | None) -> Position | None:
    """Return the position that was stored; None for None."""
    return None if stored is None else Position(**{name: stored[name] for name in Position.__dataclass_fields__})


def is_behind(now: Position, last: Position) -> bool:
    """Return whether a server at `now` may lack what a batch read at `last`; False for another server."""
    if now.system != last.system or now.timeline > last.timeline:
        return False
    if not now.standby and now.timeline < last.timeline:
        return True
    # A commit with synchronous_commit = off is seen before its log is written: on a standby its number counts too.
    return now.wal < last.wal or (now.standby and now.transaction < last.transaction)


def reading_position() -> Lookup[Position | None]:
    """Look for the server's position; None if the job's user may not ask for it."""
    (((is_readable,),),) = yield [Query("guard.position_is_readable")]
    if not is_readable:
        return None
    ((position,),) = yield [Query("guard.position")]
    return Position(*position)


def wait_until_not_behind(source: PostgresSource, last: Position, batch_id: int, now: Position | None = None) -> None:
    """Wait for a standby that lags, without a transaction. Raises SourceBehind.

    `last` is the position at which the committed batch `batch_id` was read, `now` that of a moment ago, if it is known.
    """
    give_up, warned = time.monotonic() + WAIT_SECONDS, False
    while True:
        if now is None:
            (now,) = in_step([reading_position()], source.together)
        if now is None or not is_behind(now, last):
            return
        source.rollback()
        if not now.standby or time.monotonic() >= give_up:
            raise _behind(source, now, last, batch_id)
        if not warned:
            log.warning(
                "%s: the standby is at %s, and batch %d was read at %s: waiting", source.where, now, batch_id, last
            )
            warned = True
        now = None
        shutdown.pause(POLL_SECONDS)
        shutdown.check()


def _behind(source: PostgresSource, now: Position, last: Position, batch_id: int) -> SourceBehind:
    what = f"the source is behind batch {batch_id}: it is at {now}, and the batch was read at {last}"
    accept = "if the source was put back on purpose, run dagfactory runs reset, and the next batch takes it as it is"
    if now.standby:
        todo = f"Let the standby catch up, or name one server in the model's source; {accept}"
    else:
        todo = f"Check that the address is that of the present primary; {accept}"
    return SourceBehind(source.where, what, todo, retryable=now.standby)
