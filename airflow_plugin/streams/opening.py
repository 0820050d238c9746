"""A platform's stream table, opened to be read, or with everybody else locked out to be changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from airflow_plugin.control import stream_table
from airflow_plugin.control.connection import connect
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import (
    HandChange,
    Page,
    RowChange,
    StreamRow,
    Version,
)
from airflow_plugin.settings import PlatformSettings, merge_store_dsn, platform_settings
from config_schema import names
from config_schema.errors import StreamFactoryError, UnknownName

LOCK_SECONDS = 30


class StreamsNotRetired(StreamFactoryError):
    """A platform's tables are to be dropped while streams of it are not retired.

    Retire the platform first: dagfactory platform retire.
    """

    code = "DF3102"

    def __init__(self, platform: str, streams: Sequence[str]) -> None:
        self.platform, self.streams = platform, tuple(streams)
        what = f"{len(self.streams)} of its streams are not retired, {self.streams[0]} for one"
        super().__init__(platform, what, f"Retire the platform first: dagfactory platform retire {platform}")


@dataclass(frozen=True)
class StreamTable:
    """The stream table of one platform behind an open connection. Its methods raise StreamFactoryError."""

    settings: PlatformSettings
    connection: Connection

    @property
    def platform(self) -> str:
        """The platform's name in the model."""
        return self.settings.original_platform_name

    @property
    def session(self) -> ControlSession:
        """A session on the table's control database."""
        return ControlSession.of(self.connection, self.settings)

    @property
    def name(self) -> str:
        """The name of the table."""
        return names.stream_table(self.settings.platform_name)

    def rows(self) -> dict[str, StreamRow]:
        """Return all rows by stream_key, the retired ones too."""
        short, schema = self.settings.platform_name, self.settings.merge_store_schema
        found = stream_table.stream_rows(self.connection, short, schema=schema, retired=True)
        return {row.stream_key: row for row in found}

    def row(self, stream_key: str) -> StreamRow:
        """Return one row; the error for a missing one names the nearest."""
        short, schema = self.settings.platform_name, self.settings.merge_store_schema
        found = stream_table.stream_rows(self.connection, short, stream_keys=[stream_key], schema=schema, retired=True)
        if not found:
            raise UnknownName(self.name, "stream", stream_key, self.rows())
        return found[0]

    def changes_by_hand(self) -> dict[str, HandChange]:
        """Return, by stream_key, the rows that differ from what the last sync wrote."""
        short, schema = self.settings.platform_name, self.settings.merge_store_schema
        return stream_table.changes_by_hand(self.connection, short, schema)

    def history(self, stream_key: str, page: Page | None = None) -> list[Version]:
        """Return the changes of a stream, the newest first."""
        short, schema = self.settings.platform_name, self.settings.merge_store_schema
        return stream_table.history(self.connection, short, stream_key, page, schema)

    def has_older_history(self, stream_key: str, before: int) -> bool:
        """Return whether the stream has changes older than this one."""
        short, schema = self.settings.platform_name, self.settings.merge_store_schema
        return stream_table.has_older_history(self.connection, short, stream_key, before, schema)

    def recent_changes(self, stream_keys: list[str]) -> list[tuple[str, int, int]]:
        """Return, by stream, the changes by hand in the last ten minutes, and their bytes of text in the last day."""
        short, schema = self.settings.platform_name, self.settings.merge_store_schema
        return stream_table.recent_changes(self.connection, short, stream_keys, schema)

    def write(self, changes: list[RowChange], changed_by: str) -> None:
        """Write rows and their history, without a commit."""
        short, schema = self.settings.platform_name, self.settings.merge_store_schema
        stream_table.write_rows(self.connection, short, changes, changed_by=changed_by, schema=schema)


@contextmanager
def reading(platform: str) -> Iterator[StreamTable]:
    """Open the stream table of the platform of this model name. Raises StreamFactoryError."""
    settings = platform_settings(platform)
    dsn, where = merge_store_dsn(settings.platform_name)
    with closing(connect(dsn, where)) as connection:
        yield StreamTable(settings, connection)


@contextmanager
def changing(platform: str) -> Iterator[StreamTable]:
    """Open it with syncs and other changes locked out; commit at the end, roll back for any error."""
    with reading(platform) as table, locked(table):
        yield table


@contextmanager
def locked(table: StreamTable, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Lock out syncs and other changes, within so many seconds; commit at the end unless an error is raised."""
    short, schema = table.settings.platform_name, table.settings.merge_store_schema
    stream_table.take_sync_lock(table.connection, short, schema, seconds=seconds)
    stream_table.lock_rows(table.connection, short, schema)
    stream_table.create_tables(table.connection, short, schema)  # a table made elsewhere may lack its history
    yield
    table.session.commit()
