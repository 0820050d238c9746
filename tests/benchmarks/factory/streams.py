"""The streams that are measured: rows like the example's, one store each, in a table of a database of their own."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import psycopg2

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.rows.plan import DagPlan, dag_plan
from airflow_plugin.settings import PlatformSettings
from config_schema import names, stream
from config_schema.schemas import json_schema
from tests.row_settings import settings_of_row

PLATFORM = "BenchLive"
PLATFORM_NAME = names.platform_name(PLATFORM)
EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]
SCHEDULES = ("* * * * *", "*/5 * * * *", "*/15 * * * *", "@hourly", "30 2 * * *")
OWNERS = ("team-yellow", "team-green", "team-blue")


def config(number: int) -> dict[str, Any]:
    """The config_json of a stream: all that sync writes for a plain store."""
    store = f"Store{number:05}"
    return {
        **EXAMPLE,
        "stream_key": store,
        "store_name": store,
        "platform_name": PLATFORM_NAME,
        "original_platform_name": PLATFORM,
        "schedule": SCHEDULES[number % len(SCHEDULES)],
        "owner": OWNERS[number % len(OWNERS)],
        "tags": ["crm"],
    }


SETTINGS = settings_of_row(config(0))


def settings() -> PlatformSettings:
    """The platform's settings, which admit the rows."""
    return settings_of_row(config(1))


def plan(number: int) -> DagPlan:
    """What the factory makes of the row; the peers' DAGs are written from it."""
    return dag_plan(stream.from_dict(config(number)), settings())


def write_rows(dsn: str, streams: int) -> None:
    """The stream table in the database of `dsn`, with so many rows."""
    changes = [
        RowChange(row["stream_key"], json.dumps(row), "active", "bench") for row in map(config, range(1, streams + 1))
    ]
    with closing(psycopg2.connect(dsn)) as connection, connection:
        table = StreamTable(ControlSession(connection, PLATFORM_NAME))
        table.create_tables()
        table.write(changes, changed_by="bench")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
