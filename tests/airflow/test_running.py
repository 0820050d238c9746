"""A whole Airflow at work, with its scheduler and LocalExecutor, on streams that say KEEP_WORKING, DONE and ERROR."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from airflow_plugin import stream_table
from airflow_plugin.demo.airflow import Airflow
from airflow_plugin.demo.postgres import free_port
from airflow_plugin.demo.processes import Processes
from airflow_plugin.settings import Allowed, settings_of_row
from config_schema import names

DAGS = Path(__file__).parents[2] / "dags"
MAX_CHAIN = 3

# Says KEEP_WORKING as often as the stream's branch tells (`keep2`), one batch a run, then DONE.
JOB = """
import os, sys, time
from pathlib import Path
from config_schema.result import *

given = dict(item.removeprefix("--").split("=", 1) for item in sys.argv[2:])
store, plan = given["store"], given["git-repo-branch"]
counter = Path(__file__).with_name(f"{store}.runs")
run = len(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text("x" * run)
print(f"run {run} of {store}")
if plan.startswith("tick") and run == 2:
    time.sleep(63 - time.time() % 60)  # into the next minute, when the schedule wants a run
code, error = ResultCode.DONE, None
if plan == "refuses" or plan == "is_away":
    code, error = ResultCode.ERROR, f"the source {plan}. Look there"
elif run <= int(plan[-1]):
    code = ResultCode.KEEP_WORKING
result = MergeResult(code, given["run-id"], given["platform"], store, batch_id=run, batches=1, error=error,
                     retryable=plan == "is_away", datasets={"customers": DatasetResult(Counts(run, 0, 0, 0, run))})
for line in result_lines(result, os.environ["DATASURFACE_RESULT_TOKEN"]):
    print(line)
sys.exit(0 if code >= 0 else 1)
"""

# store -> what its job does, and the rest of its row
STREAMS: dict[str, dict[str, Any]] = {
    "Chain": {"git_repo_branch": "keep2"},
    "Crowded": {"git_repo_branch": "keep2"},
    "Endless": {"git_repo_branch": "keep9"},
    "Busy": {"git_repo_branch": "tick3", "schedule": "* * * * *"},
    "Away": {"git_repo_branch": "is_away"},
    "Refused": {"git_repo_branch": "refuses"},
    "Paused": {"git_repo_branch": "keep0", "schedule": "* * * * *"},
}
# How often each is triggered by hand, where it is not once: Busy is left to its schedule.
TRIGGERS = {"Busy": 0, "Crowded": 2}


@dataclass
class Running:
    airflow: Airflow
    dsn: str

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str]:
        rows = self.query("SELECT task_id, state FROM task_instance WHERE dag_id = %s AND run_id = %s", dag_id, run_id)
        return dict(rows)

    def runs(self, dag_id: str) -> list[tuple[Any, ...]]:
        """run_id, state, conf, queued_at, start_date of each run, in the order of their creation."""
        return self.query(
            "SELECT run_id, state, conf, queued_at, start_date FROM dag_run WHERE dag_id = %s ORDER BY id", dag_id
        )

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def running(postgres, tmp_path_factory, config) -> Iterator[Running]:
    """Airflow with the streams above, triggered."""
    folder = tmp_path_factory.mktemp("running")
    for name in ("running_airflow", "running_merge"):
        postgres.create_role(name, "word")
        postgres.create_database(name, name)
    metadata, merge = (postgres.dsn(name, name, "word") for name in ("running_airflow", "running_merge"))
    write_rows(merge, [config("YellowLive", store, **row) for store, row in STREAMS.items()])
    settle(folder, config("YellowLive"))
    processes = Processes(folder)
    environment = {"DAGFACTORY_SETTINGS_DIR": str(folder), "DAGFACTORY_YELLOWLIVE_DSN": merge}
    airflow = Airflow(folder / "airflow", free_port(), metadata, environment, processes)
    shutil.copy(DAGS / "yellowlive_factory.py", airflow.dags)
    try:
        airflow.migrate()
        airflow.start()
        for _ in airflow.becoming_healthy():
            pass
        started = Running(airflow, metadata)
        for store in STREAMS:
            until(lambda store=store: airflow.api.dag(dag_id(store)) is not None)
            for _ in range(TRIGGERS.get(store, 1)):
                airflow.api.trigger(dag_id(store))
        yield started
    finally:
        airflow.api.close()
        processes.end()
        for process in processes.started.values():
            process.wait()


def test_keep_working_triggers_the_next_run_until_the_job_is_done(running):
    chain = dag_id("Chain")
    until(lambda: len(running.runs(chain)) == 3 and ended(running, chain))
    first, *others = running.runs(chain)
    assert first[0].startswith("manual__")
    assert [(run[0], run[2]) for run in others] == [
        ("keep_working__Chain__1", {"chain": 1}),
        ("keep_working__Chain__2", {"chain": 2}),
    ]
    assert [run[1] for run in running.runs(chain)] == ["success"] * 3
    codes = [running.airflow.api.returned(chain, run[0], "snapshot_merge_job")["code"] for run in running.runs(chain)]
    assert codes == [1, 1, 0]
    assert running.tasks(chain, others[0][0]) == {
        "snapshot_merge_job": "success",
        "check_result": "success",
        "reschedule_immediately": "success",
        "wait_for_trigger": "skipped",
    }
    last = running.tasks(chain, others[1][0])
    assert (last["reschedule_immediately"], last["wait_for_trigger"]) == ("skipped", "success")


def test_where_a_run_is_queued_already_none_is_triggered(running):
    crowded = dag_id("Crowded")
    until(lambda: len(running.runs(crowded)) == 3 and ended(running, crowded))
    first, second, third = running.runs(crowded)
    assert first[0].startswith("manual__")
    assert second[0].startswith("manual__")
    assert third[0] == "keep_working__Crowded__2"
    assert running.tasks(crowded, first[0])["reschedule_immediately"] == "skipped"
    assert "is queued already" in task_log(running, crowded, first[0], "reschedule_immediately")


def test_a_job_that_never_is_done_stops_at_the_longest_chain(running):
    endless = dag_id("Endless")
    until(lambda: len(running.runs(endless)) == 1 + MAX_CHAIN and ended(running, endless))
    *_, last = running.runs(endless)
    assert last[2] == {"chain": MAX_CHAIN}
    assert running.tasks(endless, last[0])["reschedule_immediately"] == "skipped"
    assert f"triggered itself {MAX_CHAIN} times in a row" in task_log(
        running, endless, last[0], "reschedule_immediately"
    )


def test_an_error_that_a_retry_can_help_is_retried_and_another_one_fails_at_once(running):
    away, refused = dag_id("Away"), dag_id("Refused")
    until(lambda: ended(running, refused))
    ((run_id, state, *_),) = running.runs(refused)
    assert state == "failed"
    assert running.tasks(refused, run_id)["snapshot_merge_job"] == "failed"
    assert "YellowLive Refused: the source refuses. Look there" in task_log(
        running, refused, run_id, "snapshot_merge_job"
    )
    ((run_id, *_),) = running.runs(away)
    until(lambda: running.tasks(away, run_id)["snapshot_merge_job"] == "up_for_retry")


def test_the_worker_reads_one_row_and_builds_one_dag(running):
    chain = dag_id("Chain")
    until(lambda: ended(running, chain))
    (run_id, *_), *_ = running.runs(chain)
    assert "rows that are DAGs now: 1, set aside: 0" in task_log(running, chain, run_id, "snapshot_merge_job")


def test_with_the_schedule_on_never_more_than_one_run_is_queued(running):
    busy = dag_id("Busy")
    until(lambda: len(running.runs(busy)) >= 5)
    until(lambda: ended(running, busy))
    runs = running.runs(busy)
    assert {run[1] for run in runs} == {"success"}
    assert ["scheduled" if run[0].startswith("scheduled__") else run[0] for run in runs[:5]] == [
        "scheduled",
        "keep_working__Busy__1",
        "keep_working__Busy__2",
        "keep_working__Busy__3",
        "scheduled",
    ]
    # A run is queued from queued_at until it starts; if no two of these times overlap, no two were ever queued.
    waits = sorted((run[3], run[4]) for run in runs)
    assert all(start <= queued for (_, start), (queued, _) in itertools.pairwise(waits))


def test_a_paused_stream_is_never_scheduled_and_its_merge_task_skips(running):
    busy, paused = dag_id("Busy"), dag_id("Paused")
    until(lambda: len(running.runs(busy)) >= 5)  # two of these by a schedule that Paused has too
    until(lambda: ended(running, paused))
    ((run_id, state, *_),) = running.runs(paused)
    assert state == "success"
    assert set(running.tasks(paused, run_id).values()) == {"skipped"}
    assert "its row's status to active" in task_log(running, paused, run_id, "snapshot_merge_job")


def settle(folder: Path, config: dict[str, Any]) -> None:
    job = folder / "job.py"
    job.write_text(JOB)
    settings = settings_of_row(
        config,
        merge_job_command=(sys.executable, str(job)),
        max_chain=MAX_CHAIN,
        allowed=Allowed(git_repo_branch=tuple({row["git_repo_branch"] for row in STREAMS.values()})),
    )
    (folder / names.settings_file("yellowlive")).write_text(settings.to_json())


def write_rows(dsn: str, configs: list[dict[str, Any]]) -> None:
    connection = psycopg2.connect(dsn)
    with connection:
        stream_table.create_tables(connection, "yellowlive")
        changes = [
            stream_table.RowChange(
                one["stream_key"], json.dumps(one), "paused" if one["stream_key"] == "Paused" else "active", "create"
            )
            for one in configs
        ]
        stream_table.write_rows(connection, "yellowlive", changes, changed_by="test")
    connection.close()


def dag_id(store: str) -> str:
    return names.dag_id("yellowlive", store)


def ended(running: Running, dag: str) -> bool:
    return {run[1] for run in running.runs(dag)} <= {"success", "failed"}


def task_log(running: Running, dag: str, run_id: str, task_id: str) -> str:
    folder = running.airflow.home / "logs" / f"dag_id={dag}" / f"run_id={run_id}" / f"task_id={task_id}"
    return "\n".join(file.read_text() for file in sorted(folder.glob("*.log")))


def until(holds: Callable[[], bool], seconds: float = 150) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, f"not within {seconds} s"
        time.sleep(0.3)
