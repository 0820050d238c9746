"""`dagfactory streams`: rows by hand, each change checked before it is written, kept in history, and taken back."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from typer.testing import CliRunner

from airflow_plugin.cli.program import app
from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.session import ControlSession
from airflow_plugin.sync.apply import author
from config_schema.job_model import JobModels, state_of
from config_schema.load import load_model

from .conftest import EXAMPLES


@pytest.fixture
def streams(synced, tmp_path, monkeypatch):
    """A function that runs `dagfactory streams ...` on YellowLive, as synced from the example."""
    CliRunner().invoke(app, ["bootstrap", "--model", str(EXAMPLES), "--out", str(tmp_path)], catch_exceptions=False)
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path / "settings"))
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", synced.dsns["yellowlive"])
    synced.sync("c1")

    def run(*arguments: object, refused: bool = False) -> str:
        given = ["streams", *map(str, arguments), "--platform", "YellowLive"]
        done = CliRunner().invoke(app, given)
        assert (done.exception is not None) == refused, done.output or done.exception
        return str(done.exception) if refused else done.stdout

    return run


def config(synced) -> dict[str, Any]:
    return json.loads(synced.rows()[0].config_json)


def test_a_change_shows_what_it_does_is_kept_in_history_and_can_be_taken_back(streams, synced):
    before = config(synced)
    said = streams("set", "Store1", "schedule=*/10 * * * *", "retries=5", 'tags=["big"]')
    assert "schedule: * * * * * -> */10 * * * *" in said
    assert config(synced) == before | {"schedule": "*/10 * * * *", "retries": 5, "tags": ["big"]}
    assert "nothing to do" in streams("set", "Store1", "retries=5")

    assert "retries" in streams("diff", "Store1")
    assert author() in streams("list")
    first = json.loads(streams("history", "Store1", "--json"))["history"][-1]["id"]
    said = streams("history", "Store1")
    assert "tags: (not set) -> " in said
    assert "by hand" in said
    assert "model c1" in said

    streams("rollback", "Store1", "--to", first)
    assert config(synced) == before
    assert not synced.plan().drifted
    assert [one["change"] for one in json.loads(streams("history", "Store1", "--json"))["history"]] == [
        "rollback",
        "set",
        "create",
    ]


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("schedule=every day", "schedule: 'every day' is not well formed"),
        ("shedule=@daily", "unknown key 'shedule'. Did you mean 'schedule'?"),
        ("store_name=", "store_name: the key is missing"),
        ("postgres_hostname=evil.example", "evil.example"),
        ("stream_key=Other", "'Other' is not"),
        ("=5", "'=5' sets no key"),
    ],
)
def test_what_the_factory_would_set_aside_is_refused_and_nothing_is_written(streams, synced, assignment, said):
    rows = synced.rows()
    assert said in streams("set", "Store1", assignment, refused=True)
    assert synced.rows() == rows


def test_pause_resume_and_retire_go_their_way_and_no_other(streams, synced):
    def status() -> str:
        return synced.rows()[0].status

    assert "status: active -> paused" in streams("pause", "Store1", "Store1")
    assert "nothing to do" in streams("pause", "Store1")
    assert not synced.plan().drifted  # pausing is no drift
    streams("resume", "Store1")
    assert status() == "active"
    streams("retire", "Store1")
    assert "cannot be active" in streams("resume", "Store1", refused=True)
    assert status() == "retired"
    assert synced.plan().drifted
    streams("rollback", "Store1", "--to", json.loads(streams("history", "Store1", "--json"))["history"][-1]["id"])
    assert status() == "active"


def test_of_several_streams_all_are_changed_or_none(streams, synced):
    assert "there is no stream 'Store2'" in streams("pause", "Store1", "Store2", refused=True)
    assert synced.rows()[0].status == "active"


def test_dry_run_checks_shows_and_writes_nothing(streams, synced):
    rows, tables = synced.rows(), synced.execute("SELECT count(*) FROM yellowlive_airflow_dsg_history")
    assert "Store1: would pause" in streams("pause", "Store1", "--dry-run")
    assert "retries" in streams("set", "Store1", "retries=7", "--dry-run")
    assert (synced.rows(), synced.execute("SELECT count(*) FROM yellowlive_airflow_dsg_history")) == (rows, tables)


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("EDITOR", str(program))
    monkeypatch.delenv("VISUAL", raising=False)


def test_edit_writes_what_was_saved_and_keeps_what_is_refused(streams, synced, tmp_path, monkeypatch):
    editor(tmp_path, monkeypatch, "true")
    assert "nothing to do" in streams("set", "Store1", "--editor")
    editor(tmp_path, monkeypatch, """sed -i 's/"schedule": ".*"/"schedule": "@daily"/' "$1" """)
    assert "-> @daily" in streams("set", "Store1", "--editor")
    assert config(synced)["schedule"] == "@daily"

    rows = synced.rows()
    editor(tmp_path, monkeypatch, """sed -i 's/@daily/@dayly/' "$1" """)
    said = streams("set", "Store1", "--editor", refused=True)
    kept = Path(said.partition("is kept in ")[2].partition(". Nothing")[0])
    assert "@dayly" in kept.read_text()
    kept.unlink()
    editor(tmp_path, monkeypatch, "exit 3")
    assert "ended with exit code 3" in streams("set", "Store1", "--editor", refused=True)
    assert synced.rows() == rows


def test_a_row_that_changes_while_it_is_edited_is_not_overwritten(streams, synced, tmp_path, monkeypatch):
    script = """sed -i 's/"schedule": ".*"/"schedule": "@daily"/' "$1"
    $PYTHON -c "import psycopg2; c = psycopg2.connect('$DAGFACTORY_YELLOWLIVE_DSN'); c.autocommit = True
