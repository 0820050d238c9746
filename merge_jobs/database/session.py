"""A session with PostgreSQL in which each transaction begins with the settings that a batch needs, and verifies them.

The settings are sent with BEGIN, in one round trip, so that they hold for any server process that a pooler gives us.
A session with a database of ours checks the owners of the tables that a statement names, once per transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, assert_never

import psycopg2
from psycopg2 import extensions, sql
from psycopg2.errors import FeatureNotSupported
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from config_schema.sql.known_tables import KnownTables
from merge_jobs.errors import PoolingRefused, SettingRefused
from merge_jobs.sql import composed, statement

# The minor release of each major version that brought restrict_nonsystem_relation_kind.
RESTRICTED_SINCE = {12: 20, 13: 16, 14: 13, 15: 8, 16: 4}
SEPARATOR = sql.SQL(";\n")
VERIFIED_SETTINGS = frozenset(re.findall(r"\('(\w+)', '", statement("session.verify").text))


class SessionSide(Enum):
    """Who owns the database of a session."""

    PRODUCER = "producer"
    OURS = "ours"


class Names(Enum):
    """Which search_path resolves the names in a statement that have no schema."""

    OF_POSTGRESQL = "names_of_postgresql"
    OF_ROLE = "names_of_role"
    SEEN_BY_ROLE = "names_seen_by_role"


NAMES = {names: composed(f"session.{names.value}", {}, {}) for names in Names}


@dataclass(frozen=True)
class Verified:
    """The server process of a transaction and its start: together they identify it."""

    backend: int
    began: datetime


class Session(extensions.connection):
    """A connection that begins its transactions itself; commit and rollback end them as the driver's would.

    The driver does not know of the transaction, so a server-side cursor must be opened `withhold`. `open` must be
    called once before any statement. Statements raise SettingRefused or PoolingRefused if a transaction cannot have
    its settings.
    """

    where = ""
    read_only = False
    pooled = False  # whether something between us and the server keeps server processes for many clients
    locked_to: int | None = None  # the server process that holds a lock of the session, if it holds one
    verified: Verified | None = None  # of the last transaction that was verified
    _settings: sql.Composable
    _tables: KnownTables | None = None  # of a database of ours
    _began = False  # whether a transaction of ours is open
    _side = SessionSide.OURS
    _access = "READ WRITE"

    def open(self, where: str, schema: str, side: SessionSide, lock_seconds: int) -> None:
        """Prepare a new session: the settings that each of its transactions begins with.

        `schema` is that of the tables whose owners a session with a database of ours asks for.
        """
        self.where, self._side = where, side
        self._tables = None if side is SessionSide.PRODUCER else KnownTables(schema)
        self.autocommit = True  # of the driver, which would begin transactions without settings
        self.cursor_factory = BeginningCursor
        parts = [composed("session.settings", {"lock_timeout": sql.Literal(f"{lock_seconds}s")}, {})]
        parts += [composed(f"session.{name}", {}, {}) for name in self._more_settings()]
        parts.append(NAMES[Names.OF_POSTGRESQL])
        self._settings = SEPARATOR.join(parts)

    def expect_tables(self, schema: str, likely: Iterable[str]) -> None:
        """Ask for these tables together with the first that a transaction names."""
        self._tables = KnownTables(schema, likely)

    def ask_for_tables(self, query: str | sql.Composable, *, has_values: bool = False) -> None:
        """Raise TablesOfAnother if a statement, its values not yet put in, names a table that a stranger has made."""
        if self._tables is not None:
            text = query.as_string(self) if isinstance(query, sql.Composable) else query
            self._tables.check(text.replace("%%", "%") if has_values else text, self._rows, self.where)

    def begin(self) -> None:
        """Begin a transaction with the settings, unless one is open."""
        if self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            return
        if self._began:
            raise self._gone("the transaction is gone, and nothing of ours has ended it")
        access = "READ ONLY" if self.read_only else self._access
        beginning = composed("session.begin", {"access": sql.SQL(access)}, {})
        durable = [] if self._side is SessionSide.PRODUCER else [composed("session.durable", {}, {})]
        try:
            (row,) = self._plain(beginning, self._settings, *durable, composed("session.verify", {}, {}))
        except FeatureNotSupported:
            if not access or self.read_only:
                raise
            # A standby refuses the words READ WRITE; a statement that writes is then refused as read-only.
            self.rollback()
            self._access = ""
            self.begin()
            return
        self._began = True
        self._judge(row)

    def begin_snapshot(self) -> None:
        """Begin a transaction for one snapshot, which its first query takes; that must be `take_snapshot`."""
        self.rollback()
        self._plain(composed("session.begin_snapshot", {}, {}), self._settings)
        self._began = True

    def take_snapshot(self) -> datetime:
        """Verify the transaction; return the time of its snapshot, if this is its first query."""
        (row,) = self._plain(NAMES[Names.OF_POSTGRESQL], composed("session.verify", {}, {}))
        self._judge(row)
        taken: datetime = row[3]
        return taken

    def check(self) -> None:
        """Raise PoolingRefused unless this is the verified transaction, SettingRefused if a setting has changed."""
        before = self.verified
        (row,) = self._plain(NAMES[Names.OF_POSTGRESQL], composed("session.verify", {}, {}))
        if self._judge(row) != before:
            raise self._gone("the transaction is another one than the one that began")

    def _judge(self, row: Sequence[Any]) -> Verified:
        """Check and store the result of session.verify. Raises SettingRefused; PoolingRefused for a leftover lock."""
        wrong, backend, began, _ = row
        if wrong:
            self.rollback()
            raise SettingRefused(self.where, self._in_words(wrong))
        if self.locked_to not in (None, backend):
            self.rollback()
            raise self._gone(f"the server process under the session has changed, from {self.locked_to} to {backend}")
        self.verified = Verified(backend, began)
        return self.verified

    def _in_words(self, wrong: Sequence[Sequence[str]]) -> list[str]:
        """Return settings and their values; of a producer's server the names that we have asked for, and no values.

        A function of a producer's can write a row's value into a setting, and its server can answer anything.
        """
        if self._side is SessionSide.OURS:
            return [f"{name} is {value}" for name, value in wrong]
        return sorted({name for name, *_ in wrong} & VERIFIED_SETTINGS) or ["of which the server gives no names"]

    def commit(self) -> None:
        """Commit the transaction."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Roll the transaction back."""
        self._end("ROLLBACK")

    def _gone(self, what: str) -> PoolingRefused:
        todo = "Connect to the server itself, or pool sessions (PgBouncer's pool_mode = session)"
        return PoolingRefused(self.where, f"{what}: what stands between shares its server processes", todo)

    def _end(self, statement: str) -> None:
        if self.closed:
            raise psycopg2.InterfaceError("connection already closed")
        self._began = False
        if self._tables is not None:
            self._tables.forget()
        if self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            with extensions.cursor(self) as cursor:
                cursor.execute(statement)

    def _plain(self, *statements: sql.Composable) -> list[tuple[Any, ...]]:
        """Return the rows of the last of the statements; all are sent at once."""
        with extensions.cursor(self) as cursor:
            cursor.execute(SEPARATOR.join(statements))
            return cursor.fetchall() if cursor.description else []

    def _rows(self, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with extensions.cursor(self) as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    def _more_settings(self) -> list[str]:
        major, minor = divmod(self.server_version, 10000)
        names = ["settings_of_17"] if major >= 17 else []
        if minor >= RESTRICTED_SINCE.get(major, 0):
            names.append("settings_of_newer_minors")
        match self._side:
            case SessionSide.PRODUCER:
                return [*names, "producers_own"]
            case SessionSide.OURS:
                return names
        assert_never(self._side)


class BeginningCursor(extensions.cursor):
    """A cursor of a Session: its statements run in a transaction with the settings."""

    connection: Session

    def execute(self, query: Any, vars: Any = None) -> None:
        """Execute a statement, in a transaction that begins with the session's settings."""
        self.connection.begin()
        self.connection.ask_for_tables(query, has_values=bool(vars))
        super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Run COPY, in a transaction that begins with the session's settings."""
        self.connection.begin()
        self.connection.ask_for_tables(sql)
        super().copy_expert(sql, file, size)
