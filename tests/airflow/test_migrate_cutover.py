"""`dagfactory migrate cutover`, and `--undo`, on a whole Airflow at work, killed at each step and taken up again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
import yaml

from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import (
    RowChange,
    StreamTable,
)
from airflow_plugin.demo.airflow import USER, DemoAirflow
from airflow_plugin.demo.postgres import free_port
from airflow_plugin.demo.processes import Processes
from airflow_plugin.migrate.cutover_state import STEPS
from config_schema import names
from tests.row_settings import settings_of_row

DAGS = Path(__file__).parents[2] / "dags"

# What static files import here: like Airflow's own, but the pod is a wait for a file.
PODS = """
import time
from pathlib import Path
from airflow.sdk import BaseOperator

class KubernetesPodOperator(BaseOperator):
    def __init__(self, *, image, namespace, arguments, **kwargs):
        super().__init__(**kwargs)
        self.store = arguments[3]

    def execute(self, context):
        flags = Path(__file__).parents[1] / "flags"
        (flags / f"{self.store}.started").touch()
        while (flags / f"{self.store}.hold").exists():
            time.sleep(0.2)
"""

STATIC = """
from datetime import datetime
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from pods import KubernetesPodOperator

with DAG(
    "yellowlive__STORE_ingestion",
    schedule=None,
    start_date=datetime(2025, 1, 1),
    catchup=False,
    is_paused_upon_creation=False,
):
    job = KubernetesPodOperator(
        task_id="snapshot_merge_job",
        namespace="ns-yellow-live",
        image="registry.example/merge-job:0.1.0",
        arguments=["--platform-name", "YellowLive", "--store-name", "STORE", "--operation", "snapshot-merge"],
    )
    job >> EmptyOperator(task_id="check_result")
"""

JOB = """
import os, sys
from config_schema.result import *
given = dict(item.removeprefix("--").split("=", 1) for item in sys.argv[2:])
result = MergeResult(ResultCode.DONE, given["run-id"], given["platform"], given["store"], batch_id=1, batches=1)
for line in result_lines(result, os.environ["DATASURFACE_RESULT_TOKEN"]):
    print(line)
"""

# The command itself, which ends itself at a point: where a step has acted, and where that is kept.
KILLED = """
import os, signal, sys
from dataclasses import replace
import airflow_plugin.cli.messages as messages
import airflow_plugin.migrate.cutover_state as kept
from airflow_plugin.cli.program import run

def at(point):
    if point == os.environ.get("KILLED_AT"):
        os.kill(os.getpid(), signal.SIGKILL)

talk, with_done = messages.print_message, kept.Cutover.with_done
def talked(text):
    talk(text)
    at(text)
def done(self, step):
    at(f"{step}: acted")
    return with_done(self, step)
