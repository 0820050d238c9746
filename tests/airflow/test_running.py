"""A whole Airflow at work, with its scheduler and LocalExecutor, on streams that say KEEP_WORKING, DONE and ERROR."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from airflow_plugin.control.migrations import run_missing_migrations
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.demo.airflow import DemoAirflow
from airflow_plugin.demo.postgres import free_port
from airflow_plugin.demo.processes import Processes
from airflow_plugin.factory.bundle_config import DAGS_FOLDER, with_streams
from airflow_plugin.settings import Allowed
from config_schema import names
from config_schema.sql.versions import Part
from tests.airflow.slack import Slack
from tests.airflow.statsd_receiver import Statsd
from tests.row_settings import settings_of_row

DAGS = Path(__file__).parents[2] / "dags"
MAX_CHAIN = 3

# Says KEEP_WORKING as often as the stream's branch tells (`keep2`), one batch a run, then DONE.
JOB = """
import os, sys, time
from pathlib import Path
from config_schema.result import *

if sys.argv[1] == "views":
    print("consumers' views are brought to the model", sys.argv[1:])
    sys.exit(0)
if sys.argv[1] == "approve-delete":
    print("approved by a job", sys.argv[1:])
    sys.exit(0)
given = dict(item.removeprefix("--").split("=", 1) for item in sys.argv[2:] if "=" in item)
store, plan = given["store"], given["git-repo-branch"]
counter = Path(__file__).with_name(f"{store}.runs")
run = len(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text("x" * run)
print(f"run {run} of {store}")
if plan.startswith("tick") and run == 2:
    time.sleep(63 - time.time() % 60)  # into the next minute, when the schedule wants a run
code, error, refused = ResultCode.DONE, None, None
if plan == "refuses" or plan == "is_away":
    code, error = ResultCode.ERROR, f"the source {plan}. Look there"
elif plan == "emptied":
    if run == 1:
        code, error, refused = ResultCode.ERROR, "too much is gone", RefusedDelete(4, "customers", 249, 250, 0.5)
elif run <= int(plan[-1]):
    code = ResultCode.KEEP_WORKING
inserted = 0 if plan.startswith("same") else run
datasets = {"customers": DatasetResult(Counts(inserted, unchanged=5, total=inserted + 5)),
            "addresses": DatasetResult(Counts(unchanged=5, total=5))}
result = MergeResult(code, given["run-id"], given["platform"], store, batch_id=run, batches=1, error=error,
                     retryable=plan == "is_away", datasets=datasets, shape_changed=plan.startswith("shape"),
                     refused_delete=refused)
for line in result_lines(result, os.environ["DATASURFACE_RESULT_TOKEN"]):
    print(line)
sys.exit(0 if code >= 0 else 1)
"""

# store -> what its job does, and the rest of its row
STREAMS: dict[str, dict[str, Any]] = {
    "Chain": {"git_repo_branch": "keep2"},
    "Crowded": {"git_repo_branch": "keep2"},
    "Lasting": {"git_repo_branch": "keep2", "time_slice_seconds": 1},
    "Waiting": {"git_repo_branch": "keep2", "time_slice_seconds": 1},
    "Endless": {"git_repo_branch": "keep9"},
    "Busy": {"git_repo_branch": "tick3", "schedule": "* * * * *"},
    "Away": {"git_repo_branch": "is_away"},
    "Refused": {"git_repo_branch": "refuses"},
    "Paused": {"git_repo_branch": "keep0", "schedule": "* * * * *"},
    "Always": {"git_repo_branch": "keep0", "schedule": "@continuous"},
    "Same": {"git_repo_branch": "same0"},
    "Shaped": {"git_repo_branch": "shape0"},
    "Asked": {"git_repo_branch": "keep0"},
    "Emptied": {"git_repo_branch": "emptied"},
    "Follower": {"git_repo_branch": "keep0", "schedule_assets": ["YellowLive/Chain/customers"]},
    "Reported": {"git_repo_branch": "keep0", "schedule_assets": ["s3://landing/report"]},
    "Late": {"git_repo_branch": "keep0", "latency_seconds": 1},
    "InTime": {"git_repo_branch": "keep0", "latency_seconds": 3600},
}
PAUSED = ("Paused", "Always")
# How often each is triggered by hand, where it is not once: these are left to their schedules.
TRIGGERS = {"Busy": 0, "Follower": 0, "Reported": 0, "Always": 0, "Crowded": 2, "Waiting": 2}

# The same of another platform, whose DAGs are in the bundle and in no factory file.
BUNDLED: dict[str, dict[str, Any]] = {
    "BundledChain": {"git_repo_branch": "keep2"},
    "BundledAway": {"git_repo_branch": "is_away"},
    "BundledFollower": {"git_repo_branch": "keep0", "schedule_assets": ["YellowForensic/BundledChain/customers"]},
}
TRIGGERS["BundledFollower"] = 0

# What others have: a DAG for each of two datasets, which runs when that has changed and returns what it received.
CONSUMERS = """
from airflow.sdk import DAG, Asset, task

def after(store):
    asset = Asset(f"x-stream://YellowLive/{store}/customers")
    with DAG(f"after_{store}", schedule=asset, is_paused_upon_creation=False) as dag:
        @task(outlets=Asset("a report of " + store, "s3://landing/report") if store == "Chain" else [])
        def reported(triggering_asset_events=None):
            return [event.extra for event in triggering_asset_events[asset]]
        reported()
    return dag

after_chain, after_same = after("Chain"), after("Same")
"""


RETRIED = """
SELECT state = 'up_for_retry' OR try_number > 1 FROM task_instance
WHERE dag_id = %s AND task_id = 'snapshot_merge_job'
"""


@dataclass
class Running:
    airflow: DemoAirflow
    dsn: str
    merge_dsn: str
    slack: Slack
    statsd: Statsd

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str]:
        rows = self.query("SELECT task_id, state FROM task_instance WHERE dag_id = %s AND run_id = %s", dag_id, run_id)
        return dict(rows)

    def runs(self, dag_id: str) -> list[tuple[Any, ...]]:
        """run_id, state, conf, queued_at, start_date of each run, in the order of their creation."""
        return self.query(
            "SELECT run_id, state, conf, queued_at, start_date FROM dag_run WHERE dag_id = %s ORDER BY id", dag_id
        )

    def merges(self, dag_id: str) -> dict[str, tuple[Any, Any]]:
        """Start and end of the merge task by run id."""
        found = self.query(
            "SELECT run_id, start_date, end_date FROM task_instance WHERE dag_id = %s AND task_id = %s",
            *(dag_id, "snapshot_merge_job"),
        )
        return {run_id: (start, end) for run_id, start, end in found}

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
    slack, statsd = Slack(), Statsd()
    write_rows(merge, [config("YellowLive", store, **row) for store, row in STREAMS.items()])
    write_rows(merge, [config("YellowForensic", store, **row) for store, row in BUNDLED.items()])
    with closing(psycopg2.connect(merge)) as connection:  # as a real first job does
        run_missing_migrations(ControlSession(connection, "yellowlive"), Part.BATCHES)
        connection.commit()
    for platform in ("YellowLive", "YellowForensic"):
        settle(folder, config(platform))
    processes = Processes(folder)
    environment = {
        "DAGFACTORY_SETTINGS_DIR": str(folder),
        "DAGFACTORY_YELLOWLIVE_DSN": merge,
        "DAGFACTORY_YELLOWFORENSIC_DSN": merge,
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(with_streams([DAGS_FOLDER], ["YellowForensic"])),
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(folder / "bundles"),
        "AIRFLOW_CONN_SLACK_OPS": slack.webhook,
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "1",
        **statsd.environment,
    }
    airflow = DemoAirflow(folder / "airflow", free_port(), metadata, environment, processes)
    shutil.copy(DAGS / "yellowlive_factory.py", airflow.dags)
    (airflow.dags / "consumers.py").write_text(CONSUMERS)
    try:
        airflow.migrate()
        airflow.start()
        for _ in airflow.becoming_healthy():
            pass
        started = Running(airflow, metadata, merge, slack, statsd)
        for dag in ("after_Chain", "after_Same", *map(dag_id, STREAMS), *map(bundled_dag_id, BUNDLED)):
            until(lambda dag=dag: airflow.api.dag(dag) is not None)
        for store in STREAMS:
            for _ in range(TRIGGERS.get(store, 1)):
                airflow.api.trigger(dag_id(store))
        for store in BUNDLED:
            for _ in range(TRIGGERS.get(store, 1)):
                airflow.api.trigger(bundled_dag_id(store))
        yield started
    finally:
        airflow.api.close()
        slack.close()
        processes.end()
        for process in processes.started.values():
            process.wait()
        statsd.close()


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


def test_streams_run_from_the_bundle_alone(running):
    chain, away, follower = map(bundled_dag_id, BUNDLED)
    until(lambda: len(running.runs(chain)) == 3 and ended(running, chain))
    ids = [run[0] for run in running.runs(chain)]
    assert ids[1:] == ["keep_working__BundledChain__1", "keep_working__BundledChain__2"]
    assert [running.airflow.api.returned(chain, one, "snapshot_merge_job")["code"] for one in ids] == [1, 1, 0]
    until(lambda: running.query(RETRIED, away) == [(True,)])
    until(lambda: running.runs(follower) and ended(running, follower))
    assert {(run[0].partition("__")[0], run[1]) for run in running.runs(follower)} == {("asset_triggered", "success")}
    of_chain = "airflow.stream_factory.yellowforensic.stream.BundledChain."
    sums = {name.removeprefix(of_chain): value for name, value in running.statsd.sums.items() if of_chain in name}
    assert sums == {"batches": 3, "inserted": 6, "updated": 0, "deleted": 0}
    places = running.query("SELECT DISTINCT bundle_name FROM dag WHERE dag_id = ANY(%s)", [chain, away, follower])
    assert places == [("streams",)]


def test_each_run_tells_its_metrics(running):
    chain, refused = dag_id("Chain"), dag_id("Refused")
    until(lambda: len(running.runs(chain)) == 3 and ended(running, chain) and ended(running, refused))
    of_chain, of_refused = (f"airflow.stream_factory.yellowlive.stream.{store}." for store in ("Chain", "Refused"))
    sums = {name.removeprefix(of_chain): value for name, value in running.statsd.sums.items() if of_chain in name}
    assert sums == {"batches": 3, "inserted": 6, "updated": 0, "deleted": 0}
    last = running.statsd.of(of_chain)
    assert last["total_rows"] == "13|g"
    assert last["batch_duration"].endswith("|ms")
    waited, _, unit = last["queue_duration"].partition("|")
    assert (0 <= float(waited) < 150_000, unit) == (True, "ms")
    assert running.statsd.sums[f"{of_refused}errors"] == 1


def test_check_streams_tells_how_many_streams_there_are_and_how_many_are_late(running):
    running.airflow.api.trigger("yellowlive_health")
    of_platform = "airflow.stream_factory.yellowlive."
    until(lambda: {"streams", "late_streams", "problems"} <= running.statsd.of(of_platform).keys())
    assert float(running.statsd.of(of_platform)["streams"].partition("|")[0]) >= len(STREAMS) - 1  # one is retired


def test_where_a_run_is_queued_already_none_is_triggered(running):
    crowded = dag_id("Crowded")
    until(lambda: len(running.runs(crowded)) == 3 and ended(running, crowded))
    first, second, third = running.runs(crowded)
    assert first[0].startswith("manual__")
    assert second[0].startswith("manual__")
    assert third[0] == "keep_working__Crowded__2"
    assert running.tasks(crowded, first[0])["reschedule_immediately"] == "skipped"
    assert "is queued already" in task_log(running, crowded, first[0], "reschedule_immediately")


def test_a_merge_with_a_time_slice_hands_over_to_the_next_before_its_run_ends(running):
    lasting = dag_id("Lasting")
    until(lambda: len(running.runs(lasting)) == 3 and ended(running, lasting))
    runs = running.runs(lasting)
    assert [run[0] for run in runs[1:]] == ["keep_working__Lasting__1", "keep_working__Lasting__2"]
    assert [run[1:3] for run in runs[1:]] == [("success", {"chain": 1}), ("success", {"chain": 2})]
    merges = running.merges(lasting)
    for run, following in itertools.pairwise(runs):
        assert following[3] <= merges[run[0]][1], "queued while the merge before it is at work"
        assert merges[run[0]][1] <= merges[following[0]][0], "one merge at a time"
        assert running.tasks(lasting, run[0])["reschedule_immediately"] == "success"
        said = task_log(running, lasting, run[0], "reschedule_immediately")
        assert f"snapshot_merge_job has triggered the run {following[0]} already" in said
    assert running.tasks(lasting, runs[-1][0])["wait_for_trigger"] == "success"


def test_a_run_that_waits_for_a_merge_with_a_time_slice_is_handed_the_work(running):
    waiting = dag_id("Waiting")
    until(lambda: len(running.runs(waiting)) == 3 and ended(running, waiting))
    first, second, third = running.runs(waiting)
    assert [first[0][:8], second[0][:8], third[0]] == ["manual__", "manual__", "keep_working__Waiting__2"]
    assert running.tasks(waiting, first[0])["reschedule_immediately"] == "skipped"
    assert "is queued already" in task_log(running, waiting, first[0], "reschedule_immediately")
    merges = sorted(running.merges(waiting).values())
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(merges))


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
    until(lambda: running.query(RETRIED, away) == [(True,)])


def test_a_dag_that_waits_for_a_dataset_runs_when_that_changed_and_not_else(running):
    same = dag_id("Same")
    until(lambda: ended(running, same))
    assert [run[1] for run in running.runs(same)] == ["success"]
    until(lambda: len(reported(running, "after_Chain")) == 3)
    assert [(extra["inserted"], extra["total"], extra["batch_id"]) for extra in reported(running, "after_Chain")] == [
        (1, 6, 1),
        (2, 7, 2),
        (3, 8, 3),
    ]
    runs = [run[0] for run in running.runs(dag_id("Chain"))]
    assert [extra["run_id"] for extra in reported(running, "after_Chain")] == runs
    assert running.runs("after_Same") == []
    assets = running.query("SELECT DISTINCT a.uri FROM asset_event e JOIN asset a ON a.id = e.asset_id")
    assert ("x-stream://YellowLive/Chain/customers",) in assets
    assert [uri for (uri,) in assets if "addresses" in uri or "Same" in uri] == []


@pytest.mark.parametrize("store", ["Follower", "Reported"])
def test_a_stream_runs_when_an_asset_that_it_names_changed(running, store):
    dag = dag_id(store)
    until(lambda: running.runs(dag) and ended(running, dag))
    assert {(run[0].partition("__")[0], run[1]) for run in running.runs(dag)} == {("asset_triggered", "success")}


def test_views_are_reconciled_once_a_batch_has_changed_their_shape(running):
    operations = names.operations_dag_id("yellowlive")
    by_asset = "SELECT run_id, state FROM dag_run WHERE dag_id = %s AND run_type = 'asset_triggered'"
    until(lambda: [state for _, state in running.query(by_asset, operations)] == ["success"])
    ((run_id, _),) = running.query(by_asset, operations)
    assert "reconcile_views, asked for by a merge" in task_log(running, operations, run_id, "check_request")
    said = task_log(running, operations, run_id, "perform")
    assert "consumers' views are brought to the model ['views', 'reconcile', '--platform=YellowLive'" in said


def test_large_deletes_that_are_asked_for_are_let_through_by_a_run_of_the_stream(running):
    operations, asked = names.operations_dag_id("yellowlive"), dag_id("Asked")
    until(lambda: len(running.runs(asked)) == 1 and ended(running, asked))
    conf = {"action": "allow_deletes", "stream_key": "Asked", "by": "alice"}
    until(lambda: running.airflow.api.dag(operations) is not None)
    run_id = running.airflow.api.trigger(operations, conf)
    until(lambda: len(running.runs(asked)) == 2 and ended(running, asked))
    other, state, reported, *_ = running.runs(asked)[1]
    assert (other, state) == (f"allow_deletes__{run_id}", "success")
    assert reported == {"allow_deletes": True, "by": "alice"}
    assert "'--allow-deletes', '--by=alice'" in task_log(running, asked, other, "snapshot_merge_job")
    until(lambda: running.airflow.api.state(operations, run_id) == "success")


def answer(running: Running, run_id: str, option: str, reason: str) -> None:
    """A person's answer to what the run of the operations DAG asks, as Airflow's required actions send it."""
    operations = names.operations_dag_id("yellowlive")
    waiting = ("awaiting_input", "deferred")  # the latter before Airflow 3.3
    until(lambda: running.tasks(operations, run_id).get("ask_a_person") in waiting)
    # Another request is done while that one waits. Nor does a person answer before the scheduler knows that it waits.
    other = running.airflow.api.trigger(operations, {"action": "trust", "stream_key": "Emptied", "by": "bob"})
    until(lambda: running.airflow.api.state(operations, other) in ("success", "failed"))
    path = f"/dags/{operations}/dagRuns/{run_id}/taskInstances/ask_a_person/-1/hitlDetails"
    body = {"chosen_options": [option], "params_input": {"reason": reason}}
    done = running.airflow.api._call("PATCH", path, body)
    assert done.is_success, done.text


def test_a_person_approves_the_delete_that_a_batch_was_refused_for_and_the_next_run_goes_on(running):
    operations, emptied = names.operations_dag_id("yellowlive"), dag_id("Emptied")
    asks = "SELECT run_id, conf FROM dag_run WHERE dag_id = %s AND run_id LIKE %s"
    until(lambda: running.query(asks, operations, "ask_delete__Emptied__4__%"))
    ((run_id, conf),) = running.query(asks, operations, "ask_delete__Emptied__4__%")
    asked = {"action": "ask_delete", "by": "the merge task", "stream_key": "Emptied", "dataset": "customers"}
    assert conf == {**asked, "batch": 4, "rows": 249}
    answer(running, run_id, "Approve", "they moved away")
    until(lambda: running.airflow.api.state(operations, run_id) == "success")
    said = task_log(running, operations, run_id, "perform")
    assert "approved by a job ['approve-delete', '--store=Emptied', '--by=admin', '--reason=they moved away'" in said
    assert "'--batch=4', '--of=customers', '--rows=249'" in said
    until(lambda: len(running.runs(emptied)) == 2 and ended(running, emptied))
    first, second = running.runs(emptied)
    assert (first[1], second[:2]) == ("failed", (f"ask_delete__{run_id}"[:250], "success"))


def test_a_delete_that_a_person_rejects_is_not_approved(running):
    operations, asked = names.operations_dag_id("yellowlive"), dag_id("Same")
    until(lambda: running.airflow.api.dag(operations) is not None)
    conf = {"action": "ask_delete", "stream_key": "Same", "by": "alice"}
    run_id = running.airflow.api.trigger(operations, conf)
    answer(running, run_id, "Reject", "")
    until(lambda: running.airflow.api.state(operations, run_id) == "success")
    assert running.tasks(operations, run_id) == {
        "check_request": "success",
        "ask_a_person": "skipped",
        "perform": "skipped",
    }
    assert "Same: rejected by admin" in task_log(running, operations, run_id, "ask_a_person")
    until(lambda: ended(running, asked))
    assert len(running.runs(asked)) == 1


def test_a_failure_for_good_is_reported_once_by_the_checks_of_streams(running):
    refused, health = dag_id("Refused"), names.health_dag_id("yellowlive")
    until(lambda: ended(running, refused))
    for _ in range(2):
        run_id = running.airflow.api.trigger(health)
        until(lambda run_id=run_id: running.airflow.api.state(health, run_id) in ("success", "failed"))
    if find_spec("airflow.providers.slack") is None:
        said = task_log(running, health, run_id, "check_streams")
        assert "yellowlive: nobody was notified: install apache-airflow-providers-slack" in said
        return
    lines = [line for text in running.slack.texts for line in text.splitlines() if "Refused is failing" in line]
    (line,) = lines
    assert line.startswith("YellowLive Refused is failing: ")
    assert "the source refuses. Look there" in line


def test_a_run_that_passes_its_deadline_is_reported_and_one_in_time_is_not(running, config):
    late, in_time = dag_id("Late"), dag_id("InTime")
    until(lambda: [state for state, _ in callbacks(running, late)] in (["success"], ["failed"]))
    ((state, output),) = callbacks(running, late)
    if find_spec("airflow.providers.slack") is None:
        assert state == "failed"
        assert "YellowLive Late: nobody was notified: install apache-airflow-providers-slack" in output
    else:
        assert state == "success"
        (text,) = [text for text in running.slack.texts if "Late is late" in text]
        assert f"of {late} was queued 1 s ago and has not succeeded" in text
    until(lambda: ended(running, in_time) and not callbacks(running, in_time))
    versions = "SELECT dag_id, count(*) FROM dag_version WHERE dag_id = ANY(%s) GROUP BY dag_id"
    assert dict(running.query(versions, [late, in_time])) == {late: 1, in_time: 1}  # parsed often since
    write_rows(running.merge_dsn, [config("YellowLive", "Late", git_repo_branch="keep0")])  # nobody waits for it now


def test_a_continuous_stream_is_paused_resumed_and_retired_and_keeps_its_history(running, config):
    always = dag_id("Always")

    def become(status: str) -> None:
        write_rows(running.merge_dsn, [config("YellowLive", "Always", **STREAMS["Always"])], status)

    def scheduled() -> list[tuple[Any, ...]]:
        return [run for run in running.runs(always) if run[0].startswith("scheduled__")]

    def is_paused() -> bool:
        return "paused" in [tag["name"] for tag in running.airflow.api.dag(always)["tags"]]

    assert running.runs(always) == []
    become("active")
    until(lambda: len([run for run in scheduled() if run[1] == "success"]) >= 2)
    become("paused")
    until(lambda: is_paused() and ended(running, always))
    before = scheduled()
    run_id = running.airflow.api.trigger(always)
    until(lambda: ended(running, always))
    assert set(running.tasks(always, run_id).values()) == {"skipped"}
    assert scheduled() == before
    become("active")
    until(lambda: len(scheduled()) > len(before))
    become("paused")
    until(lambda: is_paused() and ended(running, always))
    become("retired")
    until(lambda: running.query("SELECT is_stale FROM dag WHERE dag_id = %s", always) == [(True,)])
    assert {run[1] for run in running.runs(always)} == {"success"}
    assert running.tasks(always, before[0][0])["snapshot_merge_job"] == "success"
    assert running.airflow.api.returned(always, before[0][0], "snapshot_merge_job")["total"]["inserted"] == 1
    times = "SELECT start_date, end_date FROM dag_run WHERE dag_id = %s ORDER BY id"
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(running.query(times, always)))


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


def test_check_streams_is_green_and_turns_red_with_what_is_wrong_where_a_row_is_broken(running, config):
    health = names.health_dag_id("yellowlive")

    def checked() -> tuple[str, str]:
        """How a run of it ended, and what its task said."""
        run_id = running.airflow.api.trigger(health)
        until(lambda: running.airflow.api.state(health, run_id) in ("success", "failed"))
        return running.airflow.api.state(health, run_id), task_log(running, health, run_id, "check_streams")

    # Their jobs have failed, and left no batch that has succeeded since.
    write_rows(
        running.merge_dsn,
        [config("YellowLive", one, **STREAMS[one]) for one in ("Away", "Refused", "Emptied")],
        "retired",
    )
    state, said = checked()
    assert state == "success", said
    assert re.search(r"YellowLive: (\d+) of \1 streams are fine", said)
    write_rows(running.merge_dsn, [config("YellowLive", "Broken", shedule="@daily")])
    state, said = checked()
    assert state == "failed"
    assert "yellowlive_airflow_dsg[Broken]: shedule: unknown key 'shedule'. Did you mean 'schedule'?" in said
    assert "YellowLive: 1 problem, listed above, with: Broken" in said


def test_the_worker_reads_one_row_and_builds_one_dag(running, config):
    chain, odd = dag_id("Chain"), "stream Odd is quarantined"
    write_rows(running.merge_dsn, [config("YellowLive", "Odd", timezone="Nowhere/Here")])
    logs = running.airflow.home / "logs" / "dag_processor"
    until(lambda: any(odd in file.read_text() for file in logs.rglob("*.log")))
    run_id = running.airflow.api.trigger(chain)
    until(lambda: ended(running, chain))
    assert "run 4 of Chain" in task_log(running, chain, run_id, "snapshot_merge_job")
    assert odd not in task_log(running, chain, run_id, "snapshot_merge_job")


def settle(folder: Path, config: dict[str, Any]) -> None:
    job = folder / "job.py"
    job.write_text(JOB)
    settings = settings_of_row(
        config,
        merge_job_command=(sys.executable, str(job)),
        max_chain=MAX_CHAIN,
        notifiers={"slack": {"connection": "slack_ops"}},
        allowed=Allowed(
            git_repo_branch=tuple({row["git_repo_branch"] for row in (*STREAMS.values(), *BUNDLED.values())}),
            shortest_schedule=0,
            schedule_assets=("s3://landing/report",),
            time_slice_seconds={"from": 0, "to": 1},
        ),
    )
    (folder / names.settings_file(settings.platform_name)).write_text(settings.to_json())


def write_rows(dsn: str, configs: list[dict[str, Any]], status: str | None = None) -> None:
    connection = psycopg2.connect(dsn)
    with connection:
        table = StreamTable(ControlSession(connection, configs[0]["platform_name"]))
        table.create_tables()
        changes = [
            RowChange(
                one["stream_key"],
                json.dumps(one),
                status or ("paused" if one["stream_key"] in PAUSED else "active"),
                "update" if status else "create",
            )
            for one in configs
        ]
        table.write(changes, changed_by="test")
    connection.close()


def dag_id(store: str) -> str:
    return names.dag_id("yellowlive", store)


def bundled_dag_id(store: str) -> str:
    return names.dag_id("yellowforensic", store)


def reported(running: Running, dag: str) -> list[dict[str, Any]]:
    """What a consumer's runs received of events, in their order."""
    done = [run[0] for run in running.runs(dag) if run[1] == "success"]
    return [extra for run_id in done for extra in running.airflow.api.returned(dag, run_id, "reported")]


def callbacks(running: Running, dag: str) -> list[tuple[str, str]]:
    """State and output of the deadlines of a DAG's runs; Airflow 3.1 keeps no output."""
    ((has_callbacks,),) = running.query("SELECT to_regclass('callback') IS NOT NULL")
    what, place = ("c.state, c.output", "JOIN callback c ON c.id = d.callback_id")
    if not has_callbacks:
        what, place = "d.callback_state, ''", ""
    query = f"SELECT {what} FROM deadline d {place} JOIN dag_run r ON r.id = d.dagrun_id WHERE r.dag_id = %s"
    return running.query(query, dag)


def ended(running: Running, dag: str) -> bool:
    return {run[1] for run in running.runs(dag)} <= {"success", "failed"}


def task_log(running: Running, dag: str, run_id: str, task_id: str) -> str:
    folder = running.airflow.home / "logs" / f"dag_id={dag}" / f"run_id={run_id}" / f"task_id={task_id}"
    return "\n".join(file.read_text() for file in sorted(folder.glob("*.log")))


def until(holds: Callable[[], bool], seconds: float = 300) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, f"not within {seconds} s"
        time.sleep(0.3)
