"""Whether a session may hold a lock behind a pooler: it must keep its server process, and leave no lock there.

No pooler reports how it pools, but two sessions can find out: a transaction pooler gives the first session's process to
the second, or another process to the first. What other clients of a busy pool hide here is detected when a transaction
begins.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import extensions

from merge_jobs.database.session import NAMES, SEPARATOR, Names, Session
from merge_jobs.errors import PoolingRefused
from merge_jobs.sql import composed, execute

ROUNDS = 3
PROBE_SECONDS = 5.0  # for a second server process: a pool of sessions may have none to spare
RESET_SECONDS = 2.0  # for the pooler to reset the process of a session that has ended
RELEASE_SECONDS = 5.0
POLL_SECONDS = 0.05
TODO = (
    "Connect to the server itself, or let the pooler pool sessions and reset them (PgBouncer: pool_mode = session, "
    "server_reset_query = DISCARD ALL)"
)


def check_may_lock(session: Session, another: Callable[[], extensions.connection], probe: int) -> None:
    """Raise PoolingRefused unless the session keeps its server process and the pooler releases ended ones' locks.

    `another` begins to open a second, asynchronous connection to the same place. `probe` is the number of a lock
    that nobody else takes.
    """
    ours = _backend(session)
    try:
        with closing(another()) as other:
            for _ in range(ROUNDS):
                # Its transaction is open while the next of ours begins.
                theirs = _answer(other, "session.probe_begins", {})
                if theirs == ours or _backend(session) != ours:
                    raise _refused(session, "it gives each transaction another server process")
                _answer(other, "session.probe_ends", {})
            _answer(other, "batches.take_lock", {"lock": probe})
    except (TimeoutError, psycopg2.Error):
        # A pool of transactions had ours to give: it is one of sessions, and all of them are taken.
        return
    for _ in _tries(RESET_SECONDS):
        if not _rows(session, "batches.lock_holder", {"lock": probe}):
            return
    release(session, theirs, probe)
    raise _refused(session, "locks stay on its server processes when a session ends")


def release(session: Session, backend: int, lock: int) -> None:
    """Release a lock of a server process of a pool: when we are given that process, or while it is idle."""
    session.locked_to = None
    for _ in _tries(RELEASE_SECONDS):
        if not _rows(session, "batches.release_lock", {"lock": lock, "pid": backend}):
            return


def _tries(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while True:
        yield
        if time.monotonic() > end:
            return
        time.sleep(POLL_SECONDS)


def _backend(session: Session) -> int:
    session.rollback()
    session.begin()
    assert session.verified is not None
    session.rollback()
    return session.verified.backend


def _answer(other: extensions.connection, name: str, values: dict[str, Any]) -> Any:
    """Return a statement's result on the second session. Raises TimeoutError if the pooler has no process for it."""
    end = time.monotonic() + PROBE_SECONDS
    _wait(other, end)
    with other.cursor() as cursor:
        # It has no transaction of ours, which would begin with that.
        statement = SEPARATOR.join([NAMES[Names.OF_POSTGRESQL], composed(name, {}, values)])
        cursor.execute(statement, values or None)
        _wait(other, end)
        row = cursor.fetchone() if cursor.description else None
    return None if row is None else row[0]


def _wait(other: extensions.connection, end: float) -> None:
    while (state := other.poll()) != extensions.POLL_OK:
        reading, writing = ([other], []) if state == extensions.POLL_READ else ([], [other])
        if not any(select.select(reading, writing, [], max(0.0, end - time.monotonic()))):
            raise TimeoutError


def _rows(session: Session, name: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        execute(cursor, name, {}, values)
        found = cursor.fetchall()
    session.commit()
    return found


def _refused(session: Session, what: str) -> PoolingRefused:
    return PoolingRefused(session.where, f"a pooler stands between, and {what}: no lock can be held there", TODO)
