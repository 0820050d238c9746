"""What extract writes is what `dagfactory streams import` takes: static files become rows that the factory admits."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.streams.opening import reading

STATIC = Path(__file__).parents[2] / "unit" / "migrate" / "static_dags"
EXAMPLES = Path(config_schema.__file__).parent / "examples"


def run(*arguments: object) -> None:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output or done.exception


def test_rows_of_static_files_are_imported_and_stay_the_same_as_the_files(new_database, tmp_path, monkeypatch):
    run("bootstrap", "--model", EXAMPLES, "--out", tmp_path)
    settings = tmp_path / "settings" / "yellowlive.settings.json"
    allowed = {"resources": {"memory": "1Gi", "cpu": "1"}, "pool": ["ingestion"]}
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"allowed": allowed}))
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(settings.parent))
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", new_database("merge").dsn)
    rows, exported = tmp_path / "streams.yaml", tmp_path / "exported.yaml"

    run("db", "init", "--model", EXAMPLES, "--platform", "YellowLive")
    run("migrate", "extract", STATIC / "yellowlive__Store1_ingestion.py", "--model", EXAMPLES, "--out", rows)
    run("streams", "import", rows, "--platform", "YellowLive")
    with reading("YellowLive") as table:
        row = table.row("Store1")
    assert (row.status, json.loads(row.config_json)["schedule"]) == ("active", "@hourly")
    run("streams", "export", "--platform", "YellowLive", "--file", exported)
    run("migrate", "compare", STATIC / "yellowlive__Store1_ingestion.py", "--rows", exported, "--no-airflow")
