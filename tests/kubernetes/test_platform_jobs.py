"""Jobs of a platform as a whole in pods: which program, with which secrets, and what a task says of their end."""

from __future__ import annotations

import importlib
import json
from typing import Any

import psycopg2
import pytest
import yaml

from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.operators.platform_task import PlatformTask
from airflow_plugin.settings import PlatformSettings
from config_schema.load.folder import MAPPING_FILE as MAPPING
from tests.kubernetes.test_attempts import ended_by_a_signal
from tests.kubernetes.world import CONNECTION, NO_IMAGE, PLATFORM, World
from tests.row_settings import settings_of_row


def settings_of(world: World, **changes: Any) -> PlatformSettings:
    return settings_of_row(world.row({}), kubernetes_conn_id=CONNECTION, runners=("kubernetes",), **changes)


def task_of(settings: PlatformSettings, dag: str, task: str) -> Any:
    made = importlib.import_module("airflow_plugin.platform_dags.dags").platform_dags(settings)
    return made[f"yellowlive_{dag}"].get_task(task)


def started(cluster: Any) -> bool:
    return any(pod.lines for pod in cluster.pods.values())


def run(world: World, task: PlatformTask) -> None:
    task.execute(world.context())


def failed(world: World, task: PlatformTask) -> str:
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException) as raised:
        run(world, task)
    return str(raised.value)


def test_the_sync_is_a_pod_with_dagfactory_and_the_secrets_of_the_platform_alone(world: World, cluster):
    task = task_of(settings_of(world), "infrastructure", "model_merge")
    run(world, task)
    pod = cluster.created[-1]
    (container,) = pod["spec"]["containers"]
    assert (container["command"], container["args"][:2]) == (["dagfactory"], ["sync", "--yes"])
    wanted = {one["name"] for one in container["env"] if "valueFrom" in one}
    assert wanted == {"POSTGRES_USERNAME", "POSTGRES_PASSWORD", "GIT_TOKEN"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["metadata"]["labels"]["stream-factory/task"] == "model_merge"
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "merge-job"
    assert not cluster.pods, "a pod that has ended is not left behind"


CODE = """
import json, os, pathlib
from config_schema.load.documents import structured
from config_schema.model import Ecosystem
def createEcosystem():
    return structured(json.loads(pathlib.Path("data.json").read_text()), Ecosystem)
"""


def with_code(world: World) -> str:
    """Commit the model as code; its commit."""
    data = yaml.safe_load(world.git.read("ecosystem.yaml"))
    files = {"eco.py": CODE, "data.json": json.dumps(data), MAPPING: world.git.read(MAPPING)}
    return world.git.commit(files)


def test_a_model_that_is_code_is_compiled_in_a_container_without_secrets(world: World, cluster):
    before = world.synced
    commit = with_code(world)
    try:
        run(world, task_of(settings_of(world, model_is_code=True), "infrastructure", "model_merge"))
        spec = cluster.created[-1]["spec"]
        fetch, compile_ = spec["initContainers"]
        secrets = [{one["name"] for one in of["env"] if "valueFrom" in one} for of in (fetch, compile_)]
        assert secrets == [{"GIT_TOKEN"}, set()]
        assert compile_["args"][:2] == ["model", "compile"]
        assert next(one for one in compile_["volumeMounts"] if one["name"] == "model")["readOnly"] is True
        # What it leaves in /tmp, its home folder, is seen by no program that has secrets.
        [own] = [one["name"] for one in compile_["volumeMounts"] if one["mountPath"] == "/tmp"]
        others = [one["name"] for of in (fetch, *spec["containers"]) for one in of["volumeMounts"]]
        assert own not in others
        assert own in {volume["name"] for volume in spec["volumes"]}
        with psycopg2.connect(world.store_dsn) as connection:
            state = ModelState(ControlSession(connection, "yellowlive"))
            assert state.commit() == commit
            [made] = state.compiled(commit)
        assert made.ecosystem["name"] == "Test"
    finally:
        world.sync(before)
        world.model()


def test_a_sync_in_a_pod_runs_no_code_that_was_not_compiled_apart(world: World, cluster):
    with_code(world)
    try:
        said = failed(world, task_of(settings_of(world), "infrastructure", "model_merge"))
        assert "was not compiled apart from the secrets that are here" in said
        assert "run dagfactory bootstrap again" in said
    finally:
        world.model()


def test_a_job_that_is_refused_says_why_in_the_task_s_error(world: World, cluster):
    task = task_of(settings_of(world, git_repo_branch="nope"), "infrastructure", "model_merge")
    reported = failed(world, task)
    assert reported.startswith(f"{PLATFORM} model_merge: ")
    assert "no such branch or commit" in reported
    assert reported.endswith("(exit code 1 (Error))")


def test_a_job_whose_log_stream_drops_says_why_all_the_same(world: World, cluster):
    cluster.faults.cut_streams = [0]
    task = task_of(settings_of(world, git_repo_branch="nope"), "infrastructure", "model_merge")
    assert "no such branch or commit" in failed(world, task)


def test_a_pod_that_does_not_start_is_reported_as_such(world: World, cluster):
    task = task_of(settings_of(world, datasurface_docker_image=NO_IMAGE), "infrastructure", "model_merge")
    assert "its pod did not start" in failed(world, task)


def test_a_task_that_is_ended_takes_its_pod_along(world: World, cluster):
    world.wanted = "failed"
    task = task_of(settings_of(world), "infrastructure", "model_merge")
    cluster.faults.says_first = ["at work"]
    world.git.answers.clear()
    with ended_by_a_signal(task, lambda: started(cluster)):
        try:
            reported = failed(world, task)
        finally:
            world.git.answers.set()
    assert "the task was ended from outside, and its job with it" in reported
    assert not cluster.pods


def test_a_worker_that_ends_leaves_the_pod_to_the_next_one(world: World, cluster, airflow_exceptions):
    task, context = task_of(settings_of(world), "infrastructure", "model_merge"), world.context("worker ends")
    cluster.faults.says_first = ["at work"]
    world.git.answers.clear()
    with ended_by_a_signal(task, lambda: started(cluster)):
        try:
            with pytest.raises(airflow_exceptions.AirflowRescheduleException):
                task.execute(context)
        finally:
            world.git.answers.set()
    try:
        task_of(settings_of(world), "infrastructure", "model_merge").execute(world.context("worker ends"))
    finally:
        world.sync(world.synced)  # other cases count on that commit
    assert len(cluster.created) == 1
    assert not cluster.pods
