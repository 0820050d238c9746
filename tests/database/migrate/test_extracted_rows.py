"""What extract writes is what `dagfactory streams import` takes: static files become rows that the factory admits."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.migrate.shadow import check_model
from airflow_plugin.streams.opening import reading

STATIC = Path(__file__).parents[2] / "unit" / "migrate" / "static_dags"
FILE = STATIC / "yellowlive__Store1_ingestion.py"
AUTHOR = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
EXAMPLES = Path(config_schema.__file__).parent / "examples"


@pytest.fixture
def live(new_database, tmp_path, monkeypatch) -> Path:
    """YellowLive with settings that admit the files, and tables; the folder of all that."""
    run("bootstrap", "--model", EXAMPLES, "--out", tmp_path)
    settings = tmp_path / "settings" / "yellowlive.settings.json"
    allowed = {"resources": {"memory": "1Gi", "cpu": "1"}, "pool": ["ingestion"]}
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"allowed": allowed}))
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(settings.parent))
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", new_database("merge").dsn)
    run("platform", "tables", "--model", EXAMPLES, "--platform", "YellowLive")
    return tmp_path


def run(*arguments: object) -> None:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output or done.exception


def test_rows_of_static_files_are_imported_and_stay_the_same_as_the_files(live):
    rows, exported = live / "streams.yaml", live / "exported.yaml"
    run("migrate", "extract", FILE, "--model", EXAMPLES, "--out", rows)
    run("streams", "import", rows, "--platform", "YellowLive")
    with reading("YellowLive") as table:
        row = table.row("Store1")
    assert (row.status, json.loads(row.config_json)["schedule"]) == ("active", "@hourly")
    run("streams", "export", "--platform", "YellowLive", "--out", exported)
    run("migrate", "compare", FILE, "--rows", exported, "--no-airflow")


def test_retired_rows_keep_sync_from_making_dags_beside_the_static_ones(live):
    rows, model = live / "streams.yaml", live / "model"
    shutil.copytree(EXAMPLES, model)
    for command in (["init"], ["add", "."], [*AUTHOR, "commit", "-m", "first"]):
        subprocess.run(["git", "-C", model, *command], check=True, capture_output=True)
    run("migrate", "extract", FILE, "--model", EXAMPLES, "--out", rows, "--retired")
    run("streams", "import", rows, "--platform", "YellowLive")
    run("sync", model, "--platform", "YellowLive", "--yes")
    with reading("YellowLive") as table:
        assert table.row("Store1").status == "retired"
        check_model(table)  # is recorded, so jobs can run
