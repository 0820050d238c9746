"""`dagfactory streams preview`: the DAG that a row would give, from a model or a file, here without Airflow."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.preview.shown import next_times
from config_schema.errors import ProblemsFound, StreamFactoryError
from config_schema.schemas import json_schema

EXAMPLES = Path(config_schema.__file__).parent / "examples"
EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]


@pytest.fixture(autouse=True)
def settings_dir(tmp_path, monkeypatch) -> Path:
    """The folder of the settings files that bootstrap writes for the example model."""
    done = CliRunner().invoke(app, ["bootstrap", "--model", str(EXAMPLES), "--out", str(tmp_path)])
    assert done.exit_code == 0
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path / "settings"))
    return tmp_path / "settings"


def run(*arguments: object, given: str | None = None):
    return CliRunner().invoke(app, ["streams", "preview", *map(str, arguments), "--no-airflow"], input=given)


def simulated(config: object, *options: object):
    """What `streams preview --file - --json` says of a config, and its exit code."""
    done = run("--file", "-", "--json", *options, given=json.dumps(config))
    return json.loads(done.stdout), done.exit_code


def config(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**EXAMPLE, **changes}.items() if value is not None}


def test_show_prints_the_dag_that_sync_would_make_of_the_model():
    done = run("Store1", "--model", EXAMPLES, "--platform", "YellowForensic")
    assert done.exit_code == 0
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "yellowforensic__Store1_ingestion  YellowForensic Store1"
    for line in (
        "check_result             -> reschedule_immediately, wait_for_trigger",
        "--postgres-credential=postgres",
        "--run-id=<run id>",
        "POSTGRES_PASSWORD: password of postgres",
        "GIT_TOKEN: token of git (may be missing)",
        "namespace: ns-yellow-forensic",
    ):
        assert line in lines
    assert "*/10 * * * * in UTC: next 20" in done.stdout
    assert "the plan, without Airflow" in done.stdout


def test_a_stream_is_named_by_its_key_or_its_dag_id_and_each_platform_that_has_it_is_shown():
    both = json.loads(run("Store1", "--model", EXAMPLES, "--json").stdout)["dags"]
    assert [dag["platform"] for dag in both] == ["YellowLive", "YellowForensic"]
    (one,) = json.loads(run(both[0]["dag_id"], "--model", EXAMPLES, "--json").stdout)["dags"]
    assert (one["platform"], one["stream_key"], one["pod"]) == ("YellowLive", "Store1", None)
    assert one["plan"]["pod"]["image"] == "registry.example/merge-job:0.1.0"
    assert len(one["next_times"]) == 3
    assert one["command"][:2] == ["merge", "--platform=YellowLive"]


def test_a_stream_that_is_not_there_is_reported_with_the_nearest_one():
    done = run("Stor1", "--model", EXAMPLES)
    assert isinstance(done.exception, StreamFactoryError)
    assert "Did you mean 'Store1'?" in done.exception.todo


def test_the_row_may_come_from_a_file_of_several(tmp_path):
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([config(), config(store_name="Store2", stream_key="Store2", retries=7)]))
    (shown,) = json.loads(run("Store2", "--file", rows, "--json").stdout)["dags"]
    assert (shown["dag_id"], shown["plan"]["retries"]) == ("yellowlive__Store2_ingestion", 7)
    assert shown["origin"] == str(rows)
    text = run("Store2", "--file", rows).stdout
    assert "retries            7" in text


def test_the_settings_are_those_of_the_settings_file_if_there_is_one(settings_dir):
    file = settings_dir / "yellowlive.settings.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "runners": ["process"]}))
    done = run("Store1", "--model", EXAMPLES, "--platform", "YellowLive")
    assert isinstance(done.exception, ProblemsFound)
    assert "the runner 'kubernetes' is switched off" in str(done.exception)

    reported, code = simulated(config(runner="process"))
    assert (code, reported["dag"]["settings"]) == (0, str(file))
    assert reported["dag"]["command"][1:4] == ["-m", "merge_jobs", "merge"]
    assert reported["dag"]["plan"]["pod"] is None


def test_without_a_settings_file_they_are_those_that_bootstrap_would_write_for_the_model(settings_dir):
    shutil.rmtree(settings_dir)
    done = run("Store1", "--model", EXAMPLES, "--platform", "YellowLive")
    assert done.exit_code == 0
    assert f"as bootstrap would write them; there is no {settings_dir}/yellowlive.settings.json" in done.stdout
    reported, code = simulated(config(), "--model", EXAMPLES)
    assert (code, reported["dag"]["settings"].partition(";")[0]) == (0, "as bootstrap would write them")


def test_simulate_names_every_problem_and_ends_with_1():
    reported, code = simulated(config(schedule="0 0 30 2 *", timezone="Europe/Zurigo"))
    assert (code, reported["dag"]) == (1, None)
    assert [problem["path"] for problem in reported["problems"]] == ["schedule", "timezone"]
    reported, code = simulated(config(shedule="@daily", postgres_port=0, stream_key=None))
    assert code == 1
    assert {problem["path"] for problem in reported["problems"]} == {"shedule", "postgres_port", "stream_key"}


def test_simulate_words_problems_on_stderr():
    done = run("--file", "-", given=json.dumps(config(shedule="@daily")))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "error: stdin: shedule: unknown key 'shedule'. Did you mean 'schedule'?" in done.stderr


@pytest.mark.parametrize("data", [[], 1, None, {"original_platform_name": "../../etc", "stream_key": 7}])
def test_whatever_json_holds_is_judged_and_not_a_stack_trace(data):
    reported, code = simulated(data)
    assert (code, reported["dag"]) == (1, None)
    assert reported["problems"]


@pytest.mark.parametrize(("text", "said"), [("{", "not JSON"), (None, "No such file"), (b"\xff", "it is not text")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, text, said):
    file = tmp_path / "config.json"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = run("--file", file)
    assert isinstance(done.exception, StreamFactoryError)
    assert done.exception.where == str(file)
    assert said in done.exception.what


def test_what_differs_from_the_model_is_reported_key_by_key_but_not_what_only_says_the_default():
    reported, code = simulated(config(schedule="@daily", latency_seconds=60, retries=2), "--model", EXAMPLES)
    assert code == 0
    assert reported["differences"] == [{"key": "schedule", "before": "* * * * *", "after": "@daily"}]
    reported, _ = simulated(config(latency_seconds=60), "--model", EXAMPLES)
    assert reported["differences"] == []


def test_differences_are_reported_for_a_config_with_problems_too_and_of_a_stream_that_the_model_has_not():
    done = run("--file", "-", "--model", EXAMPLES, given=json.dumps(config(shedule="@daily")))
    assert done.exit_code == 1
    assert f"Differs from the model in {EXAMPLES}:" in done.stdout
    assert "  shedule: (not set) -> @daily" in done.stdout
    reported, _ = simulated(config(store_name="New", stream_key="New"), "--model", EXAMPLES)
    assert {"key": "stream_key", "before": None, "after": "New"} in reported["differences"]


def test_a_stream_without_a_cron_has_no_next_times(settings_dir):
    file = settings_dir / "yellowlive.settings.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schedule": "@continuous"}))
    for schedule in (None, "@once", "@continuous"):
        reported, _ = simulated(config(schedule=schedule))
        assert reported["dag"]["next_times"] == []
    assert "none, a trigger starts it" in run("--file", "-", given=json.dumps(config(schedule=None))).stdout


def test_a_stream_that_runs_when_assets_change_names_them(settings_dir):
    done = run("--file", "-", given=json.dumps(config(schedule=None, schedule_assets=["YellowLive/Store9/orders"])))
    lines = {line[:21].strip(): line[21:] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert lines["schedule"] == "any of its assets"
    assert "/Store9/orders" in lines["schedule assets"]


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        # Clocks go forward at 01:00 UTC on 28 March 2027, and back at 01:00 UTC on 31 October 2027.
        ("0 2 * * *", "2027-03-26T12:00", ["27T01:00", "28T01:00", "29T00:00"]),
        ("0 2 * * *", "2027-10-30T12:00", ["31T01:00", "01T01:00", "02T01:00"]),
        ("30 * * * *", "2027-10-30T23:00", ["30T23:30", "31T00:30", "31T01:30"]),
        ("@quarterly", "2027-01-01T00:00", ["31T22:00", "30T22:00", "30T22:00"]),
    ],
)
def test_next_times_are_those_of_the_streams_time_zone(schedule, after, expected):
    found = next_times(schedule, "Europe/Zurich", datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert [time.astimezone(UTC).strftime("%dT%H:%M") for time in found] == expected
