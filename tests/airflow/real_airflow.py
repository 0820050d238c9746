"""An AIRFLOW_HOME with a metadata database, and what its commands need: for the tests and for the benchmark."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

OF_PLATFORM = ("_health", "_infrastructure", "_operations")


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
            command, env=self.environment | environment, capture_output=True, text=True, timeout=300, check=False
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
        """Those of streams; a platform's own DAGs are there whatever its streams are."""
        return [dag_id for dag_id in self.all_dag_ids() if not dag_id.endswith(OF_PLATFORM)]

    def all_dag_ids(self) -> list[str]:
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
        for folder in (self.snapshots, self.home / "settings"):
            shutil.rmtree(folder, ignore_errors=True)
        for table in ("dag_run", "dag_version", "dag", "import_error"):
            self.query(f"DELETE FROM {table}")
        shutil.rmtree(self.dags_folder, ignore_errors=True)
        self.dags_folder.mkdir()


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
