"""The statements that doctor runs on a database; they only read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from airflow_plugin.control.connection import worded
from config_schema.sql.statements import Statement, load_statements


def fetch(connection: Connection, name: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of the statement `name` in statements.sql. Raises MergeStoreError."""
    text = _statements()[name].checked((), values or ())
    with worded("merge store"), connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall()


@cache
def _statements() -> dict[str, Statement]:
    return load_statements(Path(__file__).with_suffix(".sql"))
