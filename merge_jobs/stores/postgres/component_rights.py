"""Gives the logins of Airflow's components their rights on tables that a job has created, or that lack them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extensions import connection as Connection

from config_schema.sql.component_logins import ComponentRights
from merge_jobs.stores.postgres.merge_store import MergeStore


def component_rights(store: MergeStore) -> ComponentRights:
    """Return the rights on the platform's tables, to read and change in the store's transaction."""
    return component_rights_in(store.session, store.stream.platform_name, store.place.schema)


def component_rights_in(session: Connection, platform: str, schema: str) -> ComponentRights:
    """Return the rights on a platform's tables, to read and change in the session's transaction."""

    def run(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with session.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    return ComponentRights(run, platform, schema)
