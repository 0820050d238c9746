"""The merge task in this process, its pods in a cluster: the stand-in, or a real one where the environment names it."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity

from config_schema import names
from tests.kubernetes import real_cluster
from tests.kubernetes.api_server import StandIn
from tests.kubernetes.git_server import GitServer
from tests.kubernetes.world import CONNECTION, World

LAST = "test_the_cases_need_all_rights_and_no_others"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.name == LAST)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster, and an Airflow in this process with a connection to it."""
    provider = "airflow.providers.cncf.kubernetes.kubernetes_helper_functions"
    assert provider not in sys.modules, (
        f"{provider} has read its settings already: import it in a test, not in a module"
    )
    folder = tmp_path_factory.mktemp("airflow")
    os.environ.setdefault("AIRFLOW_HOME", str(folder))
    os.environ |= {"AIRFLOW__WORKERS__API_RETRY_WAIT_MIN": "0.02", "AIRFLOW__WORKERS__API_RETRY_WAIT_MAX": "0.1"}
    real = real_cluster.from_environment()
    found: Any = real or StandIn()
    path = kubeconfig(folder, found.url)
    extra = {"kube_config_path": str(path)}
    os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"] = json.dumps({"conn_type": "kubernetes", "extra": extra})
    yield found
    found.close()
    del os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"]


@pytest.fixture(scope="session")
def behind(cluster: Any, request: pytest.FixtureRequest) -> Iterator[World]:
    """Producer, merge store and model of all cases."""
    with tempfile.TemporaryDirectory(prefix="stream-factory-") as directory:
        Path(directory).chmod(0o755)
        host, namespace, image = "127.0.0.1", "ns-yellow-live", "registry.example/merge-job:0.1.0"
        if isinstance(cluster, StandIn):
            server = request.getfixturevalue("postgres")
        else:
            host, namespace, image = cluster.host, cluster.namespace, cluster.image
            server = request.getfixturevalue("reachable_postgres")
        git = GitServer(Path(directory), "the git-token", host)
        world = World(server, git, host, namespace, image)
        world.set_up()
        cluster.secrets = world.secrets
        yield world
        git.close()


@pytest.fixture(scope="session")
def reachable_postgres() -> Iterator[Any]:
    with tempfile.TemporaryDirectory(prefix="stream-factory-") as directory:
        Path(directory).chmod(0o755)
        with real_cluster.reachable_postgres(Path(directory) / "server") as server:
            yield server


@pytest.fixture
def world(behind: World, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """All of it, with nothing running; the task may do no more than RIGHTS, is quicker to look, and to give up."""
    cluster.clean()
    behind.wanted = "running"
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv(names.dsn_variable("yellowlive"), behind.store_dsn)
    schedule, start = (1, 1) if isinstance(cluster, StandIn) else (10, 60)
    quicker = {
        "START_POLL_SECONDS": 0.1,
        "POLL_SECONDS": 0.1,
        "SCHEDULE_SECONDS": schedule,
        "START_SECONDS": start,
    }
    request = importlib.import_module("airflow_plugin.operators.pod_request")
    for name, seconds in quicker.items():
        monkeypatch.setattr(request, name, seconds)
    trigger = importlib.import_module("airflow.providers.cncf.kubernetes.triggers.pod").KubernetesPodTrigger
    monkeypatch.setattr(trigger._get_pod.retry, "wait", tenacity.wait_fixed(0.1))
    own_trigger = importlib.import_module("airflow_plugin.operators.pod_trigger")
    monkeypatch.setattr(own_trigger, "HANDOVER", timedelta(0))  # there is no executor
    yield behind
    refused = cluster.refused
    cluster.clean()
    assert refused == []


@pytest.fixture
def stand_in(cluster: Any, world: World) -> StandIn:
    """For the few cases whose fault a real cluster does not have on demand."""
    if not isinstance(cluster, StandIn):
        pytest.skip("a fault that a real cluster does not have on demand")
    return cluster


@pytest.fixture
def airflow_exceptions(cluster: Any) -> SimpleNamespace:
    """Airflow's exceptions, from where this version has them; imported when the cluster's settings are there."""
    versions = importlib.import_module("airflow_plugin.airflow_versions")
    known = ("AirflowFailException", "AirflowRescheduleException", "AirflowTaskTimeout", "TaskDeferred")
    base = importlib.import_module("airflow.sdk.exceptions").AirflowException
    return SimpleNamespace(AirflowException=base, **{name: getattr(versions, name) for name in known})


@pytest.fixture
def fails(airflow_exceptions: SimpleNamespace) -> Callable[[str], Any]:
    """That the task fails, in words, in a way that a retry may help."""

    def expecting(words: str) -> Any:
        return pytest.raises(airflow_exceptions.AirflowException, match=words, check=_may_be_retried)

    def _may_be_retried(error: BaseException) -> bool:
        return not isinstance(error, airflow_exceptions.AirflowFailException) and "Traceback" not in str(error)

    return expecting


@pytest.fixture(params=[False, True], ids=["sync", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def kubeconfig(folder: Path, url: str) -> Path:
    """As JSON, which YAML is a superset of."""
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": url}}],
        "users": [{"name": "it", "user": {"token": "of the worker"}}],
    }
    path.write_text(json.dumps(content))
    return path
