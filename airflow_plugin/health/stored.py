"""What a merge store has of a platform's streams, read in one session: rows, batches, and runs that have failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from psycopg2 import errorcodes

from airflow_plugin.control.batch_table import BatchTables, LastLook
from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.session import control_session
from airflow_plugin.control.source_checks import SourceChecks
from airflow_plugin.control.stream_table import StreamRow, StreamTable
from airflow_plugin.settings import PlatformSettings, merge_store_dsn
from config_schema.stream_health import FailedRuns, SourceError

STATEMENT_SECONDS = 30


class Stored(NamedTuple):
    """What the merge store says: all rows, the streams that left without having been retired, and the last looks.

    `now` is the time by its clock. `unread` is what it did not let this login read, so that nobody knows it.
    `source_errors` are of streams whose source was looked at, and stops batches.
    """

    rows: list[StreamRow]
    gone: list[str]
    looks: Mapping[str, LastLook]
    now: datetime | None = None
    unread: str = ""
    source_errors: Mapping[str, SourceError] = MappingProxyType({})

    def look(self, key: str) -> LastLook:
        """Return the last look at a stream; an empty one if it was never looked at."""
        return self.looks.get(key) or LastLook()


def read_stored(settings: PlatformSettings, dsn: tuple[str, str] | None = None) -> Stored:
    """Return what the merge store has of the platform's streams.

    Raises StreamFactoryError: no DSN, no connection, no table, no answer in time.
    """
    platform, schema = settings.platform_name, settings.merge_store_schema
    text, where = dsn or merge_store_dsn(platform)
    with control_session(text, where, platform, schema, readonly=True) as session:
        session.execute("SET LOCAL statement_timeout = %(time)s", {"time": f"{STATEMENT_SECONDS}s"}, where=where)
        table, batches = StreamTable(session), BatchTables(session)
        rows = table.select(retired=True)
        keys = [row.stream_key for row in rows if row.status != "retired"]
        found = Stored(rows, table.gone_streams(), batches.last_looks(keys), batches.clock())
        failed, unread = failed_runs(batches)
        errors = SourceChecks(session).errors()
    return found._replace(looks=with_failed_runs(found.looks, failed), unread=unread, source_errors=errors)


def failed_runs(batches: BatchTables) -> tuple[Mapping[str, FailedRuns], str]:
    """Return the failed runs of each stream, or why they are not known: a login of old lacks a right on a new table.

    The last that is read in a session: its transaction may have been rolled back.
    """
    try:
        return batches.failed_runs(), ""
    except MergeStoreError as error:
        if error.pgcode != errorcodes.INSUFFICIENT_PRIVILEGE:
            raise
        batches.session.connection.rollback()
        return {}, f"{error.where}: {error.what}"


def with_failed_runs(looks: Mapping[str, LastLook], failed: Mapping[str, FailedRuns]) -> dict[str, LastLook]:
    """Return the looks with the failed runs of their streams; of streams without a look too."""
    return {key: replace(looks.get(key) or LastLook(), failed_runs=failed.get(key)) for key in {*looks, *failed}}
