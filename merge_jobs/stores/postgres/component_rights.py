"""The logins of Airflow's components get their rights on tables that a job has made, or that lack them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config_schema.sql.component_logins import ComponentRights
from merge_jobs.stores.postgres.merge_store import MergeStore


def component_rights(store: MergeStore) -> ComponentRights:
    """Return the rights on the platform's tables, to be looked at and changed in the store's transaction."""

    def run(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        cursor = store.session.cursor()
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []

    return ComponentRights(run, store.stream.platform_name, store.place.schema)
