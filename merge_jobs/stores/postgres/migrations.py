"""Brings a platform's batch tables to the version that this job wants, and gives components their rights on them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from psycopg2.extensions import connection as Connection

from config_schema.sql import upgrade
from config_schema.sql.component_logins import ComponentRights
from config_schema.sql.upgrade import ControlDatabase
from config_schema.sql.versions import Part, TablesVersion
from merge_jobs.database.session import Session
from merge_jobs.process import shutdown
from merge_jobs.stores.postgres.merge_store import MergeStore

log = logging.getLogger(__name__)


def tables_version(store: MergeStore) -> TablesVersion:
    """Return which migrations the platform's batch tables have, in one round trip. Ends no transaction."""
    return upgrade.tables_version(_of_store(store), Part.BATCHES)


def run_missing_migrations(store: MergeStore) -> None:
    """Run the migrations that the batch tables lack, with the rights of components on new tables, and commit them.

    Raises TablesTooOld where the login may not, TablesTooNew, or TablesOfAnother.
    """
    _run_missing(_of_store(store), store.session)


def run_missing_in(session: Session, where: str, platform: str, schema: str) -> None:
    """Do the same in a session that is of no stream: `platform` is the derived name."""
    _run_missing(_database(session, where, platform, schema, session.commit, session.rollback), session)


def _run_missing(database: ControlDatabase, session: Session) -> None:
    found = upgrade.tables_version(database, Part.BATCHES)
    found.check_owner(database.where)  # who owns a table has their triggers called by who writes to it
    run = upgrade.upgrade(database, found)
    for migration in run:
        log.info("%s: migration %s run", database.where, migration)
    if run:
        component_rights_in(session, database.platform, database.schema).grant_lacking()
        database.commit()


def _of_store(store: MergeStore) -> ControlDatabase:
    of = store.where, store.stream.platform_name, store.place.schema
    return _database(store.session, *of, store.commit, store.rollback)


def _database(
    session: Session,
    where: str,
    platform: str,
    schema: str,
    commit: Callable[[], None],
    rollback: Callable[[], None],
) -> ControlDatabase:
    def pause(seconds: float) -> None:
        shutdown.pause(seconds)
        shutdown.check()

    return ControlDatabase(where, platform, schema, _runner(session), commit, rollback, pause)


def component_rights(store: MergeStore) -> ComponentRights:
    """Return the rights on the platform's tables, to read and change in the store's transaction."""
    return component_rights_in(store.session, store.stream.platform_name, store.place.schema)


def component_rights_in(session: Connection, platform: str, schema: str) -> ComponentRights:
    """Return the rights on a platform's tables, to read and change in the session's transaction."""
    return ComponentRights(_runner(session), platform, schema)


def _runner(session: Connection) -> Callable[[str, Mapping[str, Any]], list[tuple[Any, ...]]]:
    """Return what runs a statement with values in the session, and returns its rows."""

    def run(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with session.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    return run
