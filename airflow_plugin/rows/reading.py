"""A platform's rows for the factory: one round trip in a parse, and in a worker only the row of its DAG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from airflow_plugin.control.connection import fetch_within
from airflow_plugin.control.session import composed
from airflow_plugin.settings import PlatformSettings, merge_store_dsn
from config_schema import names
from config_schema.sql.statements import SqlFile

STATEMENTS = SqlFile(__file__)
ANSWER_SECONDS = 5.0  # connecting and reading; a parse that waits longer holds up all other DAG files


class TableRow(NamedTuple):
    """A row of the table, unchecked; config_json is empty for a retired stream."""

    stream_key: str
    status: str
    config_json: str


class StreamTableRows(NamedTuple):
    """The content of the stream table; `rows` is None if its `token` is the known one."""

    token: str
    rows: tuple[TableRow, ...] | None


def read_table(settings: PlatformSettings, known_token: str = "") -> StreamTableRows:
    """Return all rows, retired ones too, unless the table still has the token, which changes with any row.

    Raises StreamFactoryError: no DSN, no connection, no table, no answer in time.
    """
    found = _fetch(settings, "read_table", {"known": known_token})
    token = found[0][0]
    if token == known_token:
        return StreamTableRows(token, None)
    return StreamTableRows(token, tuple(TableRow(*row[1:]) for row in found if row[1] is not None))


def read_rows(settings: PlatformSettings, stream_keys: Sequence[str]) -> list[TableRow]:
    """Return the rows of some streams, retired ones too. Raises StreamFactoryError as `read_table`."""
    return [TableRow(*row) for row in _fetch(settings, "read_rows", {"stream_keys": list(stream_keys)})]


def retired_before_gone(settings: PlatformSettings, stream_keys: Sequence[str]) -> frozenset[str]:
    """Return which of these streams without a row had been retired. Raises StreamFactoryError."""
    found = _fetch(settings, "read_retired_before_gone", {"stream_keys": list(stream_keys)})
    return frozenset(key for (key,) in found)


def candidate_keys(platform: str, dag_id: str) -> list[str]:
    """Return the stream keys for a DAG id, in which `#` became `__`. Empty: it can be any stream's."""
    start, end = f"{platform}__", "_ingestion"
    if not (dag_id.startswith(start) and dag_id.endswith(end)):
        return []
    stream = dag_id[len(start) : -len(end)]
    places = [at for at in range(1, len(stream) - 2) if stream[at : at + 2] == "__"]
    keys = [stream, *(f"{stream[:at]}#{stream[at + 2 :]}" for at in places)]
    return [key for key in keys if names.dag_id(platform, key) == dag_id]


def _fetch(settings: PlatformSettings, statement: str, values: dict[str, object]) -> list[tuple[str, ...]]:
    platform, schema = settings.platform_name, settings.merge_store_schema
    dsn, where = merge_store_dsn(platform)
    query = composed(STATEMENTS[statement], platform, schema, values)
    return fetch_within(dsn, where, query, values, seconds=ANSWER_SECONDS)
