"""helm/kind: what its script writes without a cluster, and the repository that it serves inside one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from airflow_plugin.demo.postgres import free_port
from tests.helm.chart import FOLDER, Helm, Object, by_kind
from tests.helm.test_objects import NEWEST

KIND = FOLDER / "kind"
ROOT = FOLDER.parent
VERSION = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
VALUES = [f"platform/kubernetes/{platform}.values.yaml" for platform in ("yellowlive", "yellowforensic")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kind")
    dagfactory = Path(sys.executable).with_name("dagfactory")
    environment = os.environ | {"FOLDER": str(folder), "DAGFACTORY": str(dagfactory)}
    subprocess.run([KIND / "kind.sh", "files"], env=environment, check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture
def served(files: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the model, served as the pod in the cluster does it."""
    bundle = tmp_path / "model.bundle"
    subprocess.run(["git", "-C", files / "model", "bundle", "create", "--quiet", bundle, "main", "HEAD"], check=True)
    port = free_port()
    (folder := tmp_path / "served").mkdir()
    server = subprocess.Popen(
        [sys.executable, KIND / "git_server.py", bundle, folder, str(port)], stderr=subprocess.PIPE
    )
    yield f"http://127.0.0.1:{port}/model.git"
    server.terminate()
    server.communicate()


def git_server() -> list[Object]:
    return list(yaml.safe_load_all((KIND / "git-server.yaml").read_text("utf-8")))


def test_the_repository_in_the_cluster_is_what_kubernetes_takes() -> None:
    for found in git_server():
        kubernetes_validate.validate(found, NEWEST, strict=True)


def test_network_policies_let_pods_reach_the_repository_at_the_port_where_it_listens(files: Path, helm: Helm) -> None:
    service, deployment = git_server()
    [port] = service["spec"]["ports"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert [port["port"], port.get("targetPort", port["port"])] == [int(container["command"][-1])] * 2
    given = [*(files / value for value in VALUES), FOLDER / "mvp-values.yaml"]
    objects = [found for found in yaml.safe_load_all(helm.from_files(*given)) if found]
    policies = [one for one in by_kind(objects, "NetworkPolicy") if one["metadata"]["namespace"] != "airflow"]
    allowed = [
        {rule["port"] for egress in one["spec"]["egress"] for rule in egress.get("ports", ())} for one in policies
    ]
    assert len(allowed) == 4
    assert [ports for ports in allowed if port["port"] not in ports] == []


def test_the_files_install_the_mvp_with_pods_of_the_images_that_are_loaded(files: Path, helm: Helm) -> None:
    assert VERSION is not None
    given = [*(files / value for value in VALUES), FOLDER / "mvp-values.yaml"]
    objects = [found for found in yaml.safe_load_all(helm.from_files(*given)) if found]
    assert {one["metadata"]["namespace"] for one in by_kind(objects, "CronJob")} == {
        "ns-yellow-live",
        "ns-yellow-forensic",
    }
    script = (KIND / "kind.sh").read_text("utf-8")
    loaded = {f"airflow-stream-factory/{name}:{VERSION[1]}" for name in ("merge-job", "airflow")}
    assert all(image.replace(VERSION[1], "$version") in script for image in loaded)
    templates = [one["spec"]["template"] for kind in ("Deployment", "Job") for one in by_kind(objects, kind)]
    templates += [one["spec"]["jobTemplate"]["spec"]["template"] for one in by_kind(objects, "CronJob")]
    images = {
        container["image"]
        for template in templates
        for container in (*template["spec"]["containers"], *template["spec"].get("initContainers", ()))
    }
    assert {image for image in images if not image.startswith("postgres:")} == loaded
    server = next(
        one for one in yaml.safe_load_all((KIND / "git-server.yaml").read_text()) if one["kind"] == "Deployment"
    )
    assert server["spec"]["template"]["spec"]["containers"][0]["image"] in loaded


def test_jobs_find_the_model_where_it_is_served(files: Path, served: str, tmp_path: Path) -> None:
    model = (files / "model" / "ecosystem.yaml").read_text()
    (url,) = re.findall(r"url: (\S+)", model)
    service, server = git_server()
    place = f"{service['metadata']['name']}.{service['metadata']['namespace']}"
    assert url == f"http://{place}:{service['spec']['ports'][0]['port']}/model.git"
    command = server["spec"]["template"]["spec"]["containers"][0]["command"]
    assert [Path(one).name for one in command[1:3]] == ["git_server.py", "model.bundle"]
    clone = ["git", "clone", "--quiet", "--depth=1", served, tmp_path / "clone"]
    give_up = time.monotonic() + 30
    while subprocess.run(clone, capture_output=True, check=False).returncode != 0:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert (tmp_path / "clone" / "ecosystem.yaml").read_text() == model


def test_a_word_that_is_no_step_is_answered_with_the_steps() -> None:
    done = subprocess.run([KIND / "kind.sh", "instal"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "helm/kind/kind.sh install " in done.stderr


def test_a_model_that_is_there_is_kept(files: Path) -> None:
    mark = files / "model" / "own.txt"
    mark.touch()
    environment = os.environ | {"FOLDER": str(files), "DAGFACTORY": str(Path(sys.executable).with_name("dagfactory"))}
    subprocess.run([KIND / "kind.sh", "files"], env=environment, check=True, capture_output=True, timeout=120)
    assert mark.exists()
