"""What a lake has of a dataset, read by DuckDB through the views of the script that users run."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import duckdb

from config_schema.model import Milestoning
from merge_jobs.stores.lake.duckdb_views import NothingInLake, quoted, script
from merge_jobs.stores.postgres.merge_store import MergeStore

OPEN = 2147483647


def script_of(case: Any, kind: Milestoning) -> str:
    """The script for the case's stream."""
    job = case.job(kind, "reader")
    with MergeStore(job.store, job.stream, "reader") as store:
        try:
            return script(store)
        except NothingInLake:
            return ""


def read(case: Any, kind: Milestoning, view: str) -> list[tuple[Any, ...]] | None:
    """The rows of a view; None if there is none."""
    with closing(duckdb.connect()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(script_of(case, kind) or "SELECT 1")
        if not connection.execute("SELECT 1 FROM duckdb_views() WHERE view_name = ?", [view]).fetchall():
            return None
        platform = case.job(kind, "reader").stream.platform_name
        return connection.execute(f"SELECT * FROM {quoted(platform)}.{quoted(view)}").fetchall()


def versions(case: Any, kind: Milestoning, dataset: Any) -> list[Any]:
    """As Merging.versions; the values as PostgreSQL writes them, for a comparison with the producer's."""
    is_live = kind is Milestoning.LIVE
    view = f"Store1_{dataset.name}_{'live' if is_live else 'full'}"
    found = read(case, kind, view)
    if not found:
        return []
    width = len(dataset.columns)
    texts = _as_postgresql_writes(case, dataset, [row[:width] for row in found])
    places = [[column.name for column in dataset.columns].index(name) for name in dataset.primary_key]
    spans = [(0, OPEN) if is_live else (row[width], row[width + 1]) for row in found]
    return [(tuple(row[k] for k in places), row, span) for row, span in zip(texts, spans, strict=True)]


def _as_postgresql_writes(case: Any, dataset: Any, rows: list[tuple[Any, ...]]) -> list[tuple[str | None, ...]]:
    types = [column.type for column in dataset.columns]
    with closing(case.target.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET TimeZone = 'UTC'")
        select = "SELECT " + ", ".join(f"(%s)::{of}::text" for of in types)
        found = []
        for row in rows:
            cursor.execute(select, [_given(value) for value in row])
            found.append(cursor.fetchone())
        return found


def _given(value: Any) -> Any:
    if isinstance(value, list):
        return [_given(one) for one in value]
    if isinstance(value, float):
        return repr(value)  # as a number -0.0 would be 0
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return str(value) if type(value).__name__ == "UUID" else value
