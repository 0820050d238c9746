"""Jobs of a platform as a whole in pods: which program, with which secrets, and what a task says of their end."""

from __future__ import annotations

import importlib
import threading
from typing import Any

import pytest

from airflow_plugin.operators.platform_task import PlatformTask
from airflow_plugin.settings import PlatformSettings
from tests.kubernetes.test_attempts import until
from tests.kubernetes.world import CONNECTION, PLATFORM, World
from tests.row_settings import settings_of_row


def settings_of(world: World, **changes: Any) -> PlatformSettings:
    return settings_of_row(world._row({}), kubernetes_conn_id=CONNECTION, runners=("kubernetes",), **changes)


def task_of(settings: PlatformSettings, dag: str, task: str) -> Any:
    made = importlib.import_module("airflow_plugin.factory.platform_dags").platform_dags(settings)
    return made[f"yellowlive_{dag}"].get_task(task)


def started(stand_in: Any) -> bool:
    return any(pod.lines for pod in stand_in.pods.values())


def run(world: World, task: PlatformTask) -> None:
    task.execute(world.context())


def failed(world: World, task: PlatformTask) -> str:
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException) as raised:
        run(world, task)
    return str(raised.value)


def test_the_sync_is_a_pod_with_dagfactory_and_the_secrets_of_the_platform_alone(world: World, stand_in):
    task = task_of(settings_of(world), "infrastructure", "model_merge")
    run(world, task)
    pod = stand_in.created[-1]
    (container,) = pod["spec"]["containers"]
    assert (container["command"], container["args"][:2]) == (["dagfactory"], ["sync", "--yes"])
    wanted = {one["name"] for one in container["env"] if "valueFrom" in one}
    assert wanted == {"POSTGRES_USERNAME", "POSTGRES_PASSWORD", "GIT_TOKEN"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["metadata"]["labels"]["stream-factory/task"] == "model_merge"
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "merge-job"
    assert not stand_in.pods, "a pod that has ended is not left behind"


def test_a_job_that_is_refused_says_why_in_the_task_s_error(world: World, stand_in):
    task = task_of(settings_of(world, git_repo_branch="nope"), "infrastructure", "model_merge")
    told = failed(world, task)
    assert told.startswith(f"{PLATFORM} model_merge: ")
    assert "no such branch or commit" in told
    assert told.endswith("(exit code 1 (Error))")


def test_a_job_whose_log_stream_drops_says_why_all_the_same(world: World, stand_in):
    stand_in.faults.cut_streams = [0]
    task = task_of(settings_of(world, git_repo_branch="nope"), "infrastructure", "model_merge")
    assert "no such branch or commit" in failed(world, task)


def test_a_pod_that_does_not_start_is_told_as_such(world: World, stand_in):
    stand_in.faults.unpullable = "Back-off pulling image"
    assert "its pod did not start" in failed(world, task_of(settings_of(world), "infrastructure", "model_merge"))


def test_a_task_that_is_ended_takes_its_pod_along(world: World, stand_in):
    task = task_of(settings_of(world), "infrastructure", "model_merge")
    stand_in.faults.says_first = ["at work"]
    world.git.answers.clear()
    ending = threading.Thread(target=lambda: (until(lambda: started(stand_in)), task.on_kill()))
    ending.start()
    try:
        told = failed(world, task)
    finally:
        world.git.answers.set()
        ending.join()
    assert "the task was ended from outside, and its job with it" in told
    assert not stand_in.pods
