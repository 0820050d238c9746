"""A real Airflow for the tests: metadata on the session's PostgreSQL, migrated once; a stream table beside it."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema import names
from config_schema.schemas import json_schema
from tests.airflow.real_airflow import RealAirflow, airflow_environment
from tests.airflow.slack import Slack
from tests.row_settings import settings_of_row

EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]
DAGS = Path(__file__).parents[2] / "dags"
LONGEST = ("test_running.py", "test_migrate_cutover.py")  # a whole Airflow at work, which no other worker can help with


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def migrated_airflow(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> RealAirflow:
    postgres.create_role("airflow", "airflow's word")
    postgres.create_database("airflow", "airflow")
    dsn = postgres.dsn("airflow", "airflow", "airflow's word")
    home = tmp_path_factory.mktemp("airflow")
    real = RealAirflow(home, dsn, airflow_environment(home, dsn))
    real.airflow("db", "migrate")
    return real


@pytest.fixture(scope="session")
def airflow_here(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Airflow imported into this process, with a home that is not the user's and no metadata database."""
    home = tmp_path_factory.mktemp("airflow-here")
    os.environ["AIRFLOW_HOME"] = str(home)
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
    importlib.import_module("airflow.sdk")


@pytest.fixture
def real_airflow(migrated_airflow: RealAirflow) -> Iterator[RealAirflow]:
    """Airflow without DAGs, with an environment that the test may add to."""
    before = dict(migrated_airflow.environment)
    migrated_airflow.forget_dags()
    yield migrated_airflow
    migrated_airflow.environment = before


@dataclass
class Streams:
    """The stream tables of the example's two platforms, in a merge store of their own, and their settings files."""

    real: RealAirflow
    dsn: str

    def write(self, platform: str, *configs: dict[str, Any], status: str = "active") -> None:
        """Insert or change rows; see `config`."""
        rows = [(config["stream_key"], json.dumps(config), status) for config in configs]
        self.write_text(platform, *rows)

    def write_text(self, platform: str, *rows: tuple[str, str, str]) -> None:
        """Rows of stream_key, config_json and status, whatever they hold."""
        name = names.platform_name(platform)
        connection = psycopg2.connect(self.dsn)
        try:
            with connection:
                table = StreamTable(ControlSession(connection, name))
                table.create_tables()
                changes = [RowChange(key, config, status, "test") for key, config, status in rows]
                table.write(changes, changed_by="test")
        finally:
            connection.close()

    def settle(self, platform: str, **settings: Any) -> None:
        """The platform's settings file, its DSN, and its factory file in the dags folder, as a user puts it there.

        The settings are those of `config`, with what is given.
        """
        file = self.real.home / "settings" / names.settings_file(names.platform_name(platform))
        file.parent.mkdir(exist_ok=True)
        file.write_text(settings_of_row(config(platform), **settings).to_json())
        self.real.environment[names.dsn_variable(names.platform_name(platform))] = self.dsn
        shutil.copy(DAGS / names.factory_file(names.platform_name(platform)), self.real.dags_folder)


def config(platform: str, store: str = "Store1", **changes: Any) -> dict[str, Any]:
    """A complete config of a stream that runs as a process and when triggered."""
    derived = {
        "original_platform_name": platform,
        "platform_name": names.platform_name(platform),
        "store_name": store,
        "stream_key": store,
        "runner": "process",
        "schedule": None,
    }
    merged = {**EXAMPLE, **derived, **changes}
    return {key: value for key, value in merged.items() if value is not None}


@pytest.fixture(name="config", scope="session")
def config_fixture() -> Callable[..., dict[str, Any]]:
    return config


@pytest.fixture
def streams(real_airflow: RealAirflow, new_database: Any) -> Streams:
    return Streams(real_airflow, new_database("merge").dsn)


@pytest.fixture
def slack(airflow_here, monkeypatch) -> Iterator[Slack]:
    server = Slack()
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_OPS", server.webhook)
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_API", server.api)
    yield server
    server.close()