c.cursor().execute('UPDATE yellowlive_airflow_dsg SET updated_at = now()')" """
    monkeypatch.setenv("PYTHON", sys.executable)
    before = config(synced)
    editor(tmp_path, monkeypatch, script)
    assert "it was changed while it was edited" in streams("set", "Store1", "--editor", refused=True)
    assert config(synced) == before


def test_export_and_import_bring_all_rows_back_or_none(streams, synced, tmp_path):
    file = tmp_path / "streams.yaml"
    streams("export", "--out", file)
    assert "nothing to do" in streams("import", file)
    before = synced.rows()

    data = yaml.safe_load(file.read_text())
    rows = data["platforms"]["YellowLive"]
    rows["Store2"] = {
        "status": "paused",
        "config": rows["Store1"]["config"] | {"stream_key": "Store2", "store_name": "Store2", "retries": "many"},
    }
    rows["Store1"]["config"]["retries"] = 4
    file.write_text(yaml.safe_dump(data))
    assert "retries: 'many' is not an integer" in streams("import", file, refused=True)
    assert synced.rows() == before

    rows["Store2"]["config"]["retries"] = 3
    file.write_text(yaml.safe_dump(data))
    said = streams("import", file)
    assert "Store2: import" in said
    assert {row.stream_key: row.status for row in synced.rows()} == {"Store1": "active", "Store2": "paused"}
    assert config(synced)["retries"] == 4
    found = json.loads(streams("list", "--where", "retries=3", "--json"))["streams"]
    assert [stream["stream_key"] for stream in found] == ["Store2"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "a: [", "format: 2\nplatforms: {}", "format: 1\nplatforms: {Other: {}}", "format: 1\nplatforms: []"],
)
def test_a_file_that_is_no_export_is_one_clear_error(streams, synced, tmp_path, text):
    file = tmp_path / "streams.yaml"
    file.write_text(text)
    rows = synced.rows()
    assert str(file) in streams("import", file, refused=True)
    assert synced.rows() == rows


