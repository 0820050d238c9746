"""A real Airflow for the tests: metadata on the session's PostgreSQL, migrated once; a stream table beside it."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from airflow_plugin import stream_table
from airflow_plugin.demo.postgres import EmbeddedPostgres
from airflow_plugin.settings import PlatformSettings
from config_schema import names, stream

EXAMPLE: dict[str, Any] = stream.schema()["examples"][0]
DAGS = Path(__file__).parents[2] / "dags"


@dataclass
class RealAirflow:
    """An AIRFLOW_HOME with a metadata database; each test gives it the platforms' tables and settings."""

    home: Path
    dsn: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def dags_folder(self) -> Path:
        return self.home / "dags"

    def airflow(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run an airflow command to its end; its output is printed, so that a failing test shows it."""
        command = [str(Path(sys.executable).with_name("airflow")), *arguments]
        done = subprocess.run(
            command, env=self.environment | environment, capture_output=True, text=True, timeout=120, check=False
        )
        print(done.stdout, done.stderr)
        assert done.returncode == 0, f"airflow {' '.join(arguments)} ended with {done.returncode}"
        return done

    def parse(self, **environment: str) -> None:
        """One pass of the real dag-processor over the dags folder."""
        self.airflow("dag-processor", "-n", "1", **environment)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def dag_ids(self) -> list[str]:
        return [row[0] for row in self.query("SELECT dag_id FROM dag WHERE NOT is_stale ORDER BY dag_id")]

    def import_errors(self) -> list[str]:
        return [row[0] for row in self.query("SELECT stacktrace FROM import_error")]

    def versions(self) -> dict[str, int]:
        """How many versions of each DAG there are."""
        return dict(self.query("SELECT dag_id, count(*) FROM dag_version GROUP BY dag_id"))

    @property
    def snapshots(self) -> Path:
        return self.home / "stream_factory" / "snapshots"

    def forget_dags(self) -> None:
        shutil.rmtree(self.snapshots, ignore_errors=True)
        for table in ("dag_run", "dag_version", "dag", "import_error"):
            self.query(f"DELETE FROM {table}")
        shutil.rmtree(self.dags_folder, ignore_errors=True)
        self.dags_folder.mkdir()


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


def airflow_environment(home: Path, dsn: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": dsn.replace("postgresql://", "postgresql+psycopg2://"),
        "DAGFACTORY_SETTINGS_DIR": str(home / "settings"),
    }


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
                stream_table.create_tables(connection, name)
                changes = [stream_table.RowChange(key, config, status, "test") for key, config, status in rows]
                stream_table.write_rows(connection, name, changes, changed_by="test")
        finally:
            connection.close()

    def settle(self, platform: str, **settings: Any) -> None:
        """The platform's settings file, its DSN, and its factory file in the dags folder, as a user puts it there."""
        file = self.real.home / "settings" / names.settings_file(names.platform_name(platform))
        file.parent.mkdir(exist_ok=True)
        file.write_text(PlatformSettings(original_platform_name=platform, **settings).to_json())
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
