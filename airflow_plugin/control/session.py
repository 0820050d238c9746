"""A session on a platform's control database: a connection, and how the statements of .sql files run on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2 import errorcodes, sql
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_batch

from airflow_plugin.control.connection import MergeStoreError, connect, translate_db_errors
from airflow_plugin.control.pinned_session import PinnedCursor
from airflow_plugin.settings import PlatformSettings
from config_schema import names
from config_schema.sql.statements import SqlFile, Statement, quoted

STATEMENTS = SqlFile(__file__)
ROWS_A_ROUND_TRIP = 200
# What a statement calls the tables of its platform.
TABLES = {
    "stream_table": names.stream_table,
    "history_table": names.stream_history_table,
    "revision_table": names.stream_revision_table,
    "model_state_table": names.model_state_table,
    "compiled_model_table": names.compiled_model_table,
    "job_model_table": names.job_model_table,
    "stream_alerts": names.stream_alerts_table,
    "counter": names.batch_counter_table,
    "metrics": names.batch_metrics_table,
    "row_maps": names.row_maps_table,
    "run_results": names.run_results_table,
    "progress": names.progress_table,
    "source_checks": names.source_checks_table,
}
NO_VALUES: Mapping[str, Any] = {}


@dataclass(frozen=True)
class ControlSession:
    """A connection, with the platform (its derived name) and the schema of the tables that statements name.

    A session without a platform runs statements that name none of its tables. Errors of PostgreSQL rise as
    MergeStoreError; `where` names in them what was asked, if not the stream table. Only `commit` commits.
    """

    connection: Connection
    platform: str = ""
    schema: str = "public"

    @classmethod
    def of(cls, connection: Connection, settings: PlatformSettings) -> ControlSession:
        """Return the session of a platform with these settings."""
        return cls(connection, settings.platform_name, settings.merge_store_schema)

    def run(
        self,
        statement: Statement,
        values: Mapping[str, Any] = NO_VALUES,
        /,
        *,
        where: str | None = None,
        **parts: sql.Composable,
    ) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows; empty for one that gives none. `parts` are other names than TABLES."""
        if values:
            parts = self._escaped(parts)
        return self.execute(composed(statement, self.platform, self.schema, values, **parts), values, where=where)

    def run_if_created(
        self, statement: Statement, values: Mapping[str, Any] = NO_VALUES, *, where: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Do the same; where one of its tables is not created yet, roll back and return no rows."""
        return self._run_unless(statement, values, where, (errorcodes.UNDEFINED_TABLE,))

    def run_if_readable(
        self, statement: Statement, values: Mapping[str, Any] = NO_VALUES, *, where: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Do the same also where the login may not read a table: one that a newer job has made, without our rights."""
        unreadable = errorcodes.UNDEFINED_TABLE, errorcodes.INSUFFICIENT_PRIVILEGE
        return self._run_unless(statement, values, where, unreadable)

    def _run_unless(
        self, statement: Statement, values: Mapping[str, Any], where: str | None, codes: tuple[str, ...]
    ) -> list[tuple[Any, ...]]:
        try:
            return self.run(statement, values, where=where)
        except MergeStoreError as error:
            if error.pgcode not in codes:
                raise
            self.connection.rollback()
            return []

    def run_for_each(self, statement: Statement, rows: Iterable[Mapping[str, Any]], /, **parts: sql.Composable) -> None:
        """Run a statement that gives no rows once for each of the values, many in a round trip."""
        rows = list(rows)
        if not rows:
            return
        query = composed(statement, self.platform, self.schema, rows[0], **self._escaped(parts))
        with translate_db_errors(self.where), self.connection.cursor() as cursor:
            if isinstance(cursor, PinnedCursor):
                cursor.ask_for_tables(query, has_values=True)
            execute_batch(cursor, query.as_string(cursor), rows, page_size=ROWS_A_ROUND_TRIP)

    def execute(
        self, query: str | sql.Composable, values: Mapping[str, Any] = NO_VALUES, *, where: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Run what is composed already and return its rows."""
        with translate_db_errors(where or self.where), self.connection.cursor() as cursor:
            cursor.execute(query, values or None)  # without values the driver leaves every % alone
            return cursor.fetchall() if cursor.description else []

    def _escaped(self, parts: Mapping[str, sql.Composable]) -> dict[str, sql.Composable]:
        """Return the parts for a statement with values: the driver would read a % in a name as a placeholder."""
        return {key: sql.SQL(part.as_string(self.connection).replace("%", "%%")) for key, part in parts.items()}

    def has_table(self, table: str) -> bool:
        """Return whether the schema has a table of this name."""
        return bool(self.run(STATEMENTS["table_exists"], {"table": quoted(self.schema, table)})[0][0])

    def commit(self, where: str | None = None) -> None:
        """Commit. Raises MergeStoreError."""
        with translate_db_errors(where or self.where):
            self.connection.commit()

    @property
    def where(self) -> str:
        """The place that errors name."""
        return names.stream_table(self.platform) if self.platform else "merge store"


@contextmanager
def control_session(
    dsn: str, where: str, platform: str = "", schema: str = "public", *, readonly: bool = False
) -> Iterator[ControlSession]:
    """Connect, and close at the end, with what was not committed rolled back. Raises MergeStoreError.

    `where` says where the DSN comes from (`DAGFACTORY_YELLOWLIVE_DSN`).
    """
    with closing(connect(dsn, where)) as connection:
        if readonly:
            connection.set_session(readonly=True)
        yield ControlSession(connection, platform, schema)


def composed(
    statement: Statement, platform: str, schema: str, values: Mapping[str, Any], /, **parts: sql.Composable
) -> sql.Composed:
    """Return a statement with the names of a platform's tables put in, for a connection that there need not be yet.

    Raises ValueError unless `values` and `parts` are just what the statement wants.
    """
    percent = "%%" if values else "%"
    tables = {
        kind: sql.Identifier(schema.replace("%", percent), TABLES[kind](platform).replace("%", percent))
        for kind in TABLES.keys() & statement.identifiers
    }
    return sql.SQL(statement.checked({**tables, **parts}, values)).format(**tables, **parts)
