"""The tables of a retired platform: dropped together, and only if no job of it runs and nobody uses them.

The statements are in platform_tables.sql, beside it. Functions never commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2 import errorcodes, sql

from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.session import NO_VALUES, ControlSession
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.object_comments import parsed_comment
from config_schema.sql.statements import SqlFile

STATEMENTS = SqlFile(__file__)


@dataclass(frozen=True)
class PlatformTables:
    """What of a platform is in its merge store, each as (schema, table)."""

    merged: tuple[tuple[str, str], ...]  # merge tables that are not archived
    archived: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]  # streams, history, model state, batches
    archive: str | None  # the schema of those archived, None where there are none


def platform_tables(session: ControlSession) -> PlatformTables:
    """Return the tables of the session's platform. Raises MergeStoreError."""
    archive = names.archive_schema(session.platform)
    archived = _of_platform(session, archive)
    wanted = {"schema": session.schema, "tables": list(names.platform_tables(session.platform))}
    rows = session.run(STATEMENTS["select_there"], wanted, where=session.platform)
    others = tuple((session.schema, name) for name, _ in rows)
    return PlatformTables(_of_platform(session, session.schema), archived, others, archive if archived else None)


def tables_there(session: ControlSession, tables: Sequence[str]) -> frozenset[str]:
    """Return which of these tables the session's schema has. Raises MergeStoreError."""
    wanted = {"schema": session.schema, "tables": list(tables)}
    return frozenset(name for name, _ in session.run(STATEMENTS["select_there"], wanted, where=session.platform))


class TablesNotArchived(StreamFactoryError):
    """The tables of a platform cannot be dropped, because merge tables of it are not in its archive.

    Retire the platform first, without --drop.
    """

    code = "DF2003"

    def __init__(self, platform: str, tables: Sequence[str]) -> None:
        self.platform, self.tables = platform, tuple(tables)
        what = f"{len(self.tables)} of its merge tables are not archived, {self.tables[0]} for one"
        super().__init__(platform, what, "Retire the platform first, without --drop")


class TableInUse(StreamFactoryError):
    """A table cannot be dropped, because views or other objects are built on it.

    Run dagfactory views reconcile for our views, and let the owners of the others drop them.
    """

    code = "DF2004"

    def __init__(self, table: str) -> None:
        todo = "Run dagfactory views reconcile for views of ours, and let who built the others take them away"
        super().__init__(table, "views or other things stand on it", todo)


def drop(session: ControlSession, found: PlatformTables) -> list[str]:
    """Drop them all and return their names. Raises StreamFactoryError, for what others built on one of them too."""
    if found.merged:
        raise TablesNotArchived(session.platform, [table for _, table in found.merged])
    tables = [*found.archived, *found.others]
    for schema, table in tables:
        _drop(session, f"{schema}.{table}", "drop_table", table=sql.Identifier(schema, table))
    function = names.stream_revision_trigger(session.platform)
    _drop(session, function, "drop_revision_trigger", function=sql.Identifier(session.schema, function))
    if found.archive is not None:
        _drop(session, found.archive, "drop_schema", schema=sql.Identifier(found.archive))
    return [f"{schema}.{table}" for schema, table in tables]


def _of_platform(session: ControlSession, schema: str) -> tuple[tuple[str, str], ...]:
    """Return merge tables, staging and maps, by what their comments say."""
    rows = session.run(STATEMENTS["select_tables"], {"schema": schema}, where=session.platform)
    return tuple(
        (schema, table) for table, comment in rows if parsed_comment(comment).get("platform") == session.platform
    )


def _drop(session: ControlSession, where: str, name: str, **parts: sql.Composable) -> None:
    try:
        session.run(STATEMENTS[name], NO_VALUES, where=where, **parts)
    except MergeStoreError as error:
        if error.pgcode != errorcodes.DEPENDENT_OBJECTS_STILL_EXIST:
            raise
        raise TableInUse(where) from error
