"""What a merge task gives back, end to end: operator, real client, the job in a pod, PostgreSQL and git behind it."""

from __future__ import annotations

import json

import pytest

from config_schema.result import CODE_PREFIX, RESULT_PREFIX
from tests.kubernetes.faults import Refusal
from tests.kubernetes.world import WIDE, World

LOGS = Refusal("get", "pods/log", times=100)
TAILS = Refusal("get", "pods/log", times=100, streams=False)
STREAMS = Refusal("get", "pods/log", times=100, streams=True)


def test_a_run_is_merged_and_its_result_is_the_tasks_value(world: World, cluster, deferrable):
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    value = world.run(world.task(deferrable=deferrable), f"by {deferrable}")
    assert (value["code"], value["run_id"], value["stream_key"]) == (0, f"by {deferrable}", "Store1")
    assert value["total"]["inserted"] > 0
    assert value["total"]["total"] == world.merged()
    assert value["model_commit"] == world.synced
    assert "token" not in value
    assert not cluster.pods


def test_what_a_run_in_a_pod_did_is_reported_to_openlineage_too(world: World, deferrable, monkeypatch):
    from airflow_plugin.airflow_versions import AirflowFailException

    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", world.store_dsn)
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    task = world.task(deferrable=deferrable)
    value = world.run(task)
    reported = task.get_openlineage_facets_on_complete(None)
    (written,) = reported.outputs
    assert written.outputFacets["outputStatistics"].rowCount == value["total"]["inserted"] > 0
    assert written.facets["version"].datasetVersion == str(value["batch_id"])

    failing = world.task("--store=Store9", deferrable=deferrable)
    with pytest.raises(AirflowFailException):
        world.run(failing)
    assert failing.get_openlineage_facets_on_failure(None).run_facets["streamFactory_batch"].result == "ERROR"


def test_a_run_that_is_to_go_on_says_so(world: World):
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    assert world.run(world.task("--time-slice-seconds=0.001"))["code"] == 1


def test_an_error_that_a_retry_cannot_help_fails_the_task_for_good(world: World, cluster, deferrable):
    from airflow_plugin.airflow_versions import AirflowFailException

    with pytest.raises(AirflowFailException, match=r"Store9.*No retry can help"):
        world.run(world.task("--store=Store9", deferrable=deferrable))
    assert not cluster.pods


def test_an_error_that_a_retry_can_help_is_retried(world: World):
    from airflow.sdk.exceptions import AirflowException

    from airflow_plugin.airflow_versions import AirflowFailException

    world.execute("ALTER ROLE producer CONNECTION LIMIT 0")
    try:
        with pytest.raises(AirflowException, match="A retry can help") as caught:
            world.run(world.task())
    finally:
        world.execute("ALTER ROLE producer CONNECTION LIMIT -1")
    assert not isinstance(caught.value, AirflowFailException)


def test_a_paused_stream_starts_no_pod(world: World, cluster):
    from airflow_plugin.airflow_versions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="is paused"):
        world.run(world.task(paused=True))
    assert not cluster.pods
    assert not getattr(cluster, "created", None)


def test_data_that_spells_a_result_is_no_result(world: World, cluster, deferrable):
    from airflow_plugin.airflow_versions import AirflowFailException

    done = {"code": 0, "run_id": "x", "platform": "YellowLive", "stream_key": "Store1", "batch_id": 7}
    spelled = [json.dumps(done), json.dumps({**done, "token": ""}), json.dumps({**done, "token": "guessed"})]
    cluster.faults.says_first = (*(RESULT_PREFIX + one for one in spelled), CODE_PREFIX + "0")
    with pytest.raises(AirflowFailException, match="Store9"):
        world.run(world.task("--store=Store9", deferrable=deferrable))


# --- the four layers, each alone


def test_the_stream_of_the_log_alone_tells_the_result(world: World, cluster, monkeypatch):
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    cluster.faults.no_message = True
    cluster.faults.refusals = [TAILS]
    assert world.run(world.task())["code"] == 0


def test_the_tail_of_the_log_alone_tells_the_result(world: World, cluster, monkeypatch, deferrable):
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    cluster.faults.no_message = True
    cluster.faults.refusals = [STREAMS]
    assert world.run(world.task(deferrable=deferrable))["code"] == 0


@pytest.mark.parametrize(("deferrable", "log"), [(False, "refused"), (True, "refused"), (False, "rotated away")])
def test_the_termination_message_alone_tells_the_result(world: World, cluster, monkeypatch, deferrable, log):
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    cluster.faults.refusals = [LOGS] if log == "refused" else []
    cluster.faults.no_log = log != "refused"
    assert world.run(world.task(deferrable=deferrable))["code"] == 0


def test_a_long_result_is_cut_to_fit_the_termination_message(world: World, cluster, monkeypatch, deferrable):
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    cluster.faults.no_log = True
    row = {"stream_key": "Wide", "store_name": "Wide", "datasets": list(WIDE)}
    value = world.run(world.task(deferrable=deferrable, **row))
    assert (value["code"], value["truncated"], value["datasets"]) == (0, True, {})
    assert value["total"] == {"inserted": 0, "updated": 0, "deleted": 0, "unchanged": 0, "total": 0}


def test_the_row_of_the_batch_alone_tells_the_result(world: World, cluster, deferrable):
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    cluster.faults.no_message = True
    cluster.faults.refusals = [LOGS]
    value = world.run(world.task(deferrable=deferrable), f"in its row {deferrable}")
    assert (value["code"], value["run_id"]) == (0, f"in its row {deferrable}")


def test_where_nothing_tells_the_result_the_task_fails_and_says_so(world: World, cluster):
    from airflow.sdk.exceptions import AirflowException

    cluster.faults.no_message = True
    cluster.faults.refusals = [LOGS]
    with pytest.raises(AirflowException, match=r"ended with exit code 1 \(Error\) and left no result"):
        world.run(world.task("--store=Store9"))
