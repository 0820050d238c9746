"""A merge store whose tables stand in another schema than public: from the model through every step to the counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

import config_schema
from airflow_plugin.operators.result_handling import committed_result
from airflow_plugin.rows.plan import DagPlan, dag_plan
from airflow_plugin.rows.reading import read_table
from airflow_plugin.settings import platform_settings
from config_schema.stream import stream_config

EXAMPLES = Path(config_schema.__file__).parent / "examples"
SCHEMA = "Streams' own"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def merge_store(new_database: Any) -> Any:
    return new_database("merge")


@pytest.fixture
def model(airflow_here: None, merge_store: Any, new_database: Any, tmp_path: Path, monkeypatch: Any) -> Path:
    """The example model, committed, with a producer that has its tables, and the environment of both databases."""
    source = new_database("source")
    folder = tmp_path / "model"
    shutil.copytree(EXAMPLES, folder)
    at = {"host": source.server.host, "port": source.server.port}
    written = yaml.safe_load((folder / "ecosystem.yaml").read_text())
    for platform in written["platforms"]:
        store = {**at, "database": merge_store.name, "credential": "postgres", "schema": SCHEMA}
        platform |= {"merge_store": store, "model": {"url": str(folder)}, "runner": "process"}
    for store in written["datastores"]:
        store["source"] = {**at, "database": source.name, "credential": "customer-db"}
    (folder / "ecosystem.yaml").write_text(yaml.safe_dump(written))
    git = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.test"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "The model"]):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    for secret, database in (("POSTGRES", merge_store), ("CUSTOMER_DB", source)):
        monkeypatch.setenv(f"{secret}_USERNAME", database.user)
        monkeypatch.setenv(f"{secret}_PASSWORD", database.password)
    for platform in ("YELLOWLIVE", "YELLOWFORENSIC"):
        monkeypatch.setenv(f"DAGFACTORY_{platform}_DSN", merge_store.dsn)
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path / "files" / "settings"))
    monkeypatch.setenv("SIMULATOR_DSN", source.dsn)
    made = command("merge_jobs", "simulate", "--create-tables", "--max-changes", "0")
    assert made.returncode == 0, made.stderr
    return folder


def tables(database: Any, schema: str) -> set[str]:
    with psycopg2.connect(database.superuser_dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,))
        found = {name for (name,) in cursor.fetchall()}
    connection.close()
    return found


def plan(platform: str) -> DagPlan:
    """What the factory makes of the platform's only row."""
    settings = platform_settings(platform)
    (row,) = read_table(settings).rows or ()
    return dag_plan(stream_config(row.config_json), settings)


def test_a_schema_that_is_not_there_is_one_clear_error(model: Path) -> None:
    done = command("airflow_plugin", "sync", model, "--yes")
    assert done.returncode == 1
    assert f'schema "{SCHEMA}" does not exist. Create the schema, or correct merge_store.schema' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_sync_factory_and_merge_job_all_work_in_the_models_schema(model: Path, merge_store: Any) -> None:
    from airflow_plugin.operators.process import ProcessMergeOperator

    with psycopg2.connect(merge_store.dsn) as connection, connection.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA "{SCHEMA}"')
    connection.close()
    for step in (("sync", model, "--yes"), ("bootstrap", "--model", model, "--out", model.parent / "files")):
        done = command("airflow_plugin", *step)
        assert done.returncode == 0, done.stderr

    for platform in ("YellowLive", "YellowForensic"):
        job = plan(platform).job
        result = ProcessMergeOperator(task_id="snapshot_merge_job", job=job).execute({"run_id": "one"})
        inserted = {name: of["counts"]["inserted"] for name, of in result["datasets"].items()}
        assert inserted == {"customers": 5, "addresses": 8}
        found = committed_result(job, "one")
        assert found is not None
        assert found.to_dict() == result
        assert committed_result(replace(job, schema="public"), "one") is None

    assert tables(merge_store, "public") == set()
    assert {"yellowlive_airflow_dsg", "yellowlive_batch_metrics", "yellowforensic_Store1_customers_merge"} <= tables(
        merge_store, SCHEMA
    )
