"""A platform's stream table, opened to be read, or with everybody else locked out to be changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from airflow_plugin.control.connection import connect
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import StreamRow, StreamTable
from airflow_plugin.platforms_here import unknown_platform
from airflow_plugin.settings import PlatformSettings, merge_store_dsn, platform_settings
from config_schema.errors import StreamFactoryError, UnknownName, VariableMissing

LOCK_SECONDS = 30


class StreamsNotRetired(StreamFactoryError):
    """The tables of a platform cannot be dropped, because streams of it are not retired.

    Retire the platform first: dagfactory platform retire.
    """

    code = "DF3102"

    def __init__(self, platform: str, streams: Sequence[str]) -> None:
        self.platform, self.streams = platform, tuple(streams)
        what = f"{len(self.streams)} of its streams are not retired, {self.streams[0]} for one"
        super().__init__(platform, what, f"Retire the platform first: dagfactory platform retire {platform}")


@dataclass(frozen=True)
class PlatformStreams(StreamTable):
    """The stream table of a platform together with the platform's settings."""

    settings: PlatformSettings

    @classmethod
    def of(cls, connection: Connection, settings: PlatformSettings) -> PlatformStreams:
        """Return the stream table of the platform with these settings."""
        return cls(ControlSession.of(connection, settings), settings)

    @property
    def platform(self) -> str:
        """The platform's name in the model."""
        return self.settings.original_platform_name

    def row(self, stream_key: str) -> StreamRow:
        """Return one row, also a retired one. Raises UnknownName, which names the nearest."""
        found = self.select([stream_key], retired=True)
        if not found:
            raise UnknownName(self.name, "stream", stream_key, self.rows())
        return found[0]


@dataclass(frozen=True)
class StorePlace:
    """A platform's settings, and the DSN of its merge store with its origin."""

    settings: PlatformSettings
    dsn: str
    where: str


@contextmanager
def reading(platform: str, given: StorePlace | None = None) -> Iterator[PlatformStreams]:
    """Open the stream table of the platform of this model name, or the one that is given. Raises StreamFactoryError."""
    place = given or _place(platform)
    with closing(connect(place.dsn, place.where)) as connection:
        yield PlatformStreams.of(connection, place.settings)


@contextmanager
def changing(platform: str, given: StorePlace | None = None) -> Iterator[PlatformStreams]:
    """Open it with syncs and other changes locked out; commit at the end, roll back for any error."""
    with reading(platform, given) as table, locked(table):
        yield table


def _place(platform: str) -> StorePlace:
    settings = platform_settings(platform)
    try:
        dsn, where = merge_store_dsn(settings.platform_name)
    except VariableMissing as error:
        raise unknown_platform(platform) or error from None
    return StorePlace(settings, dsn, where)


@contextmanager
def locked(table: PlatformStreams, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Lock out syncs and other changes, within so many seconds; commit at the end unless an error is raised."""
    table.take_sync_lock(seconds)
    table.lock_rows()
    table.create_tables()  # one made elsewhere may lack its history
    yield
    table.session.commit()
