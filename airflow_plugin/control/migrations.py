"""Brings a platform's tables to the version that this program wants, by config_schema.sql.upgrade."""

from __future__ import annotations

import time

from airflow_plugin.control.session import ControlSession
from config_schema import names
from config_schema.sql import upgrade, versions
from config_schema.sql.component_logins import ComponentRights
from config_schema.sql.upgrade import ControlDatabase
from config_schema.sql.versions import Migration, Part, TablesVersion


def tables_version(session: ControlSession, part: Part) -> TablesVersion:
    """Return which migrations a part of the platform's tables has. Raises MergeStoreError; never commits."""
    return upgrade.tables_version(_database(session), part)


def refuse_tables_of_others(session: ControlSession) -> None:
    """Raise TablesOfAnother if a stranger has made a table of the platform's, for a login that makes tables."""
    made = [table for part in Part for table in versions.tables(session.platform, part)]
    tables = {*made, names.schema_version_table(session.platform)}
    database = _database(session)
    upgrade.refuse_tables_of_others(database.run, database.where, session.schema, sorted(tables))


def run_missing_migrations(session: ControlSession, part: Part) -> list[str]:
    """Run the migrations that are missing, in the caller's transaction; return the tables that were created.

    Raises TablesTooOld where the login may not, TablesTooNew, or MergeStoreError.
    """
    database = _database(session)
    before = upgrade.run_missing_migrations(database, upgrade.tables_version(database, part))
    if before.needed:
        ComponentRights(database.run, database.platform, database.schema).grant_lacking()
    return list(before.lost)


def upgrade_part(session: ControlSession, found: TablesVersion) -> list[Migration]:
    """Run the migrations that `found` lacks, each in a transaction of its own, and commit; return what was run."""
    database = _database(session)
    run = upgrade.upgrade(database, found)
    if run:
        ComponentRights(database.run, database.platform, database.schema).grant_lacking()
        database.commit()
    return run


def _database(session: ControlSession) -> ControlDatabase:
    where = f"tables of {session.platform}"
    return ControlDatabase(
        where,
        session.platform,
        session.schema,
        run=lambda query, values: session.execute(query, values, where=where),
        commit=lambda: session.commit(where),
        rollback=session.connection.rollback,
        pause=time.sleep,
    )
