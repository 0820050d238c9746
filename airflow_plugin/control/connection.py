"""Connections to a platform's merge store, and PostgreSQL's errors in our words.

Errors name the origin of the DSN (`DAGFACTORY_YELLOWLIVE_DSN`). Of the DSN itself only host, port, database and user
are shown, in an error's private part. If a password breaks a DSN's syntax, libpq's text is not shown, because it
contains a part of the password.
"""

from __future__ import annotations

import math
import os
import re
import select
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from ipaddress import ip_address
from typing import Any

import psycopg2
from psycopg2 import errorcodes, sql
from psycopg2.extensions import POLL_OK, POLL_READ, libpq_version
from psycopg2.extensions import connection as Connection

from airflow_plugin.control.bounded_times import bound_times
from airflow_plugin.control.name_lookup import lookup
from airflow_plugin.control.pinned_session import PINNED, PinnedCursor
from config_schema.connect_wait import first_connections
from config_schema.errors import WELL_FORMED, StreamFactoryError
from config_schema.sql.known_tables import KnownTables
from config_schema.sql.postgres_errors import connect_failure, of_session, retry_can_help
from config_schema.tls import clear_text_only_in_tls

CONNECT_TIMEOUT_SECONDS = 10
LOOK_AT_SERVER = "Look whether the server is overloaded, stopped, or cut off by the network"


class MergeStoreError(StreamFactoryError):
    """A platform's merge store is down, refuses the login, or refuses a statement.

    Check that the server is up and can be reached from here; give the login its rights, and run dagfactory sync for
    tables.
    """

    code = "DF2001"
    pgcode: str | None = None  # where PostgreSQL gave one

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool = False) -> None:
        super().__init__(where, what, todo)
        self.retryable = retryable


def connect(dsn: str, where: str, *, timeout: int = CONNECT_TIMEOUT_SECONDS) -> Connection:
    """Return a connection to the database that `dsn` names, with a pinned search_path. Raises MergeStoreError.

    `where` says where the DSN comes from (`DAGFACTORY_YELLOWLIVE_DSN`). A job's first one is tried again for
    `connect_wait` seconds.
    """
    return first_connections.reach(where, lambda: _connected(dsn, where, timeout))


def _connected(dsn: str, where: str, timeout: int) -> Connection:
    began = time.monotonic()
    named = _resolved(dsn, where, timeout)
    left = math.ceil(timeout - (time.monotonic() - began))

    def opened(more: dict[str, Any]) -> Connection:
        options = {"connect_timeout": max(1, left), "application_name": "dagfactory", **named, **more}
        made: Connection = psycopg2.connect(dsn, cursor_factory=PinnedCursor, **options)
        bound_times(made)
        return made

    try:
        return _in_attempts(dsn, opened)
    except psycopg2.OperationalError as error:
        raise _not_connected(dsn, where, str(error)) from None
    except (psycopg2.Error, UnicodeError, ValueError):
        raise _malformed(where) from None


def fetch_within(
    dsn: str, where: str, query: sql.Composable, values: Mapping[str, Any], *, seconds: float
) -> list[tuple[Any, ...]]:
    """Return the rows of one query in a connection of its own, all within `seconds`. Raises MergeStoreError.

    Asynchronous, because libpq's and the server's timeouts do not help against a server that has stopped.
    """
    until = time.monotonic() + seconds
    with closing(open_within(dsn, where, seconds=seconds)) as connection:
        return _fetch_until(connection, until, _late(dsn, where, seconds), where, query, values)


