"""All SQL on a platform's stream table and its history; statements are in stream_table.sql beside it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from airflow_plugin.control import migrations
from airflow_plugin.control.session import NO_VALUES, ControlSession
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.statements import SqlFile, quoted
from config_schema.sql.versions import Part

STATEMENTS = SqlFile(__file__)
log = logging.getLogger(__name__)

# Of a stream's history, which holds a config twice for each change.
KEPT_CHANGES = 2000
KEPT_BYTES = 64 << 20


@dataclass(frozen=True)
class StreamRow:
    """A row as it stands in the table; its config_json is not checked."""

    stream_key: str
    config_json: str
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class RowChange:
    """What a row is to become, and the word for it in the history: create, update, revive, retire, pause, ..."""

    stream_key: str
    config_json: str
    status: str
    change: str


@dataclass(frozen=True)
class HandChange:
    """Who changed a row since the last sync, and when; both None where that was not written down, only `found_at`.

    `found_at` is when the first sync after the change found it; now, if it is not yet in the history (`is_known`).
    """

    changed_by: str | None
    changed_at: datetime | None
    found_at: datetime | None = field(default=None, compare=False)
    is_known: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        if self.changed_at is not None:
            return f"changed by {self.changed_by} at {_in_full(self.changed_at)}"
        found = f", found at {_in_full(self.found_at)}" if self.found_at else ""
        return f"changed by hand in the database{found}"


def _in_full(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S%z}"


@dataclass(frozen=True)
class Version:
    """A change in a stream's history; `before_*` is None for a new row, `model_commit` for a change by hand."""

    id: int
    stream_key: str
    change: str
    changed_by: str
    changed_at: datetime
    model_commit: str | None
    before_config_json: str | None
    before_status: str | None
    after_config_json: str
    after_status: str
    reason: str | None = None  # as whoever did it gave one

    @property
    def is_change(self) -> bool:
        """False where something was only asked for: a run, a reset."""
        return (self.before_config_json, self.before_status) != (self.after_config_json, self.after_status)


class ConfigDoesNotFit(StreamFactoryError):
    """A config is longer than the config_json column of a table that an older version made; nothing is cut.

    Run dagfactory db upgrade, which widens the column to text.
    """

    code = "DF2002"

    def __init__(self, where: str, stream_key: str, length: int, limit: int) -> None:
        self.stream_key, self.length, self.limit = stream_key, length, limit
        what = f"the config of {stream_key} has {length} characters, and config_json takes {limit}"
        super().__init__(where, what, "Run dagfactory db upgrade, which widens the column to text")


@dataclass(frozen=True)
class Page:
    """Which changes of a history: so many, before the change with a number, with so many bytes of text at most.

    Or those with the numbers `only`. None is no limit.
    """

    limit: int | None = None
    before: int | None = None
    bytes: int | None = None
    only: Sequence[int] | None = None


