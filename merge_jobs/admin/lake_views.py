"""The views of a stream's rows in a lake, for those who read them."""

from __future__ import annotations

import psycopg2

from config_schema.errors import CommandWrong
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database_errors import database_failed
from merge_jobs.stores.lake.duckdb_views import script
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stream import Stream

SESSION = "views of a lake"


class NoLake(CommandWrong):
    """A command reads a lake, and the platform has none.

    Read the consumers' views, or name a platform with a lake.
    """

    code = "DF5308"

    def __init__(self, platform: str) -> None:
        self.platform = platform
        super().__init__(platform, "the platform has no lake", "Its consumers have views in PostgreSQL")


def views_of_lake(place: ConnectionInfo, stream: Stream) -> str:
    """Return the SQL of DuckDB's views. Raises NoLake, NothingInLake, or what the database refuses."""
    if not stream.in_lake:
        raise NoLake(stream.platform.name)
    with MergeStore(place, stream, SESSION) as store:
        try:
            return script(store)
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error
