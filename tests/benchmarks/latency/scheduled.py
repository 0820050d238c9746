"""Who runs the merge jobs: a real Airflow on a one-minute schedule, or for a quick look threads that do as its DAGs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

from airflow_plugin.demo.airflow import DemoAirflow
from airflow_plugin.demo.errors import DemoTooSlow
from airflow_plugin.demo.postgres import free_port
from airflow_plugin.demo.processes import Processes, inherited_environment
from airflow_plugin.demo.rounds import PLATFORMS, DemoPlatform
from airflow_plugin.jobs.merge_job import MERGE_TASK
from tests.benchmarks.latency.measuring import Seen
from tests.benchmarks.product.dag_runs import DagRuns
from tests.benchmarks.product.installation import Installation

MINUTE = 60
WARM_MINUTES = 2  # from a new configuration until every run goes by it
SHOWN_SECONDS = 120


@contextmanager
def airflow_on(made: Installation, folder: Path) -> Iterator[DemoAirflow]:
    """A whole Airflow with both platforms' DAGs."""
    processes = Processes(folder)
    try:
        airflow = DemoAirflow(folder / "airflow", free_port(), made.databases.dsn("airflow"), made.secrets, processes)
        put_files_in(made, airflow)
        with closing(airflow.api):
            airflow.migrate()
            airflow.start()
            for _ in airflow.becoming_healthy():
                pass
            _wait_for_dags(airflow)
            yield airflow
    finally:
        processes.end()


def put_files_in(made: Installation, airflow: DemoAirflow) -> None:
    """Factory files and settings, as bootstrap wrote them."""
    shutil.copytree(made.files / "dags", airflow.dags, dirs_exist_ok=True)
    shutil.copytree(made.files / "settings", airflow.home / "stream_factory", dirs_exist_ok=True)


def wait_until_warm() -> None:
    """Until a minute begins before which every run has gone by the configuration."""
    time.sleep(WARM_MINUTES * MINUTE - time.time() % MINUTE)


@contextmanager
def threads_on(made: Installation, tick: float) -> Iterator[None]:
    """No Airflow: each stream's runs in a thread, a tick in place of the minute."""
    environment = inherited_environment() | made.secrets
    stop = Event()
    with ThreadPoolExecutor() as pool:
        going = [pool.submit(DagRuns(made.job(of), environment, tick).run_until, stop) for of in PLATFORMS]
        try:
            yield
        finally:
            stop.set()
        for one in going:
            one.result()


def anatomy(airflow: DemoAirflow, seen: Seen) -> dict[str, float]:
    """Median seconds of the parts of a gap: what Airflow and the merge job do between the looks of two runs."""
    runs = {run["dag_run_id"]: run for run in airflow.api.runs(seen.platform.dag_id)}
    looks: dict[str, list[float]] = {}
    for run_id, at in seen.looks:
        looks.setdefault(run_id, []).append(at.timestamp())
    known = [run_id for run_id in looks if run_id in runs]
    parts: dict[str, list[float]] = {}
    for run_id, after in pairwise(known):
        task, next_task = (_task(airflow, seen.platform, one) for one in (run_id, after))
        if not (task["end_date"] and next_task["start_date"]):
            continue
        ended_at = _seconds(task["end_date"])
        moments = {
            "last look to end of merge task": looks[run_id][-1],
            "to start of the next run": ended_at,
            # That run may have started while this one's merge was at work.
            "to start of its merge task": max(ended_at, _seconds(runs[after]["start_date"])),
            "to its first look": _seconds(next_task["start_date"]),
        }
        ends = [*list(moments.values())[1:], looks[after][0]]
        for (name, began), ended in zip(moments.items(), ends, strict=True):
            parts.setdefault(name, []).append(ended - began)
    return {name: round(median(values), 2) for name, values in parts.items()}


def _task(airflow: DemoAirflow, platform: DemoPlatform, run_id: str) -> dict[str, Any]:
    return airflow.api.task(platform.dag_id, run_id, MERGE_TASK)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _wait_for_dags(airflow: DemoAirflow) -> None:
    give_up = time.monotonic() + SHOWN_SECONDS
    while not all(airflow.api.dag(of.dag_id) for of in PLATFORMS):
        airflow.check_alive()
        if time.monotonic() > give_up:
            raise DemoTooSlow("Airflow", "the DAGs", SHOWN_SECONDS, airflow.processes.logs)
        time.sleep(0.5)
