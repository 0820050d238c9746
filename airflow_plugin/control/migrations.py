"""A platform's tables brought to the version that this program wants, as config_schema.sql.upgrade does it.

Functions take a psycopg2 connection and the derived platform name (`yellowlive`).
"""

from __future__ import annotations

import time

from psycopg2.extensions import connection as Connection

from airflow_plugin.control.session import ControlSession
from config_schema.sql import upgrade
from config_schema.sql.component_logins import grant_lacking
from config_schema.sql.upgrade import ControlDatabase
from config_schema.sql.versions import Migration, Part, Standing


def standing(connection: Connection, platform: str, schema: str, part: Part) -> Standing:
    """Return which migrations a part of the platform's tables has. Raises MergeStoreError; never commits."""
    return upgrade.standing(_database(connection, platform, schema), part)


def bring_up(connection: Connection, platform: str, schema: str, part: Part) -> list[str]:
    """Run the migrations that are missing, in the caller's transaction; return the tables that were created.

    Raises TablesTooOld where the login may not, TablesTooNew, or MergeStoreError.
    """
    database = _database(connection, platform, schema)
    before = upgrade.bring_up(database, upgrade.standing(database, part))
    if before.needed:
        grant_lacking(database.run, platform, schema)
    return list(before.lost)


def upgrade_part(connection: Connection, platform: str, schema: str, found: Standing) -> list[Migration]:
    """Run the migrations that `found` lacks, each in a transaction of its own, and commit; return what was run."""
    database = _database(connection, platform, schema)
    run = upgrade.upgrade(database, found)
    if run:
        grant_lacking(database.run, platform, schema)
        database.commit()
    return run


def _database(connection: Connection, platform: str, schema: str) -> ControlDatabase:
    session = ControlSession(connection, platform, schema)
    where = f"tables of {platform}"
    return ControlDatabase(
        where,
        platform,
        schema,
        run=lambda query, values: session.execute(query, values, where=where),
        commit=lambda: session.commit(where),
        rollback=connection.rollback,
        pause=time.sleep,
    )