def open_within(dsn: str, where: str, *, seconds: float) -> Connection:
    """Return an asynchronous connection, opened within `seconds`, for `fetch_on`. Raises MergeStoreError."""
    until, late = time.monotonic() + seconds, _late(dsn, where, seconds)
    named = _resolved(dsn, where, seconds)

    def opened(more: dict[str, Any]) -> Connection:
        options = {"async_": True, "application_name": "dagfactory", **named, **more}
        connection: Connection = psycopg2.connect(dsn, **options)
        try:
            _wait(connection, until, late)
            bound_times(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    try:
        return _in_attempts(dsn, opened)
    except (psycopg2.ProgrammingError, UnicodeError, ValueError):
        raise _malformed(where) from None
    except psycopg2.Error as error:
        raise _not_connected(dsn, where, str(error)) from None


def fetch_on(
    connection: Connection, where: str, query: sql.Composable, values: Mapping[str, Any], *, seconds: float
) -> list[tuple[Any, ...]]:
    """Return the rows of one query on a connection of `open_within`, in a transaction that ends with it.

    Raises MergeStoreError, after which the connection is of no use any more.
    """
    late = _late(connection.dsn, where, seconds)
    return _fetch_until(connection, time.monotonic() + seconds, late, where, query, values)


def _fetch_until(
    connection: Connection,
    until: float,
    late: MergeStoreError,
    where: str,
    query: sql.Composable,
    values: Mapping[str, Any],
) -> list[tuple[Any, ...]]:
    with translate_db_errors(where), connection.cursor() as cursor:

        def run(query: str | sql.Composable, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
            # In one round trip, and through a pooler too; the server is not to work on when nobody waits any more.
            # Statements that are sent together are one transaction, without a BEGIN, which would want to be ended.
            milliseconds = max(1, round((until - time.monotonic()) * 1000))
            begin = sql.SQL("SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = {}; ").format(
                sql.Literal(milliseconds)
            )
            wanted = sql.SQL(query) if isinstance(query, str) else query
            cursor.execute(begin + sql.SQL(PINNED) + wanted, values)
            _wait(connection, until, late)
            return cursor.fetchall()

        KnownTables().check([query.as_string(cursor).replace("%%", "%")], run, where, surely=True)
        return run(query, values)


def _late(dsn: str, where: str, seconds: float) -> MergeStoreError:
    late = MergeStoreError(where, f"no answer within {seconds:g} s", LOOK_AT_SERVER, retryable=True)
    late.with_private(place(dsn))
    return late


def _in_attempts(dsn: str, attempt: Callable[[dict[str, Any]], Connection]) -> Connection:
    options = psycopg2.extensions.parse_dsn(dsn)
    return clear_text_only_in_tls(attempt, options, os.environ, libpq_version(), psycopg2.OperationalError)


def _resolved(dsn: str, where: str, seconds: float) -> dict[str, Any]:
    """Return `host`, `hostaddr` and `port` for libpq, which looks names up without a limit of time.

    Empty where the DSN has no name to look up: a socket's folder, an address, a service. `host` stays for TLS and
    password files. Of several names, those without an answer are left out, as libpq goes on to the next one.
    Raises MergeStoreError if no name has an address within `seconds`.
    """
    hosts, ports = _hosts_and_ports(dsn, where)
    if not any(map(_is_name, hosts)) or len(ports) != len(hosts):
        return {}
    lookups = [lookup(host) if _is_name(host) else None for host in hosts]
    found: list[tuple[str, str, str]] = []
    slow = False
    for host, port, asked in zip(hosts, ports, lookups, strict=True):
        try:
            known = ("",) if asked is None else asked.result(seconds / len(hosts))
            found += [(host, address, port) for address in known]
        except TimeoutError:
            slow = True
        except OSError:
            continue
    if found:
        return dict(zip(("host", "hostaddr", "port"), map(",".join, zip(*found, strict=True)), strict=True))
    if slow:
        what = f"the host's name is not resolved within {seconds:g} s"
        todo = "Look at the name servers of this machine"
        raise MergeStoreError(where, what, todo, retryable=True).with_private(place(dsn))
    raise _not_connected(dsn, where, "could not translate host name") from None


def _hosts_and_ports(dsn: str, where: str) -> tuple[list[str], list[str]]:
    """Return the hosts of a DSN and libpq's environment, each with a port; no hosts if addresses are given."""
    try:
        parts = psycopg2.extensions.parse_dsn(dsn)
    except (psycopg2.Error, UnicodeError, ValueError):
        raise _malformed(where) from None
    in_service = not parts.get("host") and ("service" in parts or "PGSERVICE" in os.environ)
    if in_service or parts.get("hostaddr") or os.environ.get("PGHOSTADDR"):
        return [], []
    hosts = (parts.get("host") or os.environ.get("PGHOST", "")).split(",")
    ports = str(parts.get("port") or os.environ.get("PGPORT", "")).split(",")
    return hosts, ports * len(hosts) if len(ports) == 1 else ports


def _is_name(host: str) -> bool:
    """Return whether a host must be looked up: it is neither a socket's folder nor an address."""
    if not host or host.startswith(("/", "@")):
        return False
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return False


def _wait(connection: Connection, until: float, late: MergeStoreError) -> None:
    while (state := connection.poll()) != POLL_OK:
        left = until - time.monotonic()
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN if state == POLL_READ else select.POLLOUT)
        if left <= 0 or not waiting.poll(left * 1000):
            raise late


@contextmanager
def translate_db_errors(where: str) -> Iterator[None]:
    """Turn PostgreSQL's errors into MergeStoreErrors, without DETAIL, HINT and CONTEXT, which can contain values."""
    try:
        yield
    except psycopg2.Error as error:
        raise _refused(where, error) from None


def identity(dsn: str, where: str) -> tuple[str, ...]:
    """Return server, database and user of a DSN: equal for two DSNs of one merge store. Raises MergeStoreError."""
    try:
        parts = psycopg2.extensions.parse_dsn(dsn)
    except (psycopg2.Error, UnicodeError):
        raise _malformed(where) from None
    defaults = {"port": os.environ.get("PGPORT", "5432"), "host": os.environ.get("PGHOST", "")}
    return tuple(parts.get(key) or defaults.get(key, "") for key in ("host", "port", "dbname", "user"))


def place(dsn: str) -> str:
    """Return `user@host:port/database` of a DSN; empty if it cannot be shown."""
    try:
        parts = psycopg2.extensions.parse_dsn(dsn)
    except psycopg2.Error:
        return ""
    shown = [parts.get(key, "") for key in ("user", "host", "port", "dbname")]
    if not all(re.fullmatch(r"[\w.,:/-]*", part) for part in shown):
        return ""
    user, host, port, database = shown
    return f"{user}@{host}:{port or '5432'}/{database}"


def _not_connected(dsn: str, where: str, said: str) -> MergeStoreError:
    at = place(dsn)
    if not at:
        return _malformed(where)
    if failure := connect_failure(said):
        return MergeStoreError(where, failure.what, failure.todo, retryable=failure.retryable).with_private(at)
    return MergeStoreError(where, "no connection", "Check that psql connects there with the same DSN").with_private(at)


def _malformed(where: str) -> MergeStoreError:
    return MergeStoreError(where, "this is no well-formed DSN", WELL_FORMED)


def _refused(where: str, error: psycopg2.Error) -> MergeStoreError:
    said, private = error.diag.message_primary or "the connection was lost", ""
    if of_session(error.pgcode):  # a pooler passes on why the server did not let it in, with user and host
        failure = connect_failure(said)
        said, private = failure.what if failure else f"the server ended the session ({error.pgcode})", said
    if error.pgcode == errorcodes.INSUFFICIENT_PRIVILEGE and error.cursor is not None:
        private = str(error.cursor.connection.info.user)  # a component may have the login of another
    todo = {
        errorcodes.UNDEFINED_TABLE: "Run dagfactory sync or dagfactory db upgrade, which create the tables",
        errorcodes.INVALID_SCHEMA_NAME: "Create the schema, or correct merge_store.schema in the model",
        errorcodes.INSUFFICIENT_PRIVILEGE: "Use the login that may: dagfactory bootstrap --roles makes one for each",
        errorcodes.LOCK_NOT_AVAILABLE: "Another change is running there; try again",
    }.get(error.pgcode or "", "See the server's log for more")
    refused = MergeStoreError(where, said, todo, retryable=retry_can_help(error.pgcode)).with_private(private)
    refused.pgcode = error.pgcode
    return refused
