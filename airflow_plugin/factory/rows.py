"""A platform's rows for the factory: one query at a parse, and in a worker only the row of the DAG at hand."""

from __future__ import annotations

from airflow_plugin.merge_store import connect as connect_to
from airflow_plugin.merge_store import worded
from airflow_plugin.settings import PlatformSettings, merge_store_dsn
from airflow_plugin.stream_table import StreamRow, stream_rows
from config_schema import names

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 5


def platform_rows(settings: PlatformSettings, stream_keys: list[str] | None = None) -> list[StreamRow]:
    """The rows that are not retired, by stream_key, or those of `stream_keys`.

    Raises StreamFactoryError: no DSN, no connection, no table, no answer in time.
    """
    platform, schema = settings.platform_name, settings.merge_store_schema
    dsn, where = merge_store_dsn(platform)
    connection = connect_to(dsn, where, timeout=CONNECT_SECONDS)
    try:
        connection.set_session(readonly=True)
        with worded(where), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", (f"{STATEMENT_SECONDS}s",))
        return stream_rows(connection, platform, stream_keys=stream_keys, schema=schema)
    finally:
        connection.close()


def candidate_keys(platform: str, dag_id: str) -> list[str]:
    """The stream keys that may have given a DAG id: `#` has become `__` there. Empty: it can be any stream's."""
    start, end = f"{platform}__", "_ingestion"
    if not (dag_id.startswith(start) and dag_id.endswith(end)):
        return []
    stream = dag_id[len(start) : -len(end)]
    places = [at for at in range(1, len(stream) - 2) if stream[at : at + 2] == "__"]
    keys = [stream, *(f"{stream[:at]}#{stream[at + 2 :]}" for at in places)]
    return [key for key in keys if names.dag_id(platform, key) == dag_id]
