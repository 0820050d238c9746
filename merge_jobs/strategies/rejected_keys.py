"""Duplicate and NULL keys of a source: finds, counts and reports them, without showing them in a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import psycopg2
from psycopg2 import sql

from config_schema.model import SourceKind
from merge_jobs.errors import KeysRejected, RejectedKeys
from merge_jobs.stores.postgres.tables import DatasetTables

SAMPLE = 1000  # keys kept for operators
# What is run once a key was refused, to say which.
KEY_CHECKS = tuple(
    f"dataset.{name}"
    for name in ("back_to_keys_savepoint", "null_keys", "duplicate_keys", "nulls_query", "duplicates_query")
)
T = TypeVar("T")


def with_keys_checked(tables: DatasetTables, loaded: sql.Identifier, write: Callable[[], T]) -> T:
    """Run `write`, which an index or NOT NULL may refuse; if so, raise KeysRejected with the bad keys in `loaded`."""
    tables.store.later("dataset.keys_savepoint")
    try:
        return write()
    except (psycopg2.errors.UniqueViolation, psycopg2.errors.NotNullViolation):
        tables.store.run("dataset.back_to_keys_savepoint")
        refuse_bad_keys(tables, loaded)
        raise


def refuse_bad_keys(tables: DatasetTables, loaded: sql.Identifier) -> None:
    """Raise KeysRejected if the table `loaded` has NULL or duplicate keys."""
    for reason, what in (("null", "rows with a NULL in their key"), ("duplicate", "keys of more than one row")):
        rows = tables.run(f"dataset.{reason}_keys", {"limit": SAMPLE}, table=loaded).fetchall()
        if rows:
            sample = tuple((key, int(count)) for key, count, _ in rows)
            rejected = RejectedKeys(tables.name, reason, int(rows[0][2]), sample)
            raise KeysRejected(
                f"{tables.where}: key ({', '.join(tables.dataset.primary_key)})",
                f"{what} in the source: {rejected.number}",
                f"Correct them; to find them in the source: {_query(tables, reason)}",
                rejected,
            )


def _query(tables: DatasetTables, reason: str) -> str:
    """Return the query that finds such keys, in the SQL of the source."""
    source = tables.store.stream.store.source
    if source.kind is SourceKind.POSTGRESQL:
        return tables.text(f"dataset.{reason}s_query")
    if source.kind is SourceKind.FILES:
        return f"look for them in {tables.dataset.source_table} of {source.database}"
    if source.kind is SourceKind.REST:
        return f"look for them in the records of {tables.dataset.source_table} below {source.database}"
    # SQLAlchemy is loaded for those who need it.
    from merge_jobs.sources.sql.key_queries import bad_keys_query

    return bad_keys_query(source, tables.dataset, reason)