def test_a_row_that_is_not_json_is_listed_shown_exported_and_can_be_mended(streams, synced, tmp_path):
    good = synced.rows()[0].config_json
    synced.execute("UPDATE yellowlive_airflow_dsg SET config_json = '{'")
    assert "in the database" in streams("list")
    assert "quarantined: yellowlive_airflow_dsg[Store1]: not JSON" in streams("show", "Store1")
    streams("export", "--out", tmp_path / "broken.yaml")
    assert "nothing to do" in streams("import", tmp_path / "broken.yaml")
    streams("rollback", "Store1", "--to", json.loads(streams("history", "Store1", "--json"))["history"][-1]["id"])
    assert synced.rows()[0].config_json == good


def test_lists_are_filtered_by_key_status_and_config(streams, synced):
    def listed(*options: str) -> list[str]:
        return [one["stream_key"] for one in json.loads(streams("list", "--json", *options))["streams"]]

    assert listed("--match", "Sto*", "--status", "active", "--where", "datasets=customers") == ["Store1"]
    for options in (["--match", "x*"], ["--status", "paused"], ["--where", "runner=rocket"], ["--where", "owner=ann"]):
        assert listed(*options) == []
    assert "there is no status 'activ'. Did you mean 'active'?" in streams("list", "--status", "activ", refused=True)


def test_a_stream_that_would_take_anothers_dag_id_is_refused(streams, synced, tmp_path):
    config_1 = config(synced)
    other = {"stream_key": "Store1#customers", "single_dataset": True, "datasets": ["customers"]}
    clash = {"stream_key": "Store1__customers", "store_name": "Store1__customers"}
    rows = {changed["stream_key"]: {"status": "active", "config": config_1 | changed} for changed in (other, clash)}
    file = tmp_path / "streams.yaml"
    file.write_text(yaml.safe_dump({"format": 1, "platforms": {"YellowLive": rows}}))
    assert "has the DAG id yellowlive__Store1__customers_ingestion already" in streams("import", file, refused=True)


def test_a_plan_against_exported_rows_needs_no_database_and_is_the_same(streams, synced, tmp_path, monkeypatch):
    file = tmp_path / "rows.yaml"
    streams("export", "--out", file)
    folder = tmp_path / "model"
    shutil.copytree(EXAMPLES, folder)
    text = (folder / "ecosystem.yaml").read_text()
    (folder / "ecosystem.yaml").write_text(text.replace('"* * * * *"', '"@continuous"'))
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=Model"]):
        author_of = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        subprocess.run(["git", *author_of, *arguments], cwd=folder, check=True)

    def planned(*options: str) -> list[dict[str, Any]]:
        given = ["plan", str(folder), "--platform", "YellowLive", "--json", *options]
        done = CliRunner().invoke(app, given, catch_exceptions=False)
        return json.loads(done.stdout)["platforms"][0]["changes"]

    with_database = planned()
    assert [field["key"] for field in with_database[0]["fields"]] == ["schedule"]
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    assert planned("--against", str(file)) == with_database


def test_a_platform_has_either_of_its_names_and_one_that_is_near_is_named(streams, synced):
    by_derived = CliRunner().invoke(app, ["streams", "list", "--platform", "yellowlive", "--json"])
    assert json.loads(by_derived.stdout)["platform"] == "YellowLive"
    assert (
        by_derived.stdout == CliRunner().invoke(app, ["streams", "list", "--platform", "YellowLive", "--json"]).stdout
    )
    for command in (["streams", "list"], ["streams", "pause", "Store1"], ["platform", "last-good"]):
        done = CliRunner().invoke(app, [*command, "--platform", "yelowlive"])
        assert "there is no platform 'yelowlive'" in str(done.exception)
        assert "Did you mean 'YellowLive'? Choose from: YellowForensic, YellowLive" in str(done.exception)
    done = CliRunner().invoke(app, ["status", "--platform", "yelowlive"])
    assert (done.exit_code, "Did you mean 'YellowLive'?" in done.stderr) == (1, True)


