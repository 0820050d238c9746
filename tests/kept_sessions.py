"""Sessions that a test looks at a database with again and again: to log in costs more than most looks."""

from __future__ import annotations

import select
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext

import psycopg2
from psycopg2.extensions import connection, cursor, parse_dsn

_unused: defaultdict[str, list[connection]] = defaultdict(list)  # by DSN


@contextmanager
def kept_session(dsn: str, *, autocommit: bool = False) -> Iterator[cursor]:
    """Yield a cursor in a transaction that is committed at the end; the session is as new, and nobody else has it."""
    session = _taken(dsn)
    try:
        session.autocommit = autocommit
        with nullcontext() if autocommit else session, session.cursor() as looking:
            yield looking
        session.autocommit = True  # DISCARD ALL cannot run in a transaction
        with session.cursor() as looking:
            looking.execute("DISCARD ALL")
    except BaseException:
        session.close()
        raise
    _unused[dsn].append(session)


def end_sessions(databases: Collection[str]) -> None:
    """Close what is kept of these databases, which nobody can then copy, rename or drop before."""
    for dsn in [one for one in _unused if parse_dsn(one)["dbname"] in databases]:
        for session in _unused.pop(dsn):
            session.close()


def _taken(dsn: str) -> connection:
    while _unused[dsn]:
        session = _unused[dsn].pop()
        if not select.select([session], [], [], 0)[0]:
            return session
        session.close()  # the server has ended it, or says something that nobody asked for
    return psycopg2.connect(dsn)
