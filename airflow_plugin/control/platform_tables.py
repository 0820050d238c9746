"""The tables of a platform that is no more: dropped together, and only where nothing of it runs or stands in use.

The statements are in platform_tables.sql, beside it. Functions take a psycopg2 connection and never commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2 import errorcodes, sql
from psycopg2.extensions import connection as Connection

from airflow_plugin.control.connection import MergeStoreError, worded
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.object_comments import told_by
from config_schema.sql.statements import Statement, load_statements


@dataclass(frozen=True)
class PlatformTables:
    """What of a platform is in its merge store, each as (schema, table)."""

    merged: tuple[tuple[str, str], ...]  # merge tables that are not archived
    archived: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]  # streams, history, model state, batches
    archive: str | None  # the schema of those archived, None where there are none


def platform_tables(connection: Connection, platform: str, schema: str) -> PlatformTables:
    """The tables of the platform of this derived name. Raises MergeStoreError."""
    archive = names.archive_schema(platform)
    archived = _of_platform(connection, platform, archive)
    wanted = {"schema": schema, "tables": list(names.platform_tables(platform))}
    others = tuple((schema, name) for name, _ in _fetch(connection, platform, "select_there", wanted))
    return PlatformTables(_of_platform(connection, platform, schema), archived, others, archive if archived else None)


def drop(connection: Connection, platform: str, found: PlatformTables) -> list[str]:
    """Drop them all; returns their names. Raises StreamFactoryError, for what others built on one of them too."""
    if found.merged:
        table = found.merged[0][1]
        what = f"{len(found.merged)} of its merge tables are not archived, {table} for one"
        raise StreamFactoryError(platform, what, "Retire the platform first, without --drop")
    tables = [*found.archived, *found.others]
    for schema, table in tables:
        _execute(connection, f"{schema}.{table}", "drop_table", table=sql.Identifier(schema, table))
    if found.archive is not None:
        _execute(connection, found.archive, "drop_schema", schema=sql.Identifier(found.archive))
    return [f"{schema}.{table}" for schema, table in tables]


def _of_platform(connection: Connection, platform: str, schema: str) -> tuple[tuple[str, str], ...]:
    """Merge tables, staging and maps, by what their comments say."""
    rows = _fetch(connection, platform, "select_tables", {"schema": schema})
    return tuple((schema, table) for table, comment in rows if told_by(comment).get("platform") == platform)


def _fetch(connection: Connection, where: str, name: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with worded(where), connection.cursor() as cursor:
        cursor.execute(_statements()[name].checked((), values), values)
        return cursor.fetchall()


def _execute(connection: Connection, where: str, name: str, **parts: sql.Composable) -> None:
    try:
        with worded(where), connection.cursor() as cursor:
            cursor.execute(sql.SQL(_statements()[name].checked(parts, ())).format(**parts))
    except MergeStoreError as error:
        if error.pgcode != errorcodes.DEPENDENT_OBJECTS_STILL_EXIST:
            raise
        todo = "Run dagfactory views reconcile for views of ours, and let who built the others take them away"
        raise StreamFactoryError(where, "views or other things stand on it", todo) from error


@cache
def _statements() -> dict[str, Statement]:
    return load_statements(Path(__file__).with_suffix(".sql"))