@dataclass(frozen=True)
class StreamTable:
    """A platform's stream table and its history, by a session. Methods raise MergeStoreError, and never commit."""

    session: ControlSession

    @property
    def connection(self) -> Connection:
        """The session's connection."""
        return self.session.connection

    @property
    def name(self) -> str:
        """The name of the table."""
        return names.stream_table(self.session.platform)

    def exists(self) -> bool:
        """Return whether the platform has its stream table; one made elsewhere may lack its history."""
        return self.session.has_table(self.name)

    def rows(self) -> dict[str, StreamRow]:
        """Return all rows by stream_key, the retired ones too."""
        return {row.stream_key: row for row in self.select(retired=True)}

    def select(self, stream_keys: Sequence[str] | None = None, *, retired: bool = False) -> list[StreamRow]:
        """Return these rows, or all, by stream_key; with `retired` the retired ones too."""
        wanted = {"retired": retired, "stream_keys": None if stream_keys is None else list(stream_keys)}
        return [StreamRow(*row) for row in self._run("select_rows", wanted)]

    def gone_streams(self) -> list[str]:
        """Return streams that are in the history and not in the table, though never retired; none without a history."""
        return [key for (key,) in self._run("select_gone")] if self._has_history() else []

    def missing_tables(self) -> list[str]:
        """Return the names of the tables that do not exist yet."""
        return list(migrations.tables_version(self.session, Part.STREAMS).lost)

    def create_tables(self) -> list[str]:
        """Bring the tables up to the version that this program wants; return the names of those that were created.

        The logins of components get their rights. Raises TablesTooNew, or TablesTooOld where the login may not upgrade.
        """
        return migrations.run_missing_migrations(self.session, Part.STREAMS)

    def take_sync_lock(self, seconds: float = 30) -> None:
        """Keep other syncs from the platform until the transaction ends. Raises MergeStoreError after `seconds`."""
        self._run("set_lock_timeout", {"milliseconds": str(round(seconds * 1000))})
        if not self._run("try_sync_lock", {"table": self._qualified})[0][0]:
            table = names.stream_table(self.session.platform)
            log.warning("%s: another sync is running; this one waits for it, up to %g s", table, seconds)
            self._run("take_sync_lock", {"table": self._qualified})

    def lock_rows(self) -> None:
        """Keep everybody else from changing the rows until the transaction ends; they can still be read."""
        self._run("lock_stream_table")

    def config_limit(self) -> int | None:
        """Return how many characters config_json can have in a table made elsewhere; None for any number."""
        rows = self._run("select_config_limit", {"table": self._qualified})
        limit: int | None = rows[0][0] if rows else None
        return limit

    def widen_config(self) -> int | None:
        """Let config_json of a table made elsewhere take any length; returns the limit that it had."""
        limit = self.config_limit()
        if limit is not None:
            self._run("widen_config")
        return limit

    def check_lengths(self, changes: Iterable[RowChange]) -> None:
        """Raise ConfigDoesNotFit for the first change whose config is too long for the column."""
        limit = self.config_limit()
        for change in changes if limit is not None else ():
            if limit is not None and len(change.config_json) > limit:
                raise ConfigDoesNotFit(self.name, change.stream_key, len(change.config_json), limit)

    def write(
        self,
        changes: Iterable[RowChange],
        *,
        changed_by: str,
        model_commit: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Insert or update rows, with their history. `model_commit` is None for a change by hand.

        Raises ConfigDoesNotFit, before anything is written.
        """
        changes = list(changes)
        self.check_lengths(changes)
        author = {"changed_by": changed_by, "model_commit": model_commit}
        rows = [vars(change) | author for change in changes]
        self.session.run_for_each(STATEMENTS["write_row"], rows, **self.reason_parts(reason))

    def reason_parts(self, reason: str | None) -> dict[str, sql.Composable]:
        """Return what a reason adds to a statement that writes history: nothing in a table of an older program."""
        table = quoted(self.session.schema, self._history)
        if reason is None or not self._run("has_reasons", {"table": table})[0][0]:
            return {"reason_column": sql.SQL(""), "reason": sql.SQL("")}
        return {"reason_column": sql.SQL(", reason"), "reason": sql.SQL(", {}").format(sql.Literal(reason))}

    def adopt(self, stream_keys: Iterable[str], *, changed_by: str, model_commit: str) -> None:
        """Note that the model now says what was set by hand; the rows stay untouched."""
        author = {"changed_by": changed_by, "model_commit": model_commit}
        for stream_key in stream_keys:
            self._run("adopt_row", {"stream_key": stream_key} | author)

    def note_found(self, stream_keys: Sequence[str], *, changed_by: str) -> None:
        """Write into the history that rows were found changed past the tools; rows that it knows so are left out."""
        self._run("note_found", {"stream_keys": list(stream_keys), "changed_by": changed_by})

    def note(self, stream_key: str, action: str, changed_by: str, reason: str | None = None) -> None:
        """Write into the history what was asked for, or what came of it; the row stays as it is."""
        values = {"stream_key": stream_key, "action": action, "changed_by": changed_by}
        self.session.run(STATEMENTS["note_action"], values, where=self._history, **self.reason_parts(reason))

    def purge(self, stream_key: str, changed_by: str, reason: str | None = None) -> None:
        """Delete a retired row; its history stays, and says who did it."""
        values = {"stream_key": stream_key, "changed_by": changed_by}
        self.session.run(STATEMENTS["purge_row"], values, where=self._history, **self.reason_parts(reason))

    def changes_by_hand(self) -> dict[str, HandChange]:
        """Return, by stream_key, the rows that differ from what the last sync wrote; empty without a history."""
        if not (self._has_history() and self.exists()):
            return {}
        return {key: HandChange(*change) for key, *change in self._run("select_by_hand")}

    def history(self, stream_key: str, page: Page | None = None) -> list[Version]:
        """Return the changes of a stream, the newest first. Raises MergeStoreError if there is no history."""
        wanted = page or Page()
        only = None if wanted.only is None else list(wanted.only)
        values = {"stream_key": stream_key, **vars(wanted), "only": only}
        return [Version(*row) for row in self._run("select_history", values)]

    def has_older_history(self, stream_key: str, before: int) -> bool:
        """Return whether a stream has changes before the one with this number."""
        return bool(self._run("has_older_history", {"stream_key": stream_key, "before": before})[0][0])

    def recent_changes(self, stream_keys: Sequence[str]) -> list[tuple[str, int, int]]:
        """Return, by stream, the changes by hand in the last ten minutes, and their bytes of text in the last day."""
        rows = self._run("recent_changes", {"stream_keys": list(stream_keys)})
        return [(row[0], row[1], row[2]) for row in rows]

    def prune_history(self) -> None:
        """Delete the oldest changes of streams that have more than KEPT_CHANGES or KEPT_BYTES, where the user may."""
        table = quoted(self.session.schema, self._history)
        if self._run("may_prune_history", {"table": table})[0][0]:
            self._run("prune_history", {"changes": KEPT_CHANGES, "bytes": KEPT_BYTES})

    def _has_history(self) -> bool:
        return self.session.has_table(self._history)

    @property
    def _history(self) -> str:
        return names.stream_history_table(self.session.platform)

    @property
    def _qualified(self) -> str:
        """The table's name as to_regclass() reads it."""
        return quoted(self.session.schema, self.name)

    def _run(self, name: str, values: Mapping[str, Any] = NO_VALUES) -> list[tuple[Any, ...]]:
        return self.session.run(STATEMENTS[name], values)
