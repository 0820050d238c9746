"""A row with the DAG id of a static file: refused before it is written, and shown where it is there already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.airflow.conftest import config

VICTIM = "yellowlive__Victim_ingestion"
STATIC = f"""
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("{VICTIM}", schedule=None):
    EmptyOperator(task_id="another_teams")
"""


@pytest.fixture(scope="module")
def static(world):
    """A static file that has the DAG id of the stream Victim."""
    file = world.real.dags_folder / "victim.py"
    file.write_text(STATIC)
    world.real.parse()
    yield file
    file.unlink()


def rows(world) -> list[str]:
    return [key for (key,) in world.merge_store("SELECT stream_key FROM yellowlive_airflow_dsg")]


def test_the_pages_refuse_a_new_stream_with_the_dag_id_of_a_static_file(client, world, static):
    wanted = {"config": config("YellowLive", "Victim")}
    for path in ("validate/yellowlive", "preview/yellowlive"):
        (problem,) = client().post(f"/api/{path}", json=wanted).json()["problems"]
        assert f"the DAG id {VICTIM} is that of a DAG in " in problem["what"]
    answer = client().post("/api/streams/yellowlive", json=wanted)
    assert answer.status_code == 400
    (problem,) = answer.json()["problems"]
    assert problem["path"] == "stream_key"
    assert "victim.py" in problem["what"]
    assert "Victim" not in rows(world)
    assert client().post("/api/validate/yellowlive", json={"config": config("YellowLive", "Free")}).json() == {
        "problems": []
    }


def test_the_commands_ask_the_airflow_that_is_configured_before_a_row_is_written(world, static, tmp_path):
    file = tmp_path / "rows.yaml"
    one = {"status": "active", "config": config("YellowLive", "Victim")}
    file.write_text(json.dumps({"format": 1, "platforms": {"YellowLive": {"Victim": one}}}))
    command = [
        str(Path(sys.executable).with_name("dagfactory")),
        "streams",
        "import",
        str(file),
        "--platform",
        "YellowLive",
    ]
    asking = {"DAGFACTORY_AIRFLOW_URL": world.address, "DAGFACTORY_AIRFLOW_TOKEN": world.token("admin")}
    environment = {**os.environ, **world.real.environment, "DAGFACTORY_YELLOWLIVE_DSN": world.merge_dsn}
    done = subprocess.run(command, env=environment | asking, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stdout
    assert f"the DAG id {VICTIM} is that of a DAG in " in done.stderr
    assert "Victim" not in rows(world)


def test_a_clash_that_is_there_is_shown_and_can_be_retired(client, world, static):
    world.write("YellowLive", config("YellowLive", "Victim"))
    reported = client().get("/api/streams/yellowlive/Victim").json()
    assert reported["state"] == "set_aside"
    assert any("victim.py" in problem["what"] for problem in reported["problems"])
    (listed,) = client().get(f"/api/streams?dag_id={VICTIM}").json()["streams"]
    assert "victim.py" in listed["problem"]
    command = [str(Path(sys.executable).with_name("dagfactory")), "doctor", "--platform", "YellowLive"]
    environment = {**os.environ, **world.real.environment, "DAGFACTORY_YELLOWLIVE_DSN": world.merge_dsn}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert f"the DAG id {VICTIM} is that of a DAG in " in done.stdout.replace("\n", " ") + done.stderr
    assert client().delete("/api/streams/yellowlive/Victim").status_code == 200
    reported = client().get("/api/streams/yellowlive/Victim").json()
    assert (reported["state"], reported["problems"]) == ("retired", [])
