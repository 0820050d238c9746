"""A whole pass of the real dag-processor over a dags folder, into a metadata database of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql

from tests.airflow.real_airflow import RealAirflow
from tests.benchmarks.factory.dag_files import DagFiles

STORED = """
SELECT count(*) FILTER (WHERE dag_id LIKE '%%\\_ingestion'), coalesce(max(last_parse_duration), 0)
FROM dag WHERE NOT is_stale
"""
MEASURE = Path(__file__).parents[1] / "measure.py"


@dataclass(frozen=True)
class Pass:
    """One `airflow dag-processor -n 1`: what it took, its largest process, and what was stored.

    `file_seconds` is the most that Airflow itself counted for a file, which is what its timeout is held against.
    """

    seconds: float
    cpu_seconds: float
    rss_mb: float
    stored: int
    file_seconds: float
    import_errors: list[str]


def full_pass(real: RealAirflow, way: DagFiles) -> Pass:
    """Run it over the way's folder; DAGs that do not come to be stored are counted, not raised."""
    report = real.home / "measured.json"
    command = [sys.executable, "-I", str(MEASURE), str(report)]
    processor = [str(Path(sys.executable).with_name("airflow")), "dag-processor", "-n", "1"]
    with (real.home / "dag-processor.log").open("wb") as log:
        subprocess.run([*command, *processor], env=_environment(real, way), stdout=log, stderr=log, check=True)
    measured = json.loads(report.read_text())
    if measured.pop("exit_code") != 0:
        sys.exit(f"airflow dag-processor failed: {(real.home / 'dag-processor.log').read_text()[-3000:]}")
    ((stored, file_seconds),) = real.query(STORED)
    return Pass(**measured, stored=stored, file_seconds=file_seconds, import_errors=real.import_errors())


@contextmanager
def metadata(real: RealAirflow, name: str) -> Iterator[RealAirflow]:
    """The same Airflow with a copy of its database, without any DAG."""
    place, _, original = real.dsn.rpartition("/")
    names = {"copy": sql.Identifier(name), "original": sql.Identifier(original)}
    _execute(f"{place}/postgres", sql.SQL("CREATE DATABASE {copy} TEMPLATE {original}").format(**names))
    dsn = f"{place}/{name}"
    connection = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": dsn.replace("postgresql://", "postgresql+psycopg2://")}
    try:
        yield RealAirflow(real.home, dsn, real.environment | connection)
    finally:
        _execute(f"{place}/postgres", sql.SQL("DROP DATABASE {copy} WITH (FORCE)").format(**names))


def _environment(real: RealAirflow, way: DagFiles) -> Mapping[str, str]:
    path = ":".join([*map(str, way.python_path), real.environment["PYTHONPATH"]])
    logs = real.home / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    folder = {"AIRFLOW__CORE__DAGS_FOLDER": str(way.files[0].parent), "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(logs)}
    return real.environment | folder | {"PYTHONPATH": path}


def _execute(dsn: str, statement: sql.Composable) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True  # CREATE DATABASE cannot run in a transaction
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