def test_many_streams_are_paused_resumed_and_retired_by_a_pattern(streams, synced):
    one = synced.rows()[0]
    for number in range(3):
        key, dag = f"Shop{number}", json.dumps(json.loads(one.config_json) | {"store_name": f"Shop{number}"})
        config_json = json.dumps(json.loads(dag) | {"stream_key": key})
        synced.execute("INSERT INTO yellowlive_airflow_dsg VALUES (%s, %s, 'active')", key, config_json)
    shown = streams("pause", "--match", "Shop*", "--dry-run")
    assert shown.count("would pause") == 3
    streams("pause", "--match", "Shop[12]")
    assert {row.stream_key: row.status for row in synced.rows()} == {
        "Shop0": "active",
        "Shop1": "paused",
        "Shop2": "paused",
        "Store1": "active",
    }
    assert streams("resume", "Shop1", "--match", "Nobody*", refused=True).startswith("--match: 'Nobody*' is like no")
    streams("resume", "--match", "*")  # those that are active stay so
    streams("retire", "--match", "Shop*")
    assert [row.status for row in synced.rows()] == ["retired", "retired", "retired", "active"]
    assert streams("list").splitlines()[-1] == "1 stream, 3 retired left out (--all)"


@pytest.fixture
def recorded(synced) -> None:
    """What sync records of the example model for jobs: the catalogue."""
    model = load_model(EXAMPLES)
    rows = JobModels(model).of("YellowLive")
    with psycopg2.connect(synced.dsns["yellowlive"]) as connection:
        state = state_of(rows, "c1", model.ecosystem.platforms[0].model)
        JobModelTable(ControlSession(connection, "yellowlive")).write(rows, state)


UNMODELLED = [
    ("store_name", "Store9", "the platform ingests no datastore 'Store9' of the model that was synced"),
    ("datasets", ["customers", "adresses"], "no dataset 'adresses' of Store1. Did you mean 'addresses'?"),
    ("source_credential_secret_name", "postgres", "'postgres' is not the secret that the model names for Store1"),
    ("single_dataset", True, "Store1 is a multi_dataset store in the model"),
]


@pytest.mark.parametrize(("key", "value", "said"), UNMODELLED)
def test_what_the_synced_model_lacks_is_refused_before_it_is_saved(
    streams, synced, recorded, tmp_path, monkeypatch, key, value, said
):
    rows = synced.rows()
    assert said in streams("set", "Store1", f"{key}={json.dumps(value)}", refused=True)
    (tmp_path / "edit").write_text(
        f"#!{sys.executable}\nimport json, sys\npath = sys.argv[1]\n"
        f"data = json.load(open(path)) | {{{key!r}: {value!r}}}\njson.dump(data, open(path, 'w'))\n"
    )
    (tmp_path / "edit").chmod(0o755)
    monkeypatch.setenv("EDITOR", str(tmp_path / "edit"))
    assert said in streams("set", "Store1", "--editor", refused=True)
    file = tmp_path / "streams.yaml"
    streams("export", "--out", file)
    data = yaml.safe_load(file.read_text())
    data["platforms"]["YellowLive"]["Store1"]["config"][key] = value
    file.write_text(yaml.safe_dump(data))
    assert said in streams("import", file, refused=True)
    assert synced.rows() == rows


def test_all_that_a_config_lacks_is_reported_at_once_and_what_it_had_before_is_no_problem(streams, synced, recorded):
    said = streams("set", "Store1", 'datasets=["nothing"]', "retries=many", refused=True)
    assert "retries: 'many' is not an integer" in said
    assert "no dataset 'nothing' of Store1" in said
    synced.execute("UPDATE yellowlive_job_model SET document = replace(document, '\"customers\"', '\"clients\"')")
    assert "retries: (not set) -> 5" in streams("set", "Store1", "retries=5")
    streams("retire", "Store1")
    assert "nothing to do" in streams("retire", "Store1")


def test_without_a_recorded_model_nothing_is_known_and_nothing_refused(streams, synced, recorded):
    synced.execute("UPDATE yellowlive_model_state SET model_commit = 'of an older program'")
    assert "datasets: " in streams("set", "Store1", 'datasets=["nothing"]')
