"""Views are dropped while a merge table changes: PostgreSQL alters no type of a column that a view reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from merge_jobs.sql import composed
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.views.catalog import Right, rows
from merge_jobs.views.grants import Object, regranted


@contextmanager
def views_aside(tables: DatasetTables, columns: Collection[str]) -> Iterator[None]:
    """Drop our views that read the columns, and create them again as they were, with their rights.

    All in the caller's transaction: nobody sees the gap. Views that others have built on ours stay, and prevent the
    drop.
    """
    with detached_views(tables.store.session, tables.store.place.schema, tables.merge_name, columns):
        yield


@contextmanager
def detached_views(session: Connection, schema: str, table: str, columns: Collection[str]) -> Iterator[None]:
    """Drop the views that read these columns of a table, and create them again when the context ends."""
    values = {"schema": schema, "table": table, "columns": list(columns)}
    found = rows(session, "on_columns", values) if columns else []
    rights: dict[tuple[str, str], list[Right]] = defaultdict(list)
    for space in {space for space, *_ in found}:
        for kind, name, role, privilege, may_grant in rows(session, "rights", {"schema": space}):
            if kind == "TABLE":
                rights[space, name].append(Right(role, privilege, may_grant))
    with session.cursor() as cursor:
        for space, name, *_ in found:
            cursor.execute(composed("views.drop_view", {"view": sql.Identifier(space, name)}, {}))
        yield
        for space, name, query, comment, hides_rows in found:
            parts = {
                "view": sql.Identifier(space, name),
                "query": sql.SQL(query.rstrip().rstrip(";")),  # as the catalogue writes it
                "comment": sql.Literal(comment),
                "hides_rows": sql.SQL("true" if hides_rows else "false"),
            }
            cursor.execute(composed("views.create_view", parts, {}))
            for change in regranted(Object("TABLE", name, space), rights[space, name]):
                for statement in change.statements:
                    cursor.execute(statement)
