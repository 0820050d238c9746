"""A session with PostgreSQL in which each transaction begins with the settings that a batch needs, and verifies them.

The settings are sent with BEGIN, in one round trip, so that they hold for any server process that a pooler gives us.
A session with a database of ours checks the owners of the tables that a statement names, once per transaction.

A server may be far away, so a session sends in one message what it can: BEGIN with a look at the tables that a
transaction will come to, several queries (`together`), and what gives no rows that somebody waits for with the next
statement (`later`, `commit_with_next`).
"""

from __future__ import annotations

import contextlib
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
from merge_jobs.database.pace import Pace
from merge_jobs.database.together import Rows, combined, rows_of
from merge_jobs.errors import PoolingRefused, SettingRefused
from merge_jobs.sql import Query, composed, statement

# The minor release of each major version that brought restrict_nonsystem_relation_kind.
RESTRICTED_SINCE = {12: 20, 13: 16, 14: 13, 15: 8, 16: 4}
SEPARATOR = sql.SQL(";\n")
MOST_TOGETHER = 1000  # queries in one message
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
    began: str


class Session(extensions.connection):
    """A connection that begins its transactions itself; commit and rollback end them as the driver's would.

    The driver does not know of the transaction, so a server-side cursor must be opened `withhold`. `open` must be
    called once before any statement. Statements raise SettingRefused or PoolingRefused if a transaction cannot have
    its settings.
    """

    where = ""
    read_only = False
    pace: Pace | None = None  # at which a source is read into this session
    pooled = False  # whether something between us and the server keeps server processes for many clients
    locked_to: int | None = None  # the server process that holds a lock of the session, if it holds one
    verified: Verified | None = None  # of the last transaction that was verified
    _settings: sql.Composable
    _tables: KnownTables | None = None  # of a database of ours
    _began = False  # whether a transaction of ours is open
    _waiting: tuple[str, ...] = ()  # statements that are sent in front of the next one
    _committing = False  # whether a COMMIT is the last of them
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

    def ask_for_tables(self, *queries: str | sql.Composable, has_values: bool = False) -> None:
        """Raise TablesOfAnother if a statement, its values not yet put in, names a table that a stranger has made."""
        if self._tables is not None:
            texts = [query.as_string(self) if isinstance(query, sql.Composable) else query for query in queries]
            texts = [text.replace("%%", "%") for text in texts] if has_values else texts
            self._tables.check(texts, self._rows, self.where)

    def begin(self) -> None:
        """Begin a transaction with the settings, unless one is open."""
        if self._is_open():
            return
        if self._tables is None or not self._tables.ask_for_likely(self._rows_as_it_begins, self.where):
            self._begin()

    def together(self, queries: Sequence[Query], names: Names = Names.OF_POSTGRESQL) -> list[Rows]:
        """Run queries in one message, and return the rows of each, with values as JSON has them: times are texts.

        Names without a schema are resolved by `names`.
        """
        with extensions.cursor(self) as cursor:
            texts = [query.text(cursor) for query in queries]
        found: list[Rows] = []
        for start in range(0, len(texts), MOST_TOGETHER):
            some = texts[start : start + MOST_TOGETHER]
            if self._tables is None and names is Names.OF_POSTGRESQL and not self._is_open():
                found += self._begin(some)
                continue
            self.begin()
            self.ask_for_tables(*some)
            found += self._combined([NAMES[names]], some)
        return found

    def later(self, statement: Query) -> None:
        """Send a statement with the next one: nobody waits for what it does."""
        with extensions.cursor(self) as cursor:
            text = statement.text(cursor)
        self.begin()
        self.ask_for_tables(text)
        self._waiting = (*self._waiting, text)

    @property
    def waits(self) -> bool:
        """Whether statements wait for the next one."""
        return bool(self._waiting)

    def send_waiting(self) -> None:
        """Send the statements that wait for the next one."""
        if self._waiting:
            self._plain()

    def drop_waiting(self) -> None:
        """Do not run the statements that wait for the next one."""
        if not self._committing:
            self._waiting = ()

    def _is_open(self) -> bool:
        if self._committing:
            return False
        if self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            return True
        if self._began:
            raise self._gone("the transaction is gone, and nothing of ours has ended it")
        return False

    def _rows_as_it_begins(self, query: str, values: Mapping[str, Any]) -> Rows:
        with extensions.cursor(self) as cursor:
            (rows,) = self._begin([cursor.mogrify(query, values).decode()])
            return rows

    def _begin(self, queries: Sequence[str] = ()) -> list[Rows]:
        """Begin a transaction and verify it; return the rows of queries that are sent with that."""
        access = "READ ONLY" if self.read_only else self._access
        beginning = composed("session.begin", {"access": sql.SQL(access)}, {})
        durable = [] if self._side is SessionSide.PRODUCER else [composed("session.durable", {}, {})]
        self._began, self._committing = False, False
        try:
            _, found = self._verify([beginning, self._settings, *durable], queries)
        except FeatureNotSupported:
            if not access or self.read_only:
                raise
            # A standby refuses the words READ WRITE; a statement that writes is then refused as read-only.
            self.rollback()
            self._access = ""
            return self._begin(queries)
        self._began = True
        return found

    def begin_snapshot(self, *before: sql.Composable) -> datetime:
        """Begin a transaction for one snapshot, in place of an open one; return the time of its snapshot.

        The statements `before` are run first: they must take no snapshot.
        """
        self.drop_waiting()
        ending = [] if self.get_transaction_status() == TRANSACTION_STATUS_IDLE else [sql.SQL("ROLLBACK")]
        beginning = [*ending, composed("session.begin_snapshot", {}, {}), self._settings]
        self._began = False
        row, _ = self._verify([*beginning, *before, NAMES[Names.OF_POSTGRESQL]])
        self._began = True
        return datetime.fromisoformat(row[3])

    def check(self) -> None:
        """Raise PoolingRefused unless this is the verified transaction, SettingRefused if a setting has changed."""
        before = self.verified
        self._verify([NAMES[Names.OF_POSTGRESQL]])
        if self.verified != before:
            raise self._gone("the transaction is another one than the one that began")

    def _verify(
        self, before: Sequence[sql.Composable], queries: Sequence[str] = ()
    ) -> tuple[tuple[Any, ...], list[Rows]]:
        """Verify the transaction; return session.verify's row, and the rows of queries that are sent with it."""
        (row,), *found = self._combined(before, [composed("session.verify", {}, {}).as_string(self), *queries])
        self._judge(row)
        return row, found

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

    def commit_with_next(self) -> None:
        """Commit in the message of the next statement, which must come soon, and at the latest as the session ends."""
        if self.get_transaction_status() != TRANSACTION_STATUS_IDLE and not self._committing:
            self._waiting, self._committing = (*self._waiting, "COMMIT"), True
        self._forget_transaction()

    def rollback(self) -> None:
        """Roll the transaction back."""
        self.drop_waiting()
        self._end("ROLLBACK")

    def close(self) -> None:
        """Close the session; a commit that waits is sent, unless the server is gone."""
        if self._committing and not self.closed:
            with contextlib.suppress(psycopg2.Error):
                self.commit()
        super().close()

    def _gone(self, what: str) -> PoolingRefused:
        todo = "Connect to the server itself, or pool sessions (PgBouncer's pool_mode = session)"
        return PoolingRefused(self.where, f"{what}: what stands between shares its server processes", todo)

    def _end(self, statement: str) -> None:
        if self.closed:
            raise psycopg2.InterfaceError("connection already closed")
        self._forget_transaction()
        ending = () if self._committing else (sql.SQL(statement),)
        self._committing = False
        if self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            self._plain(*ending)

    def _forget_transaction(self) -> None:
        self._began = False
        if self._tables is not None:
            self._tables.forget()

    def _combined(self, before: Sequence[sql.Composable], queries: Sequence[str]) -> list[Rows]:
        return rows_of(self._plain(*before, sql.SQL(combined(queries))))

    def _plain(self, *statements: sql.Composable) -> list[tuple[Any, ...]]:
        """Return the rows of the last of the statements; all are sent at once, with what waits."""
        with extensions.cursor(self) as cursor:
            cursor.execute(self.with_waiting(SEPARATOR.join(statements)))
            return cursor.fetchall() if cursor.description else []

    def with_waiting(self, statement: sql.Composable | str | bytes) -> sql.Composable | str | bytes:
        """Return the statement with what waits in front of it, which waits no more."""
        waiting, self._waiting = self._waiting, ()
        if not waiting:
            return statement
        text = statement.as_string(self) if isinstance(statement, sql.Composable) else statement
        return ";\n".join(filter(None, [*waiting, text.decode() if isinstance(text, bytes) else text]))

    def _rows(self, query: str, values: Mapping[str, Any]) -> Rows:
        with extensions.cursor(self) as cursor:
            cursor.execute(self.with_waiting(cursor.mogrify(query, values)))
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
        session = self.connection
        session.begin()
        session.ask_for_tables(query, has_values=bool(vars))
        if self.name is not None:
            session.send_waiting()  # the driver declares the cursor by a statement of its own
        elif session.waits:
            query, vars = session.with_waiting(self.mogrify(query, vars)), None
        super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Run COPY, in a transaction that begins with the session's settings."""
        self.connection.begin()
        self.connection.ask_for_tables(sql)
        super().copy_expert(self.connection.with_waiting(sql), file, size)
