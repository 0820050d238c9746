"""How the simulator reaches the producer: a DSN, overridden by single settings, completed by libpq's defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import libpq_version, make_dsn, parse_dsn

from config_schema.errors import DsnMalformed
from config_schema.tls import CLEAR_TEXT_REFUSED, clear_text_only_in_tls
from merge_jobs.database_errors import connect_failed
from merge_jobs.simulator.run import WHERE, Connect

Settings = Mapping[str, str | int | None]  # None: not given
LIBPQ = {"database": "dbname"}
CHECK = "Check --host, --port, --database, --user and the password, or the same in the environment"

# A driver that waits for a dead server hears no Ctrl+C: none of these waits is long.
DEFAULTS = {
    "client_encoding": "UTF8",
    "application_name": "merge-job simulate",
    "connect_timeout": "10",
    "tcp_user_timeout": "10000",  # milliseconds
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}


def connector(*layers: str | Settings | None) -> Connect:
    """Return a function that connects by DSNs and settings; later layers win, libpq's defaults complete them.

    Raises StreamFactoryError if a DSN cannot be read; the function raises ConnectFailed.
    """
    wanted = dict(DEFAULTS)
    for layer in layers:
        given = parsed(layer) if isinstance(layer, str) else layer or {}
        wanted |= {LIBPQ.get(name, name): str(value) for name, value in given.items() if value is not None}

    def attempt(more: dict[str, str]) -> Connection:
        made: Connection = psycopg2.connect(make_dsn(**{**wanted, **more}))
        return made

    def connect() -> Connection:
        try:
            return clear_text_only_in_tls(attempt, wanted, os.environ, libpq_version(), psycopg2.OperationalError)
        except psycopg2.OperationalError as error:
            failure = connect_failed(error, WHERE)
            if CLEAR_TEXT_REFUSED not in str(error):
                failure.todo = CHECK
            raise failure from error

    return connect


def parsed(dsn: str) -> dict[str, str]:
    """Return a DSN's settings in libpq's words. Raises StreamFactoryError, without any part of the password."""
    try:
        parsed = parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        raise _unreadable() from None  # the driver's words would hold a part of the password
    if "@" in parsed.get("host", ""):
        raise _unreadable()  # the host is the rest of a password with an @ in it
    return parsed


def _unreadable() -> DsnMalformed:
    return DsnMalformed("--dsn")
