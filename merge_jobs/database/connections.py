"""Addresses of databases, and connections to them; session.py sets up their transactions."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2 import extensions

from config_schema import names
from config_schema.connect_wait import first_connections
from config_schema.errors import VariableMissing
from config_schema.model import Database, RestAuth, RestAuthType, SourceKind
from config_schema.tls import LEAST_LIBPQ, Tls, clear_text_only_in_tls, libpq_options, may_send_clear_text
from merge_jobs.database.session import Session, SessionSide
from merge_jobs.database_errors import connect_failed, database_failed
from merge_jobs.errors import PoolingRefused
from merge_jobs.sql import execute

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
# Dead peers are noticed within a minute, on either side.
KEEPALIVE: dict[str, Any] = {"keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3}
# Of the session: a job that died must not hold its stream's lock for long. Not every system has these.
WATCH = {
    "client_connection_check_interval": "2s",
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
WAITING = {"idle_session_timeout": "0"}  # a run waits between two looks


@dataclass(frozen=True)
class ConnectionInfo:
    """The address of a database, with a schema and the login for it."""

    host: str
    port: int
    database: str
    schema: str
    user: str
    password: str = field(repr=False)
    kind: SourceKind = SourceKind.POSTGRESQL
    tls: Tls | None = None
    tls_ca: str | None = None
    auth: RestAuth | None = None  # of an API
    admits_private: bool = False  # whether an API's name may lead to an address of a private network

    def __str__(self) -> str:
        """Return the database's name, which is all that logs, errors and notifications show."""
        return self.database

    def in_full(self) -> str:
        """Return the name with the server, for users who run a command."""
        on_disk = self.kind is SourceKind.SQLITE or (self.kind is SourceKind.FILES and self.database.startswith("/"))
        return self.database if on_disk else f"{self.database} on {self.host}:{self.port}"


def place_of(
    database: Database,
    credential: str | None,
    environment: Mapping[str, str] | None = None,
    *,
    admits_private: bool = False,
) -> ConnectionInfo:
    """Return the address of a model's database, with the login from the environment.

    Raises VariableMissing naming the variable that is missing.
    """
    secret = credential or database.credential
    user, password = "", ""
    if database.needs_login:
        if database.auth is None or database.auth.type is RestAuthType.HTTP_BASIC:
            user = secret_value(secret, "username", environment)
        password = secret_value(secret, "password", environment)
    elif database.is_on_disk:
        return ConnectionInfo(database.host, database.port, database.database, database.schema, "", "", database.kind)
    return ConnectionInfo(
        database.host,
        database.port,
        database.database,
        database.schema,
        user,
        password,
        database.kind,
        database.tls,
        database.tls_ca,
        database.auth,
        admits_private,
    )


def secret_value(secret: str, key: str, environment: Mapping[str, str] | None = None) -> str:
    """Return a key of a secret from the environment. Raises VariableMissing naming the variable if it is missing."""
    variable = names.secret_variable(secret, key)
    value = (os.environ if environment is None else environment).get(variable)
    if not value:
        raise VariableMissing([variable], f"Give the job {variable} in its environment", f"secret {secret!r}")
    return value


def connect(
    place: ConnectionInfo, application_name: str, where: str, lock_seconds: int, side: SessionSide = SessionSide.OURS
) -> Session:
    """Return a session that waits at most `lock_seconds` for a lock.

    The first one to a server is tried again for `connect_wait` seconds.
    Raises ConnectFailed; PoolingRefused if a pooler without transactions is in between.
    """
    session = first_connections.reach(
        f"{place.host}:{place.port}", lambda: _opened(place, application_name, where, lock_seconds, side)
    )
    if session.pooled and not _has_transactions(session):
        # Once more: that the connection is lost just then need not be the pooler's doing.
        session = _opened(place, application_name, where, lock_seconds, side)
        if session.pooled and not _has_transactions(session):
            raise PoolingRefused(
                where,
                "a pooler ends the connection where a transaction begins: it gives each statement another "
                "server process",
                "Connect to the server itself, or pool sessions or transactions (PgBouncer's pool_mode)",
            )
    return session


def _has_transactions(session: Session) -> bool:
    """Return whether a transaction can begin: a statement pooler closes the connection instead."""
    try:
        session.begin()
        session.rollback()
    except psycopg2.OperationalError:
        if not session.closed:
            raise
        return False
    return True


def _opened(place: ConnectionInfo, application_name: str, where: str, lock_seconds: int, side: SessionSide) -> Session:
    session = _connected(place, application_name, where)
    if session.get_parameter_status("standard_conforming_strings") == "off":
        # The driver writes literals as the session was when it began.
        session.close()
        session = _connected(place, application_name, where, options="-c standard_conforming_strings=on")
    try:
        session.open(where, place.schema, side, lock_seconds)
        session.pooled = not keep_waiting(session, session.info.backend_pid)
    except psycopg2.Error as error:
        session.close()
        raise database_failed(error, where) from error
    return session


def connecting(place: ConnectionInfo, application_name: str, sslmode: str) -> extensions.connection:
    """Return a plain connection that is still being opened, with the last session's sslmode; the caller polls it."""
    arguments = {**_arguments(place, application_name), "sslmode": sslmode}
    if may_send_clear_text(arguments, os.environ) and extensions.libpq_version() >= LEAST_LIBPQ:
        arguments["require_auth"] = "!password"
    opening: extensions.connection = psycopg2.connect(**arguments, async_=True)
    return opening


def _connected(place: ConnectionInfo, application_name: str, where: str, **more: str) -> Session:
    arguments: dict[str, Any] = {**_arguments(place, application_name), **more}

    def opened(further: dict[str, str]) -> Session:
        session: Session = psycopg2.connect(**{"connection_factory": Session, **arguments, **further})
        return session

    libpq = extensions.libpq_version()
    try:
        return clear_text_only_in_tls(opened, arguments, os.environ, libpq, psycopg2.OperationalError)
    except psycopg2.OperationalError as error:
        failed = connect_failed(error, where)
        raise failed.with_private(f"{place.user} at {place.host}:{place.port}: {failed.private}") from None


def _arguments(place: ConnectionInfo, application_name: str) -> dict[str, Any]:
    return {
        "host": place.host,
        "port": place.port,
        "dbname": place.database,
        "user": place.user,
        "password": place.password,
        "application_name": application_name,
        "client_encoding": "UTF8",
        "connect_timeout": CONNECT_SECONDS,
        **KEEPALIVE,
        **libpq_options(place.tls, place.tls_ca),
    }


def tls_used(session: extensions.connection) -> str:
    """Return the TLS that the session uses, in words."""
    info = session.info
    if not info.ssl_in_use:
        return "no TLS"
    return f"{info.ssl_attribute('protocol')} with {info.ssl_attribute('cipher')}, {info.dsn_parameters['sslmode']}"


def keep_waiting(session: Session, pid: int) -> bool:
    """Set the server process to watch for lost clients and to end no session that waits; False if it is not `pid`."""
    with extensions.cursor(session) as cursor:
        for settings in ({**WAITING, **WATCH}, WAITING):
            values = {"names": list(settings), "values": list(settings.values()), "pid": pid}
            try:
                execute(cursor, "session.watch", {}, values)
            except psycopg2.DatabaseError:
                if session.closed or settings is WAITING:
                    raise
                log.debug("the server cannot watch for lost clients")
                continue
            row = cursor.fetchone()
            return row is not None and row[0] > 0
    return False
