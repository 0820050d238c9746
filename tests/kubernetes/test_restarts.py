"""A whole Airflow whose scheduler and workers end while a merge runs in its pod: orderly, and at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.demo.airflow import COMPONENTS, DemoAirflow
from airflow_plugin.demo.postgres import free_port
from airflow_plugin.demo.processes import Processes, python_module
from config_schema import names
from tests.kubernetes.world import CONNECTION, DAG_ID, World
from tests.row_settings import settings_of_row

DAGS = Path(__file__).parents[2] / "dags"
TASK = "snapshot_merge_job"
SCHEDULER = "scheduler"
SECONDS = 300.0
REUSED = "Reusing existing pod"  # as the provider says it
SHORT_RETRY_DELAY = """
from datetime import timedelta

def task_policy(task):
    task.retry_delay = timedelta(seconds=1)
"""


@dataclass
class Running:
    airflow: DemoAirflow

    def restart_scheduler(self, how: signal.Signals, run_id: str) -> None:
        """End the scheduler with all its workers, as the first process of its container does, and start it again."""
        processes = self.airflow.processes
        scheduler = processes.started[SCHEDULER]
        os.killpg(scheduler.pid, how)
        scheduler.wait(60)
        processes.forget(SCHEDULER)
        command = python_module("airflow", SCHEDULER, *COMPONENTS[SCHEDULER])
        processes.start(SCHEDULER, command, self.airflow.environment)

    def end_worker(self, how: signal.Signals, run_id: str) -> None:
        """End the worker of the merge task, whose child the task is."""
        scheduler = psutil.Process(self.airflow.processes.started[SCHEDULER].pid)
        task = self.airflow.api.task(DAG_ID, run_id, TASK)["id"]
        (worker,) = [one for one in scheduler.children() if task in " ".join(one.cmdline())]
        worker.send_signal(how)

    def log(self, run_id: str) -> str:
        folder = self.airflow.home / "logs" / f"dag_id={DAG_ID}" / f"run_id={run_id}" / f"task_id={TASK}"
        return "\n".join(file.read_text() for file in sorted(folder.glob("*.log")))


@pytest.fixture(scope="module")
def running(behind: World, cluster, postgres, tmp_path_factory) -> Iterator[Running]:
    """A whole Airflow of this machine with one stream, whose pods are in the cluster."""
    folder = tmp_path_factory.mktemp("restarts")
    postgres.create_role("restarts_airflow", "word")
    postgres.create_database("restarts_airflow", "restarts_airflow")
    row = behind.row({})
    del row["schedule"]
    settings = settings_of_row(
        row, kubernetes_conn_id=CONNECTION, source_hosts=(f"{behind.host}:{behind.server.port}",)
    )
    (folder / names.settings_file(settings.platform_name)).write_text(settings.to_json())
    with closing(psycopg2.connect(behind.store_dsn)) as connection:
        change = RowChange(row["stream_key"], json.dumps(row), "active", "create")
        StreamTable(ControlSession(connection, settings.platform_name)).write([change], changed_by="test")
        connection.commit()
    environment = {
        "DAGFACTORY_SETTINGS_DIR": str(folder),
        names.dsn_variable(settings.platform_name): behind.store_dsn,
        f"AIRFLOW_CONN_{CONNECTION.upper()}": os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"],
        # Airflow waits five minutes for a worker that was killed, and looks every ten seconds.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }
    processes = Processes(folder)
    metadata = postgres.dsn("restarts_airflow", "restarts_airflow", "word")
    airflow = DemoAirflow(folder / "airflow", free_port(), metadata, environment, processes)
    shutil.copy(DAGS / "yellowlive_factory.py", airflow.dags)
    (airflow.home / "config").mkdir()
    (airflow.home / "config" / "airflow_local_settings.py").write_text(SHORT_RETRY_DELAY)
    try:
        airflow.migrate()
        airflow.start()
        for _ in airflow.becoming_healthy():
            pass
        until(lambda: airflow.api.dag(DAG_ID) is not None)
        yield Running(airflow)
    finally:
        airflow.api.close()
        processes.end()
        for process in processes.started.values():
            process.wait()
        cluster.clean()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("whose", [Running.restart_scheduler, Running.end_worker])
def test_a_merge_goes_on_in_its_pod_and_the_task_finds_it(
    world: World, cluster: Any, running: Running, whose: Callable[[Running, signal.Signals, str], None], how
):
    api = running.airflow.api
    world.git.answers.clear()  # so long the job waits for its model, as no sync has recorded this commit's
    world.sync(world.model())
    try:
        run_id = api.trigger(DAG_ID)
        until(lambda: "reached Running phase" in running.log(run_id))
        whose(running, how, run_id)
        until(lambda: REUSED in running.log(run_id))
    finally:
        world.git.answers.set()
    until(lambda: api.state(DAG_ID, run_id) in ("success", "failed"))
    assert api.state(DAG_ID, run_id) == "success"
    assert api.returned(DAG_ID, run_id, TASK)["run_id"] == run_id
    assert len([pod for pod in cluster.created if "stream-factory/stream" in pod["metadata"]["labels"]]) == 1
    assert not [pod for pod in cluster.pods.values() if "stream-factory/stream" in pod.labels]
    if how == signal.SIGTERM:
        assert api.tries(DAG_ID, run_id, TASK) == 1


def until(holds: Callable[[], bool], seconds: float = SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, f"not within {seconds} s"
        time.sleep(0.2)
