"""Rights on a platform's tables, granted to the logins that are there: those of config_schema.sql.component_logins.

Functions take a psycopg2 connection of the tables' owner, and never commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from airflow_plugin.control.connection import worded
from config_schema import names
from config_schema.sql import component_logins as logins
from config_schema.sql.component_logins import Grant, Held


def grant_lacking(connection: Connection, platform: str, schema: str) -> list[Grant]:
    """Grant what the logins lack on the tables that are there; return it. Nothing where there are no such logins.

    Tables of another owner are left alone. Raises MergeStoreError.
    """
    return _changed(connection, "grant", platform, schema, logins.lacking)


def revoke_beyond(connection: Connection, platform: str, schema: str) -> list[Grant]:
    """Revoke what the logins have on these tables beyond their duty; return it. Raises MergeStoreError."""
    return _changed(connection, "revoke", platform, schema, logins.beyond)


def database_of(connection: Connection) -> str:
    """Return the database's name as the server has it; a pooler may have another one."""
    with worded("merge store"), connection.cursor() as cursor:
        cursor.execute(logins.statements()["database"].checked(()))
        ((database,),) = cursor.fetchall()
        return str(database)


def held(connection: Connection, platform: str, schema: str) -> tuple[str, Held]:
    """Return the database, and what each login holds on each table. Raises MergeStoreError."""
    database = database_of(connection)
    values = logins.lookup(platform, database, schema)
    with worded(names.stream_table(platform)), connection.cursor() as cursor:
        cursor.execute(logins.statements()["held"].checked((), values), values)
        return database, cursor.fetchall()


def composed_grant(name: str, schema: str, grant: Grant) -> sql.Composed:
    """Return the statement `grant` or `revoke` for it."""
    parts = {
        "privileges": sql.SQL(", ").join(map(sql.SQL, grant.privileges)),
        "table": sql.Identifier(schema, grant.table),
        "role": sql.Identifier(grant.role),
    }
    return sql.SQL(logins.statements()[name].checked(parts)).format(**parts)


def _changed(
    connection: Connection, name: str, platform: str, schema: str, wanted: Callable[[str, str, Held], Iterable[Grant]]
) -> list[Grant]:
    """Grant or revoke what is wanted in view of what the logins hold; return it."""
    if not list(wanted(platform, *held(connection, platform, schema))):
        return []
    with worded(names.stream_table(platform)), connection.cursor() as cursor:
        values = {"schema": schema, "platform": platform}
        cursor.execute(logins.statements()["lock"].checked((), values), values)
        grants = list(wanted(platform, *held(connection, platform, schema)))  # another may have done it meanwhile
        for grant in grants:
            cursor.execute(composed_grant(name, schema, grant))
    return grants
