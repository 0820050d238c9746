"""The merge job's batch tables, read only: what a run committed. The merge job creates and writes them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from psycopg2 import errorcodes, sql

from airflow_plugin.merge_store import MergeStoreError, connect, worded
from config_schema import names
from config_schema.result import MergeResult, result_from_dict
from config_schema.statements import Statement, load_statements


def result_of_run(
    dsn: str, platform: str, stream_key: str, run_id: str, *, where: str = "merge store", schema: str = "public"
) -> MergeResult | None:
    """The newest result that a run of the stream committed; None if there is none. Raises MergeStoreError."""
    values = {"stream_key": stream_key, "run_id": run_id}
    tables = {"counter": names.batch_counter_table(platform), "metrics": names.batch_metrics_table(platform)}
    statement = _statements()["result_of_run"]
    text = sql.SQL(statement.checked(tables, values))
    query = text.format(**{key: sql.Identifier(schema, table) for key, table in tables.items()})
    connection = connect(dsn, where)
    try:
        with worded(where), connection.cursor() as cursor:
            cursor.execute(query, values)
            row = cursor.fetchone()
    except MergeStoreError as error:
        if error.pgcode == errorcodes.UNDEFINED_TABLE:  # no job has run yet
            return None
        raise
    finally:
        connection.close()
    return None if row is None or row[1] is None else result_from_dict(row[1])


@cache
def _statements() -> dict[str, Statement]:
    return load_statements(Path(__file__).with_name("sql") / "batch_table.sql")
