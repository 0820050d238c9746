"""The batch tables of a platform, brought to the version that this job wants, as config_schema.sql.upgrade does it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from config_schema.sql import upgrade
from config_schema.sql.upgrade import ControlDatabase
from config_schema.sql.versions import Part, Standing
from merge_jobs.process import shutdown
from merge_jobs.stores.postgres.component_rights import component_rights
from merge_jobs.stores.postgres.merge_store import MergeStore

log = logging.getLogger(__name__)


def standing(store: MergeStore) -> Standing:
    """Return which migrations the platform's batch tables have, in one round trip. Ends no transaction."""
    return upgrade.standing(_database(store), Part.BATCHES)


def run_missing_migrations(store: MergeStore) -> None:
    """Run the migrations that the batch tables lack, with the rights of components on new tables. Commits.

    Raises TablesTooOld where the login may not, TablesTooNew, or TablesOfAnother.
    """
    found = standing(store)
    found.check_owner(store.where)  # who owns a table has their triggers called by who writes to it
    run = upgrade.upgrade(_database(store), found)
    for migration in run:
        log.info("%s: migration %s run", store.where, migration)
    if run:
        component_rights(store).grant_lacking()
    store.commit()


def _database(store: MergeStore) -> ControlDatabase:
    def run(query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with store.session.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def pause(seconds: float) -> None:
        shutdown.pause(seconds)
        shutdown.check()

    platform, schema = store.stream.platform_name, store.place.schema
    return ControlDatabase(store.where, platform, schema, run, store.commit, store.rollback, pause)
