"""A session with PostgreSQL whose every transaction begins with the settings that a batch relies on, and verifies them.

The settings are sent with BEGIN, in one round trip, so that they hold for whatever server process a pooler gives us.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, assert_never

import psycopg2
from psycopg2 import extensions, sql
from psycopg2.errors import FeatureNotSupported
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from merge_jobs.errors import PoolingRefused, SettingRefused
from merge_jobs.sql import composed

# The minor release of each major version that brought restrict_nonsystem_relation_kind.
RESTRICTED_SINCE = {12: 20, 13: 16, 14: 13, 15: 8, 16: 4}
SEPARATOR = sql.SQL(";\n")


class SessionSide(Enum):
    """Whose database a session is with."""

    PRODUCER = "producer"
    OURS = "ours"


class Names(Enum):
    """How the names in a statement are found that do not say their schema: by which search_path."""

    OF_POSTGRESQL = "names_of_postgresql"
    OF_ROLE = "names_of_role"
    SEEN_BY_ROLE = "names_seen_by_role"


NAMES = {names: composed(f"session.{names.value}", {}, {}) for names in Names}


@dataclass(frozen=True)
class Verified:
    """The server process of a transaction, and when it began: together they tell it from any other."""

    backend: int
    began: datetime


class Session(extensions.connection):
    """A connection that begins its transactions itself; commit and rollback end them as the driver's would.

    The driver knows of no transaction, so that a server-side cursor has to be opened `withhold`.
    `open` must be called once before any statement. Statements raise SettingRefused or PoolingRefused where a
    transaction cannot have what it has to have.
    """

    where = ""
    read_only = False
    pooled = False  # whether something between us and the server keeps server processes for many clients
    locked_to: int | None = None  # the server process that holds a lock of the session, if it holds one
    verified: Verified | None = None  # of the last transaction that was verified
    _settings: sql.Composable
    _began = False  # whether a transaction of ours is open
    _side = SessionSide.OURS
    _access = "READ WRITE"

    def open(self, where: str, side: SessionSide, lock_seconds: int) -> None:
        """Prepare a new session: the settings that each of its transactions begins with."""
        self.where, self._side = where, side
        self.autocommit = True  # of the driver, which would begin transactions without settings
        self.cursor_factory = BeginningCursor
        parts = [composed("session.settings", {"lock_timeout": sql.Literal(f"{lock_seconds}s")}, {})]
        parts += [composed(f"session.{name}", {}, {}) for name in self._more_settings()]
        parts.append(NAMES[Names.OF_POSTGRESQL])
        self._settings = SEPARATOR.join(parts)

    def begin(self) -> None:
        """Begin a transaction in which the settings hold, unless one is open."""
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
        """Begin a transaction for one snapshot, which its first query takes: let that be `take_snapshot`."""
        self.rollback()
        self._plain(composed("session.begin_snapshot", {}, {}), self._settings)
        self._began = True

    def take_snapshot(self) -> datetime:
        """Verify the transaction that has begun; return the time of its snapshot, if this is its first query."""
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
        """Keep what session.verify gave. Raises SettingRefused, or PoolingRefused if a lock stayed elsewhere."""
        wrong, backend, began, _ = row
        if wrong:
            self.rollback()
            is_ours = self._side is SessionSide.OURS
            # A function of a producer's can write a row's value into a setting: its text stays out of logs.
            raise SettingRefused(self.where, [f"{name} is {value}" if is_ours else name for name, value in wrong])
        if self.locked_to not in (None, backend):
            self.rollback()
            raise self._gone(f"the server process under the session has changed, from {self.locked_to} to {backend}")
        self.verified = Verified(backend, began)
        return self.verified

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
        if self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            with extensions.cursor(self) as cursor:
                cursor.execute(statement)

    def _plain(self, *statements: sql.Composable) -> list[tuple[Any, ...]]:
        """Return the rows of the last of the statements; all are sent at once."""
        with extensions.cursor(self) as cursor:
            cursor.execute(SEPARATOR.join(statements))
            return cursor.fetchall() if cursor.description else []

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
    """A cursor of a Session: its statements run in a transaction that has the settings."""

    connection: Session

    def execute(self, query: Any, vars: Any = None) -> None:
        """Execute a statement, in a transaction that begins with the session's settings."""
        self.connection.begin()
        super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Run COPY, in a transaction that begins with the session's settings."""
        self.connection.begin()
        super().copy_expert(sql, file, size)
