"""The merge job's batch tables, read only: what a run committed. The merge job creates and writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2 import errorcodes, sql
from psycopg2.extensions import connection as Connection

from airflow_plugin.control.connection import MergeStoreError, connect, worded
from config_schema import names
from config_schema.result import MergeResult, result_from_dict
from config_schema.sql.object_comments import told_by
from config_schema.sql.statements import Statement, load_statements


@dataclass(frozen=True)
class TableSize:
    """A merge table: of which stream, in which schema, with its indexes, and about how many rows it has."""

    stream: str
    schema: str
    size: int  # bytes
    rows: int


@dataclass(frozen=True)
class LastLook:
    """When a stream's merge table was last made equal to its source, or seen to be; and the batch that is open, if any.

    `open_status` is started, ingested or failed; `error` is why it failed.
    """

    at: datetime | None = None
    open_batch: int | None = None
    open_status: str | None = None
    error: str | None = None
    last_batch: int | None = None  # the last one that was committed


def result_of_run(
    dsn: str, platform: str, stream_key: str, run_id: str, *, where: str = "merge store", schema: str = "public"
) -> MergeResult | None:
    """The newest result that a run of the stream committed; None if there is none. Raises MergeStoreError."""
    values = {"stream_key": stream_key, "run_id": run_id}
    query = _composed("result_of_run", platform, schema, values)
    connection = connect(dsn, where)
    try:
        with worded(where), connection.cursor() as cursor:
            cursor.execute(query, values)
            row = cursor.fetchone()
    except MergeStoreError as error:
        if error.pgcode == errorcodes.UNDEFINED_TABLE:  # no job has run yet
            return None
        raise
    finally:
        connection.close()
    return None if row is None or row[1] is None else result_from_dict(row[1])


def last_looks(
    connection: Connection, platform: str, stream_keys: Sequence[str], schema: str = "public"
) -> dict[str, LastLook]:
    """Of each of the streams; of none before the first job has run. Raises MergeStoreError; never commits."""
    values = {"stream_keys": list(stream_keys)}
    query = _composed("last_looks", platform, schema, values)
    try:
        with worded(names.batch_counter_table(platform)), connection.cursor() as cursor:
            cursor.execute(query, values)
            return {key: LastLook(*rest) for key, *rest in cursor.fetchall()}
    except MergeStoreError as error:
        if error.pgcode == errorcodes.UNDEFINED_TABLE:
            connection.rollback()
            return {}
        raise


def clock_of(connection: Connection) -> datetime:
    """Return the time by the merge store's clock, which wrote the times of rows and batches. Never commits."""
    with worded("merge store"), connection.cursor() as cursor:
        cursor.execute(sql.SQL(_statements()["clock"].checked((), {})).format())
        (now,) = cursor.fetchone() or (None,)
    assert isinstance(now, datetime)
    return now


def origin_of(connection: Connection, platform: str, stream_key: str, schema: str = "public") -> dict[str, Any] | None:
    """Where the rows of the stream's newest batch come from, as the merge job wrote it down. Raises MergeStoreError."""
    values = {"stream_key": stream_key}
    with worded(names.batch_metrics_table(platform)), connection.cursor() as cursor:
        cursor.execute(_composed("origin", platform, schema, values), values)
        row = cursor.fetchone()
    return None if row is None else row[0]


def columns_of(connection: Connection, tables: Sequence[str], schema: str = "public") -> dict[str, dict[str, str]]:
    """Of each table that is there, the type of each column, in the table's order. Raises MergeStoreError."""
    values = {"schema": schema, "tables": list(tables)}
    found: dict[str, dict[str, str]] = {}
    with worded("merge tables"), connection.cursor() as cursor:
        cursor.execute(_statements()["columns"].checked((), values), values)
        for table, column, kind in cursor.fetchall():
            found.setdefault(table, {})[column] = kind
    return found


def merge_table_sizes(connection: Connection, platform: str, schema: str = "public") -> list[TableSize]:
    """Of all merge tables of the platform, archived ones too. Raises MergeStoreError."""
    values = {"schemas": [schema, names.archive_schema(platform)]}
    with worded("merge tables"), connection.cursor() as cursor:
        cursor.execute(sql.SQL(_statements()["table_sizes"].checked((), values)).format(), values)
        found = [(told_by(comment), TableSize("", *rest)) for comment, *rest in cursor.fetchall()]
    return [replace(size, stream=told["stream"]) for told, size in found if told.get("platform") == platform]


def _composed(name: str, platform: str, schema: str, values: Mapping[str, Any]) -> sql.Composed:
    tables = {"counter": names.batch_counter_table(platform), "metrics": names.batch_metrics_table(platform)}
    statement = _statements()[name]
    text = sql.SQL(statement.checked(tables.keys() & statement.identifiers, values))
    # Beside values the driver would read a % in a name as a placeholder.
    quoted = {key: sql.Identifier(schema.replace("%", "%%"), tables[key]) for key in statement.identifiers}
    return text.format(**quoted)


@cache
def _statements() -> dict[str, Statement]:
    return load_statements(Path(__file__).with_suffix(".sql"))
