"""Sessions with PostgreSQL, on both sides with the same settings, so that a value has one text."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from config_schema import names
from config_schema.model import Database, SourceKind
from merge_jobs.errors import CommandWrong, connect_failed

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
# Dead peers are noticed within a minute, on either side.
KEEPALIVE: dict[str, Any] = {"keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3}
# A job that died must not hold its stream's lock for long. Not every system that servers run on has these.
WATCH = {
    "client_connection_check_interval": "2s",
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
SET = "SELECT set_config(name, value, false) FROM unnest(%s, %s) AS setting (name, value)"
SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmloption": "content",
    "lc_monetary": "C",
    "jit": "off",  # costs seconds on wide generated statements
    "row_security": "off",  # a policy is then an error, not missing rows
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
}


@dataclass(frozen=True)
class Place:
    """A database, and the schema in it, with the login for it."""

    host: str
    port: int
    database: str
    schema: str
    user: str
    password: str = field(repr=False)
    kind: SourceKind = SourceKind.POSTGRESQL

    def __str__(self) -> str:
        return self.database if self.kind is SourceKind.SQLITE else f"{self.database} on {self.host}:{self.port}"


def place_of(database: Database, credential: str | None, environment: Mapping[str, str] | None = None) -> Place:
    """The place of a model's database, with the login that the environment carries.

    Raises CommandWrong naming the variable that is missing.
    """
    secret = credential or database.credential
    if database.kind is SourceKind.SQLITE:
        return Place(database.host, database.port, database.database, database.schema, "", "", database.kind)
    user = secret_value(secret, "username", environment)
    password = secret_value(secret, "password", environment)
    return Place(database.host, database.port, database.database, database.schema, user, password, database.kind)


def secret_value(secret: str, key: str, environment: Mapping[str, str] | None = None) -> str:
    """A key of a secret from the environment. Raises CommandWrong naming the variable if it is not there."""
    variable = names.secret_variable(secret, key)
    value = (os.environ if environment is None else environment).get(variable)
    if not value:
        raise CommandWrong(
            f"secret {secret!r}", f"the environment has no {variable}", f"Give the job {variable} in its environment"
        )
    return value


def connect(place: Place, application_name: str, where: str, lock_seconds: int) -> Connection:
    """A session in which a lock is waited for at most `lock_seconds`. Raises ConnectFailed."""
    try:
        session: Connection = psycopg2.connect(
            host=place.host,
            port=place.port,
            dbname=place.database,
            user=place.user,
            password=place.password,
            application_name=application_name,
            client_encoding="UTF8",
            connect_timeout=CONNECT_SECONDS,
            **KEEPALIVE,
        )
    except psycopg2.OperationalError as error:
        raise connect_failed(error, where) from error
    _configure(session, lock_seconds)
    return session


def _configure(session: Connection, lock_seconds: int) -> None:
    session.autocommit = True  # a SET in a transaction would go with its rollback
    with session.cursor() as cursor:
        settings = {**SETTINGS, "lock_timeout": f"{lock_seconds}s"}
        cursor.execute(SET, (list(settings), list(settings.values())))
        try:
            cursor.execute(SET, (list(WATCH), list(WATCH.values())))
        except psycopg2.DatabaseError:
            log.debug("the server cannot watch for lost clients")
    session.autocommit = False
