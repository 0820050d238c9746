"""More than one try, a try that is ended from outside, and what is left of the pods."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from config_schema.result import TOKEN_VARIABLE
from tests.kubernetes.faults import Refusal
from tests.kubernetes.world import LITTLE_MEMORY, World, trigger_event


def begin(world: World, run_id: str, **row):
    """A try whose worker dies as soon as the pod is there."""
    context = world.context(run_id)
    worker = world.task(**row).worker()
    worker.prepare(run_id)
    worker.get_or_create_pod(worker.build_pod_request_obj(context), context)


def until(condition) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def started(cluster) -> bool:
    return any("started" in line for pod in cluster.pods.values() for line in pod.lines)


def tokens(cluster) -> list[str]:
    variables = [pod["spec"]["containers"][0]["env"] for pod in cluster.created]
    return [one["value"] for env in variables for one in env if one["name"] == TOKEN_VARIABLE]


@pytest.mark.parametrize(("deferrable", "forgotten"), [(False, False), (False, True), (True, False)])
def test_a_second_try_finds_the_pod_of_the_first_and_reads_its_token(
    world: World, cluster, monkeypatch, deferrable, forgotten
):
    run_id = f"twice {deferrable} {forgotten}"
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    with world.locked():
        begin(world, run_id, deferrable=deferrable)
        first = list(cluster.pods)
    if forgotten:  # by Airflow: the labels tell
        world.states.clear()
    value = world.run(world.task(deferrable=deferrable), run_id, try_number=2)
    assert (value["code"], value["run_id"]) == (0, run_id)
    assert len(first) == 1
    assert not cluster.pods
    assert len(getattr(cluster, "created", first)) == 1


def test_a_second_try_that_comes_after_the_end_does_nothing_twice(world: World, cluster, deferrable):
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    begin(world, run_id := f"late {deferrable}", deferrable=deferrable)
    until(lambda: all(pod.job_has_ended for pod in cluster.pods.values()))
    merged = world.merged()
    value = world.run(world.task(deferrable=deferrable), run_id, try_number=2)
    assert (value["code"], value["total"]["inserted"] > 0, world.merged()) == (0, True, merged)
    assert not cluster.pods
    assert len(cluster.created) == 1


def test_a_try_that_failed_has_no_pod_for_the_next(world: World, cluster, airflow_exceptions):
    with world.locked(), pytest.raises(airflow_exceptions.AirflowException):
        world.run(world.task(on_failed_pod="keep", resources=LITTLE_MEMORY), "again")
    (failed,) = cluster.pods
    value = world.run(world.task(on_failed_pod="keep"), "again", try_number=2)
    assert value["code"] == 0
    assert list(cluster.pods) == [failed]
    assert len(set(tokens(cluster))) == 2


def test_an_api_server_that_stays_away_leaves_the_pod_to_the_next_try(
    world: World, cluster, deferrable, airflow_exceptions
):
    run_id = f"away {deferrable}"
    with world.locked():
        cluster.faults.refusals = [Refusal(verb, "pods", 503, times=1000) for verb in ("get", "patch", "delete")]
        with pytest.raises(airflow_exceptions.AirflowException, match="the Kubernetes API answered 503"):
            world.run(world.task(deferrable=deferrable), run_id)
        cluster.faults.refusals.clear()
    assert world.run(world.task(deferrable=deferrable), run_id, try_number=2)["code"] == 0
    assert len(cluster.created) == 1


@pytest.mark.parametrize(("deferrable", "setting"), [(False, "keep"), (True, "keep"), (False, "delete")])
def test_the_pod_of_a_failed_job_is_kept_or_deleted_as_the_row_says(
    world: World, cluster, deferrable, setting, airflow_exceptions
):
    with pytest.raises(airflow_exceptions.AirflowFailException):
        world.run(world.task("--store=Store9", deferrable=deferrable, on_failed_pod=setting))
    assert len(cluster.pods) == (setting == "keep")


# --- ended from outside


@pytest.mark.parametrize("state", ["failed", "restarting", None])
def test_killing_the_task_deletes_the_pod(world: World, cluster, airflow_exceptions, state):
    task, caught = world.task(on_failed_pod="keep"), []
    world.wanted = state

    def run() -> None:
        try:
            world.run(task)
        except airflow_exceptions.AirflowException as error:
            caught.append(str(error))

    thread = threading.Thread(target=run)
    with world.locked():
        thread.start()
        until(lambda: started(cluster))
        (pod,) = cluster.pods.values()
        task.on_kill()
        thread.join(60)
    assert not thread.is_alive()
    assert not cluster.pods
    assert "DATASURFACE_RESULT_CODE=-1" in pod.all_lines[-1]  # the job itself was asked to end
    assert caught == ["YellowLive Store1: the task was ended from outside, and its pod with it"]


@contextmanager
def ended_by_a_signal(task, when) -> Iterator[None]:
    """As Airflow does it: a signal, whose handler calls on_kill; twice, as where a group of processes gets it too."""
    signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())

    def end() -> None:
        until(when)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)


@pytest.mark.parametrize("airflow_answers", [True, False])
def test_a_worker_that_ends_leaves_the_pod_to_the_next_one(world: World, cluster, airflow_exceptions, airflow_answers):
    context = world.context(run_id := f"worker ends {airflow_answers}")
    task = world.task()
    if not airflow_answers:
        del context["ti"].get_task_states
    with (
        world.locked(),
        pytest.raises(airflow_exceptions.AirflowRescheduleException),
        ended_by_a_signal(task, lambda: started(cluster)),
    ):
        task.execute(context)
    assert not {"failure"} & context["ti"].pushed.keys()
    (name,) = cluster.pods
    newer = world.task(datasurface_docker_image="registry.example/merge-job:0.2.0")
    assert world.run(newer, run_id)["code"] == 0
    assert [pod["metadata"]["name"] for pod in cluster.created] == [name]
    assert not cluster.pods


def test_a_job_that_failed_while_no_worker_looked_fails_the_task_and_is_not_run_again(
    world: World, cluster, airflow_exceptions
):
    run_id = "failed alone"
    begin(world, run_id, datasets=["nowhere"])
    until(lambda: all(pod.job_has_ended for pod in cluster.pods.values()))
    with pytest.raises(airflow_exceptions.AirflowException, match="nowhere"):
        world.run(world.task(datasets=["nowhere"]), run_id)
    assert len(cluster.created) == 1


def test_killing_a_deferred_task_deletes_the_pod(world: World, cluster, airflow_exceptions):
    with world.locked():
        with pytest.raises(airflow_exceptions.TaskDeferred) as deferred:
            world.task(deferrable=True, on_failed_pod="keep").execute(world.context())
        until(lambda: started(cluster))
        asyncio.run(deferred.value.trigger.on_kill())
    assert not cluster.pods


def test_a_deferred_task_goes_on_when_the_executor_knows_that_its_first_process_has_ended(
    world: World, cluster, monkeypatch, airflow_exceptions
):
    own_trigger = importlib.import_module("airflow_plugin.operators.pod_trigger")
    monkeypatch.setattr(own_trigger, "HANDOVER", timedelta(seconds=3))
    with pytest.raises(airflow_exceptions.TaskDeferred) as deferred:
        world.task(deferrable=True).execute(world.context())
    assert trigger_event(deferred.value.trigger)["status"] == "success"
    assert datetime.now(UTC) >= deferred.value.trigger.trigger_start_time + timedelta(seconds=3)


def test_killing_a_deferred_task_whose_job_has_just_ended_deletes_the_pod(
    world: World, cluster, monkeypatch, airflow_exceptions
):
    own_trigger = importlib.import_module("airflow_plugin.operators.pod_trigger")
    monkeypatch.setattr(own_trigger, "HANDOVER", timedelta(minutes=5))
    with pytest.raises(airflow_exceptions.TaskDeferred) as deferred:
        world.task(deferrable=True, on_failed_pod="keep").execute(world.context())
    trigger = deferred.value.trigger
    providers, knows = type(trigger).__mro__[1], asyncio.Event()
    run = providers.run

    async def run_and_say(self):
        async for event in run(self):
            knows.set()
            yield event

    monkeypatch.setattr(providers, "run", run_and_say)

    async def kill_while_it_waits() -> None:
        waiting = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.wait_for(knows.wait(), 300)
        await trigger.on_kill()
        waiting.cancel()

    asyncio.run(kill_while_it_waits())
    assert not cluster.pods


@pytest.mark.parametrize(("deferrable", "setting"), [(False, "keep"), (True, "keep"), (True, "delete")])
def test_a_task_that_takes_too_long_is_ended_and_its_pod_too(
    world: World, cluster, deferrable, setting, airflow_exceptions
):
    from airflow.sdk.execution_time.timeout import timeout

    task = world.task(deferrable=deferrable, on_failed_pod=setting)
    task.execution_timeout = timedelta(seconds=1.5)
    with world.locked():
        if deferrable:
            with pytest.raises(airflow_exceptions.AirflowException, match="execution_timeout deadline"):
                world.run(task)
        else:
            with pytest.raises(airflow_exceptions.AirflowTaskTimeout), timeout(1.5):
                world.run(task)
    assert not cluster.pods


WAITS_ITSELF = "This task waits itself"


def test_a_task_whose_triggerer_reaches_no_cluster_waits_itself_and_says_so_once(
    world: World, cluster, tmp_path, caplog, airflow_exceptions
):
    context = world.context("no cluster in the triggerer")
    task = world.task(deferrable=True)
    with world.locked():
        with pytest.raises(airflow_exceptions.TaskDeferred) as deferred:
            task.execute(context)
        trigger = deferred.value.trigger
        trigger.connection_extras = {"kube_config_path": str(tmp_path / "none")}
        event = trigger_event(trigger)
        first = list(cluster.pods)
    assert event["status"] == "error"
    task._worker = None
    value = task.resume_execution(deferred.value.method_name, {"event": event}, context)
    assert (value["code"], value["run_id"]) == (0, "no cluster in the triggerer")
    assert len(first) == 1
    assert sum(WAITS_ITSELF in line for line in caplog.messages) == 1


def test_a_task_whose_trigger_fails_waits_itself(world: World, cluster, caplog, airflow_exceptions):
    context = world.context("no triggerer")
    task = world.task(deferrable=True)
    with pytest.raises(airflow_exceptions.TaskDeferred):
        task.execute(context)
    first = list(cluster.pods)
    task._worker = None
    value = task.resume_execution(
        "__fail__", {"error": "Trigger failure", "traceback": ["it cannot be loaded"]}, context
    )
    assert (value["code"], value["run_id"]) == (0, "no triggerer")
    assert len(first) == 1
    assert len(getattr(cluster, "created", first)) == 1
    assert sum(WAITS_ITSELF in line for line in caplog.messages) == 1


@pytest.mark.parametrize("in_cluster", [True, False])
def test_without_a_connection_the_triggerer_uses_the_cluster_that_the_worker_is_in(
    world: World, monkeypatch, in_cluster
):
    operator = importlib.import_module("airflow_plugin.operators.job_pod")
    task = world.task(deferrable=True)
    worker = task.worker()
    monkeypatch.setattr(type(worker.hook), "is_in_cluster", in_cluster)
    monkeypatch.setattr(operator.KubernetesPodOperator, "defer", lambda _, *, trigger, **__: deferred.append(trigger))
    deferred = []
    triggers = importlib.import_module("airflow.providers.cncf.kubernetes.triggers.pod")
    began = datetime.now(UTC)
    worker.defer(trigger=triggers.KubernetesPodTrigger("pod", "space", began, base_container_name="base"))
    [trigger] = deferred
    assert (trigger.in_cluster, trigger.connection_extras) == ((True, {}) if in_cluster else (None, None))
