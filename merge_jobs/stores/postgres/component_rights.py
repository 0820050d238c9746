"""The logins of Airflow's components get their rights on tables that a job has made, or that lack them."""

from __future__ import annotations

from psycopg2 import sql

from config_schema.sql import component_logins as logins
from config_schema.sql.component_logins import Grant
from merge_jobs.stores.postgres.merge_store import MergeStore


def grant_lacking(store: MergeStore) -> list[Grant]:
    """Grant what the logins lack on the platform's tables, in the caller's transaction; return it.

    Nothing where there are no such logins, or where the tables have another owner.
    """
    if not lacking_rights(store):
        return []
    values = {"schema": store.place.schema, "platform": store.stream.platform_name}
    store.session.cursor().execute(logins.statements()["lock"].checked((), values), values)
    lacking = lacking_rights(store)  # another session may have done it meanwhile
    statement = logins.statements()["grant"]
    for grant in lacking:
        parts = {
            "privileges": sql.SQL(", ").join(map(sql.SQL, grant.privileges)),
            "table": store.table(grant.table),
            "role": sql.Identifier(grant.role),
        }
        store.session.cursor().execute(sql.SQL(statement.checked(parts)).format(**parts))
    return lacking


def lacking_rights(store: MergeStore) -> list[Grant]:
    """Return what the logins lack on the platform's tables."""
    platform, cursor = store.stream.platform_name, store.session.cursor()
    cursor.execute(logins.statements()["database"].checked(()))
    ((database,),) = cursor.fetchall()
    values = logins.lookup(platform, database, store.place.schema)
    cursor.execute(logins.statements()["held"].checked((), values), values)
    return list(logins.lacking(platform, database, cursor.fetchall()))
