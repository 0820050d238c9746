"""All SQL on a platform's stream table, its history and its model state; statements are in stream_table.sql beside it.

Functions take a psycopg2 connection and the derived platform name (`yellowlive`), and never commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from airflow_plugin.control import migrations
from airflow_plugin.control.session import ControlSession, composed
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.statements import SqlFile, quoted
from config_schema.sql.versions import Part

if TYPE_CHECKING:
    from config_schema.model.compiled import CompiledModel

STATEMENTS = SqlFile(__file__)
COMPILED_MODELS_KEPT = 20

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
    """Who changed a row since the last sync, None where that was not written down, and when."""

    changed_by: str | None
    changed_at: datetime

    def __str__(self) -> str:
        return f"changed by {self.changed_by or 'hand in the database'} at {self.changed_at:%Y-%m-%d %H:%M:%S%z}"


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

    @property
    def is_change(self) -> bool:
        """False where something was only asked for: a run, a reset."""
        return (self.before_config_json, self.before_status) != (self.after_config_json, self.after_status)


class ConfigDoesNotFit(StreamFactoryError):
    """A config is longer than the config_json column of a table that an older version made; nothing is truncated.

    Run dagfactory platform tables, which widens the column to text.
    """

    code = "DF2002"

    def __init__(self, where: str, stream_key: str, length: int, limit: int) -> None:
        self.stream_key, self.length, self.limit = stream_key, length, limit
        what = f"the config of {stream_key} has {length} characters, and config_json takes {limit}"
        super().__init__(where, what, "Run dagfactory db upgrade, which widens the column to text")


def stream_rows(
    connection: Connection,
    platform: str,
    *,
    stream_keys: Sequence[str] | None = None,
    schema: str = "public",
    retired: bool = False,
) -> list[StreamRow]:
    """Return the rows by stream_key; with `retired` those too. Raises MergeStoreError if there is no table."""
    wanted = {"retired": retired, "stream_keys": None if stream_keys is None else list(stream_keys)}
    rows = _fetch(connection, platform, schema, "select_rows", wanted)
    return [StreamRow(*row) for row in rows]


def gone_streams(connection: Connection, platform: str, schema: str = "public") -> list[str]:
    """Return streams that are in the history and not in the table, though never retired; empty without a history."""
    if not _exists(connection, platform, schema, "history_table"):
        return []
    return [key for (key,) in _fetch(connection, platform, schema, "select_gone", {})]


def factory_query(name: str, platform: str, schema: str, values: Mapping[str, Any]) -> sql.Composable:
    """Return the statement `read_table` or `read_rows`, for a connection that is not open yet."""
    return composed(STATEMENTS[name], platform, schema, values)


def stream_table_exists(connection: Connection, platform: str, schema: str = "public") -> bool:
    """Return whether the platform has its stream table; one made elsewhere may lack its history."""
    return _exists(connection, platform, schema, "stream_table")


def missing_tables(connection: Connection, platform: str, schema: str = "public") -> list[str]:
    """Return the names of the tables that do not exist yet."""
    return list(migrations.standing(connection, platform, schema, Part.STREAMS).lost)


def create_tables(connection: Connection, platform: str, schema: str = "public") -> list[str]:
    """Bring the tables up to the version that this program wants; return the names of those that were created.

    The logins of components get their rights on them. Raises TablesTooOld where this login may not, or TablesTooNew.
    """
    return migrations.bring_up(connection, platform, schema, Part.STREAMS)


def take_sync_lock(connection: Connection, platform: str, schema: str = "public", *, seconds: float = 30) -> None:
    """Keep other syncs from the platform until the transaction ends. Raises MergeStoreError after `seconds`."""
    milliseconds = str(round(seconds * 1000))
    _execute(connection, platform, schema, "set_lock_timeout", {"milliseconds": milliseconds})
    table = _qualified(connection, platform, schema)["stream_table"]
    _execute(connection, platform, schema, "take_sync_lock", {"table": table})


def lock_rows(connection: Connection, platform: str, schema: str = "public") -> None:
    """Keep everybody else from changing the rows until the transaction ends; they can still be read."""
    _execute(connection, platform, schema, "lock_stream_table")


def config_limit(connection: Connection, platform: str, schema: str = "public") -> int | None:
    """Return how many characters config_json can have in a table made elsewhere; None for any number."""
    table = _qualified(connection, platform, schema)["stream_table"]
    rows = _fetch(connection, platform, schema, "select_config_limit", {"table": table})
    limit: int | None = rows[0][0] if rows else None
    return limit


def widen_config(connection: Connection, platform: str, schema: str = "public") -> int | None:
    """Let config_json of a table made elsewhere take any length; returns the limit that it had."""
    limit = config_limit(connection, platform, schema)
    if limit is not None:
        _execute(connection, platform, schema, "widen_config")
    return limit


def write_rows(
    connection: Connection,
    platform: str,
    changes: Iterable[RowChange],
    *,
    changed_by: str,
    model_commit: str | None = None,
    schema: str = "public",
) -> None:
    """Insert or update rows, with their history. `model_commit` is None for a change by hand.

    Raises ConfigDoesNotFit, before anything is written.
    """
    changes = list(changes)
    check_lengths(connection, platform, changes, schema)
    author = {"changed_by": changed_by, "model_commit": model_commit}
    session = ControlSession(connection, platform, schema)
    session.run_for_each(STATEMENTS["write_row"], [vars(change) | author for change in changes])


def adopt_rows(
    connection: Connection,
    platform: str,
    stream_keys: Iterable[str],
    *,
    changed_by: str,
    model_commit: str,
    schema: str = "public",
) -> None:
    """Note that the model now says what was set by hand; the rows stay untouched."""
    for stream_key in stream_keys:
        values = {"stream_key": stream_key, "changed_by": changed_by, "model_commit": model_commit}
        _execute(connection, platform, schema, "adopt_row", values)


def changes_by_hand(connection: Connection, platform: str, schema: str = "public") -> dict[str, HandChange]:
    """Return, by stream_key, the rows that differ from what the last sync wrote; empty without a history."""
    if not all(_exists(connection, platform, schema, kind) for kind in ("history_table", "stream_table")):
        return {}
    return {key: HandChange(*change) for key, *change in _fetch(connection, platform, schema, "select_by_hand", {})}


@dataclass(frozen=True)
class Page:
    """Which changes of a history: so many, before the change with a number, with so many bytes of text at most.

    Or those with the numbers `only`. None is no limit.
    """

    limit: int | None = None
    before: int | None = None
    bytes: int | None = None
    only: Sequence[int] | None = None


def history(
    connection: Connection, platform: str, stream_key: str, page: Page | None = None, schema: str = "public"
) -> list[Version]:
    """Return the changes of a stream, the newest first. Raises MergeStoreError if there is no history."""
    wanted = page or Page()
    only = None if wanted.only is None else list(wanted.only)
    values = {"stream_key": stream_key, **vars(wanted), "only": only}
    return [Version(*row) for row in _fetch(connection, platform, schema, "select_history", values)]


def has_older_history(
    connection: Connection, platform: str, stream_key: str, before: int, schema: str = "public"
) -> bool:
    """Return whether a stream has changes before the one with this number."""
    values = {"stream_key": stream_key, "before": before}
    return bool(_fetch(connection, platform, schema, "has_older_history", values)[0][0])


def recent_changes(
    connection: Connection, platform: str, stream_keys: Sequence[str], schema: str = "public"
) -> list[tuple[str, int, int]]:
    """Return, by stream, the changes by hand in the last ten minutes, and their bytes of text in the last day."""
    values = {"stream_keys": list(stream_keys)}
    return [(row[0], row[1], row[2]) for row in _fetch(connection, platform, schema, "recent_changes", values)]


def prune_history(connection: Connection, platform: str, schema: str = "public") -> None:
    """Delete the oldest changes of streams that have more than KEPT_CHANGES or KEPT_BYTES, where the user may."""
    table = _qualified(connection, platform, schema)["history_table"]
    if _fetch(connection, platform, schema, "may_prune_history", {"table": table})[0][0]:
        _execute(connection, platform, schema, "prune_history", {"changes": KEPT_CHANGES, "bytes": KEPT_BYTES})


def check_lengths(connection: Connection, platform: str, changes: Iterable[RowChange], schema: str = "public") -> None:
    """Raise ConfigDoesNotFit for the first change whose config is too long for the column."""
    limit = config_limit(connection, platform, schema)
    for change in changes if limit is not None else ():
        if limit is not None and len(change.config_json) > limit:
            raise ConfigDoesNotFit(_where(platform), change.stream_key, len(change.config_json), limit)


def model_commit(connection: Connection, platform: str, schema: str = "public") -> str | None:
    """Return the commit of the model that was synced last; None before the first sync."""
    if not _exists(connection, platform, schema, "model_state_table"):
        return None
    rows = _fetch(connection, platform, schema, "select_model_commit", {})
    return rows[0][0] if rows else None


def record_model_commit(
    connection: Connection, platform: str, commit: str, *, applied_by: str, schema: str = "public"
) -> None:
    """Record the commit that was synced, and by whom."""
    values = {"model_commit": commit, "applied_by": applied_by}
    _execute(connection, platform, schema, "record_model_commit", values)


def record_compiled_model(
    connection: Connection, platform: str, model: CompiledModel, *, compiled_by: str, schema: str = "public"
) -> None:
    """Keep what a model that is code gave, for the jobs that run its commit; the oldest of many are forgotten."""
    values = {"model_commit": model.commit, "digest": model.digest, "document": model.to_json()}
    _execute(connection, platform, schema, "record_compiled_model", values | {"compiled_by": compiled_by})
    _execute(connection, platform, schema, "forget_old_compiled_models", {"kept": COMPILED_MODELS_KEPT})


def compiled_models(connection: Connection, platform: str, commit: str, schema: str = "public") -> list[CompiledModel]:
    """Return what was recorded for a commit; empty where there is no such table."""
    from config_schema.model.compiled import compiled_from_json  # a parse reads rows, and loads no model

    table = _qualified(connection, platform, schema)["compiled_model_table"]
    if not _exists(connection, platform, schema, "compiled_model_table"):
        return []
    rows = _fetch(connection, platform, schema, "select_compiled_models", {"model_commit": commit})
    return [compiled_from_json(document, table) for (document,) in rows]


def _exists(connection: Connection, platform: str, schema: str, kind: str) -> bool:
    table = _qualified(connection, platform, schema)[kind]
    return bool(_fetch(connection, platform, schema, "table_exists", {"table": table})[0][0])


def _fetch(
    connection: Connection, platform: str, schema: str, name: str, values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    return ControlSession(connection, platform, schema).run(STATEMENTS[name], values)


def _execute(
    connection: Connection, platform: str, schema: str, name: str, values: Mapping[str, Any] | None = None
) -> None:
    ControlSession(connection, platform, schema).run(STATEMENTS[name], values or {})


def _table_names(platform: str) -> dict[str, str]:
    return {
        "stream_table": names.stream_table(platform),
        "history_table": names.stream_history_table(platform),
        "model_state_table": names.model_state_table(platform),
        "compiled_model_table": names.compiled_model_table(platform),
    }


def _qualified(connection: Connection, platform: str, schema: str) -> dict[str, str]:
    """Return the tables' names as to_regclass() reads them."""
    return {kind: quoted(schema, table) for kind, table in _table_names(platform).items()}


def _where(platform: str) -> str:
    return names.stream_table(platform)
