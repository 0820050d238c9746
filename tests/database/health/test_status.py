"""`dagfactory status` of real jobs: what each stream is, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import closing

import pytest

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from config_schema.model import Milestoning
from config_schema.schemas import json_schema
from merge_jobs.errors import SourceTableMissing
from tests.row_settings import settings_of_row
from tests.warm_python import run_module

EXAMPLE = json_schema("stream")["examples"][0] | {"latency_seconds": 3600}


@pytest.fixture
def status(tmp_path):
    """`dagfactory status` of a case's platform, of which the settings file says the rest."""

    def run(case, *arguments, **settings):
        (tmp_path / "yellowlive.settings.json").write_text(settings_of_row(EXAMPLE, **settings).to_json())
        environment = {
            "PATH": os.environ["PATH"],
            "DAGFACTORY_YELLOWLIVE_DSN": case.target.dsn,
            "DAGFACTORY_SETTINGS_DIR": str(tmp_path),
            "DAGFACTORY_SNAPSHOT_DIR": str(tmp_path),
        }
        return run_module("airflow_plugin", "status", *arguments, env=environment)

    return run


def rows_of(case, *changes):
    with closing(case.target.connect()) as connection, connection:
        table = StreamTable(ControlSession(connection, "yellowlive"))
        table.create_tables()
        table.write(changes, changed_by="test")


def test_a_stream_whose_runs_fail_ends_the_command_with_1_though_nobody_demands_a_latency(merging, status):
    case = merging("CREATE TABLE customers (id int PRIMARY KEY)")
    config = {key: value for key, value in EXAMPLE.items() if key != "latency_seconds"}
    rows_of(case, RowChange("Store1", json.dumps(config), "active", "test"))
    never = status(case)
    assert never.returncode == 0
    assert "never run" in never.stdout
    case.run(Milestoning.LIVE)
    assert " fine " in status(case).stdout
    case.execute("ALTER TABLE customers RENAME TO clients")
    with pytest.raises(SourceTableMissing):
        case.run(Milestoning.LIVE)
    failing = status(case)
    assert failing.returncode == 1
    assert " failing " in failing.stdout
    assert "yellowlive_airflow_dsg[Store1]: its last run has failed: " in failing.stdout
    (line,) = json.loads(status(case, "--json").stdout)
    assert (line["state"], line["is_problem"], line["met"]) == ("failing", True, None)


def test_a_stream_that_lacks_a_secret_fails_before_its_first_batch_and_is_a_problem_everywhere(
    merging, status, tmp_path
):
    case = merging("CREATE TABLE customers (id int PRIMARY KEY)")
    config = {key: value for key, value in EXAMPLE.items() if key != "latency_seconds"}
    rows_of(case, RowChange("Store1", json.dumps(config), "active", "test"))
    environment = {key: value for key, value in case.environment.items() if key != "PRODUCER_PASSWORD"}
    (model := tmp_path / "model").mkdir()
    command = case.command(Milestoning.LIVE, model, "first")
    assert subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode == 1
    failing = status(case)
    assert failing.returncode == 1
    assert "its last run has failed, and none has ever succeeded: " in failing.stdout
    assert "PRODUCER_PASSWORD is not set" in failing.stdout
    of_job = run_module("merge_jobs", "status", f"--model={model}", "--platform=YellowLive", env=case.environment)
    assert of_job.returncode == 1
    assert "Store1 failing: its last run has failed, and none has ever succeeded: " in of_job.stdout


def test_a_failure_that_the_next_run_may_mend_is_a_problem_after_as_many_runs_as_the_settings_say(merging, status):
    case = merging("CREATE TABLE customers (id int PRIMARY KEY)")
    rows_of(case, RowChange("Store1", json.dumps(EXAMPLE), "active", "test"))
    case.run(Milestoning.LIVE)
    case.execute(
        "INSERT INTO yellowlive_batch_metrics (key, batch_id, batch_start_time, batch_end_time, batch_status, state,"
        " run_id, error, retryable) VALUES ('Store1', 2, now(), now(), 'failed', '{}', 'r', 'it was away', true)",
        on=case.target,
    )
    assert status(case).returncode == 0
    failing = status(case, failing_after_runs=1)
    assert failing.returncode == 1
    assert "its last run has failed: it was away. Correct that" in failing.stdout


def test_a_stream_that_is_late_is_reported_and_ends_the_command_with_1(merging, status):
    case = merging("CREATE TABLE customers (id int PRIMARY KEY)")
    rows = [RowChange("Store1", json.dumps(EXAMPLE), "active", "test")]
    rows.append(
        RowChange("Rests", json.dumps(EXAMPLE | {"stream_key": "Rests", "store_name": "Rests"}), "paused", "test")
    )
    rows_of(case, *rows)
    case.run(Milestoning.LIVE)
    fresh = status(case, "--json")
    assert fresh.returncode == 0, fresh.stderr
    reported = {line["stream"]: line for line in json.loads(fresh.stdout)}
    assert [reported["Store1"][key] for key in ("last_batch", "met", "latency_seconds")] == [1, True, 3600]
    assert [reported["Rests"][key] for key in ("last_batch", "met", "status")] == [None, None, "paused"]
    for what in ("yellowlive_batch_counter SET last_checked_at", "yellowlive_batch_metrics SET batch_end_time"):
        case.execute(f"UPDATE {what} = now() - interval '2 hours'", on=case.target)
    case.execute("UPDATE yellowlive_airflow_dsg SET updated_at = now() - interval '2 hours'", on=case.target)
    late = status(case)
    assert late.returncode == 1
    assert "late by 1:00:0" in late.stdout
    assert late.stdout.count("late by 1:00:0") == 1