messages.print_message, kept.Cutover.with_done = talked, done
sys.argv = ["dagfactory", *sys.argv[1:]]
run()
"""


@dataclass
class World:
    airflow: DemoAirflow
    folder: Path
    merge_dsn: str
    token: str
    config: Callable[..., dict[str, Any]]

    @property
    def flags(self) -> Path:
        return self.airflow.home / "flags"

    def static(self, store: str) -> Path:
        """A static file, once Airflow has its DAG."""
        path = self.airflow.dags / f"yellowlive__{store}_ingestion.py"
        path.write_text(STATIC.replace("STORE", store))
        until(lambda: self.dag(store) is not None)
        return path

    def rows(self, store: str) -> Path:
        path = self.folder / f"{store}.yaml"
        row = {store: {"status": "active", "config": self.config("YellowLive", store)}}
        path.write_text(yaml.safe_dump({"format": 1, "platforms": {"YellowLive": row}}))
        return path

    def dag(self, store: str) -> dict[str, Any] | None:
        return self.airflow.api.dag(names.dag_id("yellowlive", store))

    def of_factory(self, store: str) -> bool:
        dag = self.dag(store)
        return dag is not None and not dag["is_stale"] and dag["fileloc"].endswith("yellowlive_factory.py")

    def is_static(self, store: str, file: Path) -> bool:
        dag = self.dag(store)
        return dag is not None and not dag["is_stale"] and dag["fileloc"] == str(file)

    def row(self, store: str) -> tuple[str, dict[str, Any]] | None:
        connection = psycopg2.connect(self.merge_dsn)
        try:
            found = StreamTable(ControlSession(connection, "yellowlive")).select(stream_keys=[store], retired=True)
        finally:
            connection.close()
        return (found[0].status, json.loads(found[0].config_json)) if found else None

    def changes(self, store: str) -> list[str]:
        connection = psycopg2.connect(self.merge_dsn)
        try:
            return [version.change for version in StreamTable(ControlSession(connection, "yellowlive")).history(store)]
        finally:
            connection.close()

    def migrate(self, *arguments: object, killed_at: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, "migrate", *map(str, arguments), "--airflow-url", self.airflow.address]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DAGFACTORY_SETTINGS_DIR": str(self.folder),
            "DAGFACTORY_YELLOWLIVE_DSN": self.merge_dsn,
            "DAGFACTORY_AIRFLOW_TOKEN": self.token,
            "KILLED_AT": killed_at,
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert self.token not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        if killed_at:
            assert done.returncode == -signal.SIGKILL, f"{killed_at}: {done.stdout}{done.stderr}"
        return done


@pytest.fixture(scope="module")
def world(postgres, tmp_path_factory, config) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("cutover")
    for name in ("cutover_airflow", "cutover_merge"):
        postgres.create_role(name, "word")
        postgres.create_database(name, name)
    metadata, merge = (postgres.dsn(name, name, "word") for name in ("cutover_airflow", "cutover_merge"))
    connection = psycopg2.connect(merge)
    with connection:
        session = ControlSession(connection, "yellowlive")
        StreamTable(session).create_tables()
        ModelState(session).record_commit("c1", applied_by="test")
    connection.close()
    (folder / "job.py").write_text(JOB)
    settings = settings_of_row(config("YellowLive"), merge_job_command=(sys.executable, str(folder / "job.py")))
    (folder / names.settings_file("yellowlive")).write_text(settings.to_json())
    processes = Processes(folder)
    environment = {
        "DAGFACTORY_SETTINGS_DIR": str(folder),
        "DAGFACTORY_YELLOWLIVE_DSN": merge,
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "1",
    }
    airflow = DemoAirflow(folder / "airflow", free_port(), metadata, environment, processes)
    (airflow.home / "flags").mkdir()
    shutil.copy(DAGS / "yellowlive_factory.py", airflow.dags)
    (airflow.dags / "pods.py").write_text(PODS)
    try:
        airflow.migrate()
        airflow.start()
        for _ in airflow.becoming_healthy():
            pass
        login = {"username": USER, "password": airflow.password}
        token = httpx.post(f"{airflow.address}/auth/token", json=login, trust_env=False).json()["access_token"]
        until(lambda: airflow.api.dag("yellowlive_health") is not None)
        yield World(airflow, folder, merge, token, config)
    finally:
        airflow.api.close()
        processes.end()
        for process in processes.started.values():
            process.wait()


def test_a_cutover_that_is_killed_at_every_point_is_taken_up_again_and_can_be_undone(world):
    file, rows = world.static("Store1"), world.rows("Store1")
    aside, state = file.with_name(f"{file.name}.aside"), file.with_name(f"{file.name}.cutover.json")
    dag_id = names.dag_id("yellowlive", "Store1")
    given = ("cutover", file, "--rows", rows, "--timeout", 250)

    dry = world.migrate(*given)
    assert dry.returncode == 0, dry.stderr
    assert "1 pause           pause yellowlive__Store1_ingestion" in dry.stdout
    assert "Nothing was changed" in dry.stderr
    assert (state.exists(), world.dag("Store1")["is_paused"], world.row("Store1")) == (False, False, None)

    (world.flags / "Store1.hold").touch()
    run_id = world.airflow.api.trigger(dag_id)
    queued = world.airflow.api.trigger(dag_id)
    until(lambda: (world.flags / "Store1.started").exists())
    for step in STEPS:
        if step == "drain":  # its task is running: a cutover waits for it, and says so if that takes too long
            late = world.migrate(*given[:-1], 3, "--yes")
            assert late.returncode == 1
            assert "tasks of yellowlive__Store1_ingestion are still at work, after 3 s" in late.stderr
            assert "to go on, or dagfactory migrate cutover --undo" in late.stderr
            assert file.exists()
            (world.flags / "Store1.hold").unlink()
        for point in ("acted", "done"):
            world.migrate(*given, "--yes", killed_at=f"{step}: {point}")
        assert json.loads(state.read_text())["done"] == list(STEPS[: STEPS.index(step) + 1])
    # The job had ended when the run was; the one that had not begun has not merged.
    assert world.airflow.api.state(dag_id, run_id) == "success"
    assert world.airflow.api.state(dag_id, queued) in ("success", "failed")
    assert (file.exists(), aside.exists()) == (False, True)
    assert world.row("Store1") == ("active", world.config("YellowLive", "Store1"))
    assert world.changes("Store1") == ["cutover"]
    assert world.of_factory("Store1")
    assert world.dag("Store1")["is_paused"] is False
    fresh = world.airflow.api.trigger(dag_id)
    until(lambda: world.airflow.api.state(dag_id, fresh) == "success")
    again = world.migrate(*given, "--yes")
    assert (again.returncode, world.changes("Store1")) == (0, ["cutover"])

    back = ("cutover", file, "--undo", "--timeout", 250)
    assert "Nothing was changed" in world.migrate(*back).stderr
    for step in ("resume", "write", "move", "pause"):
        world.migrate(*back, "--yes", killed_at=f"undo {step}: done")
    assert "it is being rolled back" in world.migrate(*given, "--yes").stderr
    done = world.migrate(*back, "--yes")
    assert done.returncode == 0, done.stderr
    assert_static(world, "Store1", file)
    assert world.changes("Store1") == ["rollback", "cutover"]
    assert "no cutover has begun" in world.migrate(*back, "--yes").stderr


def test_from_each_step_a_cutover_is_rolled_back_to_what_was_there(world):
    file, rows = world.static("Store2"), world.rows("Store2")
    given = ("cutover", file, "--rows", rows, "--timeout", 250)
    for step in STEPS:
        world.migrate(*given, "--yes", killed_at=f"{step}: acted")
        done = world.migrate("cutover", file, "--undo", "--timeout", 250, "--yes")
        assert done.returncode == 0, f"{step}: {done.stderr}"
        assert_static(world, "Store2", file)
    assert world.changes("Store2") == ["rollback", "cutover"] * 2  # of the last two steps


def test_a_dag_that_was_paused_stays_so_and_a_row_that_was_there_comes_back(world):
    file, rows = world.static("Store3"), world.rows("Store3")
    before = RowChange("Store3", json.dumps(world.config("YellowLive", "Store3", retries=7)), "retired", "retire")
    connection = psycopg2.connect(world.merge_dsn)
    with connection:
        StreamTable(ControlSession(connection, "yellowlive")).write([before], changed_by="test")
    connection.close()
    httpx.patch(
        f"{world.airflow.address}/api/v2/dags/yellowlive__Store3_ingestion",
        json={"is_paused": True},
        headers={"Authorization": f"Bearer {world.token}"},
        trust_env=False,
    ).raise_for_status()
    done = world.migrate("cutover", file, "--rows", rows, "--timeout", 250, "--yes")
    assert done.returncode == 0, done.stderr
    assert "was paused before" in done.stdout
    assert (world.of_factory("Store3"), world.dag("Store3")["is_paused"]) == (True, True)
    assert world.row("Store3") == ("active", world.config("YellowLive", "Store3"))
    assert world.migrate("cutover", file, "--undo", "--timeout", 250, "--yes").returncode == 0
    assert world.row("Store3") == ("retired", json.loads(before.config_json))
    assert (world.of_factory("Store3"), world.dag("Store3")["is_paused"]) == (False, True)


def test_what_a_cutover_lacks_is_reported_before_its_first_step(world):
    file, rows = world.static("Store4"), world.rows("Store4")
    other = file.with_name("two_dags.py")
    cases = [
        (("cutover", file), "Give --rows, as extract wrote them, or --model"),
        (("cutover", file, "--rows", world.rows("Store9")), "no stream with the DAG id yellowlive__Store4_ingestion"),
        (("cutover", other, "--rows", rows), "it has other DAGs too: another"),
        (("cutover", file, "--undo"), "no cutover has begun"),
    ]
    other.write_text(file.read_text() + '\nwith DAG("another", schedule=None):\n    EmptyOperator(task_id="waits")\n')
    try:
        for arguments, reported in cases:
            done = world.migrate(*arguments, "--yes")
            assert (done.returncode, reported in done.stderr) == (1, True), done.stderr
    finally:
        other.unlink()
    # Its DAG is gone for a moment if Airflow has taken it from the other file.
    until(lambda: world.is_static("Store4", file))
    renamed = world.folder / "elsewhere.py"
    renamed.write_text(file.read_text())
    done = world.migrate("cutover", renamed, "--rows", rows, "--yes")
    assert "not from elsewhere.py" in done.stderr
    world.token, kept = "not.a.token", world.token
    done = world.migrate("cutover", file, "--rows", rows, "--yes")
    world.token = kept
    assert "DAGFACTORY_AIRFLOW_TOKEN to a token that is valid" in done.stderr
    assert (file.exists(), world.row("Store4"), world.dag("Store4")["is_paused"]) == (True, None, False)


def assert_static(world: World, store: str, file: Path) -> None:
    """All is as before the cutover; a row that there was is retired."""
    dag = world.dag(store)
    assert (dag["fileloc"], dag["is_stale"], dag["is_paused"]) == (str(file), False, False)
    assert (file.exists(), file.with_name(f"{file.name}.aside").exists()) == (True, False)
    row = world.row(store)
    assert row is None or row[0] == "retired"


def until(holds: Callable[[], bool], seconds: float = 300) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.2)
