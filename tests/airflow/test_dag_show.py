"""`dagfactory streams preview` with Airflow: what it shows is what Airflow builds, when and as which pod."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.preview.shown import next_times
from tests.airflow.of_version import core_timetable

EXAMPLES = Path(config_schema.__file__).parent / "examples"


@pytest.fixture
def shown(airflow_here, tmp_path, monkeypatch):
    """The one DAG that is shown of a config, with the settings that bootstrap would write."""
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path))

    def show(config):
        command = ["streams", "preview", "--file", "-", "--json", "--model", str(EXAMPLES)]
        done = CliRunner().invoke(app, command, input=json.dumps(config))
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)["dag"]

    return show


def test_the_tasks_are_those_of_the_dag_that_airflow_builds(shown, config):
    dag = shown(config("YellowLive", runner="kubernetes"))
    assert dag["built_by"].startswith("Airflow 3.")
    assert [(task["task_id"], task["operator"], task["downstream"]) for task in dag["tasks"][:2]] == [
        ("snapshot_merge_job", "PodMergeOperator", ["check_result"]),
        ("check_result", "CheckResult", ["reschedule_immediately", "wait_for_trigger"]),
    ]
    assert {task["task_id"]: task["operator"] for task in dag["tasks"][2:]} == {
        "reschedule_immediately": "RescheduleImmediately",
        "wait_for_trigger": "WaitForTrigger",
    }


def test_the_pod_is_the_one_that_the_merge_task_asks_kubernetes_for(shown, config):
    first, second = (shown(config("YellowLive", runner="kubernetes", on_failed_pod="keep")) for _ in range(2))
    assert first["pod"] == second["pod"]
    spec, (container,) = first["pod"]["spec"], first["pod"]["spec"]["containers"]
    assert first["pod"]["metadata"]["name"] == "yellowlive-store1-merge-<random>"
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Never", False)
    assert container["args"] == first["command"]
    values = {one["name"]: one.get("value") for one in container["env"]}
    assert values["DATASURFACE_RESULT_TOKEN"] == "<new for each try>"
    assert values["POSTGRES_PASSWORD"] is None


@pytest.mark.parametrize(
    "cron", ["0 2 * * *", "30 2 * * 0", "*/20 * * * *", "15 */2 * * *", "@hourly", "@weekly", "@quarterly"]
)
@pytest.mark.parametrize("timezone", ["UTC", "Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe"])
def test_the_next_times_are_airflows_also_where_clocks_change(airflow_here, cron, timezone):
    import pendulum

    from airflow_plugin.operators.schedule import timetable

    airflows = core_timetable(timetable(cron, timezone))
    for start in ("2027-03-13", "2027-03-27", "2027-04-03", "2027-10-02", "2027-10-30", "2027-11-06"):
        after = datetime.fromisoformat(start).replace(tzinfo=UTC)
        expected, at = [], pendulum.instance(after)
        for _ in range(120):
            at = airflows._get_next(at)
            expected.append(at)
        found = [time.astimezone(UTC) for time in next_times(cron, timezone, after, 120)]
        assert found == expected
