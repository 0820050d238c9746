"""The statements that doctor runs on a database; they only read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extensions import connection as Connection

from airflow_plugin.control.session import ControlSession
from config_schema.sql.statements import SqlFile

STATEMENTS = SqlFile(__file__)


def fetch(connection: Connection, name: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of the statement `name` in statements.sql. Raises MergeStoreError."""
    return ControlSession(connection).run(STATEMENTS[name], values or {})
