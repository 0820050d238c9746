"""The logins of Airflow's components get their rights on tables that a job has made, or that lack them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config_schema.sql import component_logins as logins
from config_schema.sql.component_logins import Grant
from merge_jobs.stores.postgres.merge_store import MergeStore


def grant_lacking(store: MergeStore) -> list[Grant]:
    """Grant what the logins lack on the platform's tables, in the caller's transaction; return it.

    Nothing where there are no such logins, or where the tables have another owner.
    """
    return logins.grant_lacking(*_of(store))


def lacking_rights(store: MergeStore) -> list[Grant]:
    """Return what the logins lack on the platform's tables."""
    return logins.lacking_rights(*_of(store))


def _of(store: MergeStore) -> tuple[logins.Run, str, str]:
    def run(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        cursor = store.session.cursor()
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []

    return run, store.stream.platform_name, store.place.schema
