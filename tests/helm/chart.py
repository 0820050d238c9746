"""The chart as helm renders it: objects, what their pods are and what they refer to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "helm"
RELEASE, NAMESPACE = "stream-factory", "airflow"

Object = dict[str, Any]
Place = tuple[str, str, str]  # kind, namespace, name
Reference = tuple[str, str, str, str | None]  # kind, namespace, name, the key if one is meant


class Refused(Exception):
    """helm did not take the values; its words."""


def helm_program() -> str | None:
    beside = Path(sys.executable).with_name("helm")
    return shutil.which("helm") or (str(beside) if beside.exists() else None)


@dataclass(frozen=True)
class Helm:
    """The real program, with folders of its own."""

    program: str
    home: Path

    def run(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "KUBECONFIG": str(self.home / "none")}
        done = subprocess.run(
            [self.program, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0:
            raise Refused(done.stderr + done.stdout)
        return done.stdout

    def lint(self, values: object) -> str:
        return self.run("lint", "--strict", str(FOLDER), "--values", str(self._file(values)))

    def template(self, values: object, release: str = RELEASE, namespace: str = NAMESPACE) -> str:
        return self.from_files(self._file(values), release=release, namespace=namespace)

    def from_files(self, *files: Path, release: str = RELEASE, namespace: str = NAMESPACE) -> str:
        given = [f"--values={file}" for file in files]
        return self.run("template", release, str(FOLDER), "--namespace", namespace, *given)

    def objects(self, values: object, release: str = RELEASE, namespace: str = NAMESPACE) -> list[Object]:
        return [found for found in yaml.safe_load_all(self.template(values, release, namespace)) if found]

    def notes(self, values: object) -> str:
        file = str(self._file(values))
        shown = self.run(
            "install", RELEASE, str(FOLDER), "--namespace", NAMESPACE, "--values", file, "--dry-run=client"
        )
        return shown.partition("\nNOTES:\n")[2]

    def _file(self, values: object) -> Path:
        path = self.home / "values.yaml"
        path.write_text(yaml.safe_dump(values), "utf-8")
        return path


def place(found: Object) -> Place:
    return found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]


def by_kind(objects: list[Object], kind: str) -> list[Object]:
    return [found for found in objects if found["kind"] == kind]


def one(objects: list[Object], kind: str, name: str, namespace: str = NAMESPACE) -> Object:
    [found] = [found for found in objects if place(found) == (kind, namespace, name)]
    return found


@dataclass(frozen=True)
class Pod:
    """A pod that an object of the chart makes."""

    owner: str
    namespace: str
    labels: dict[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def pods(objects: list[Object]) -> list[Pod]:
    found = []
    for each in objects:
        spec = each.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template is not None:
            owner = f"{each['kind']} {each['metadata']['name']}"
            labels = template["metadata"]["labels"]
            found.append(Pod(owner, each["metadata"]["namespace"], labels, template["spec"]))
    return found


def references(objects: list[Object]) -> set[Reference]:
    """What pods need to be there: Secrets and ConfigMaps, with their keys, accounts and claims."""
    return {
        (kind, pod.namespace, name, key)
        for pod in pods(objects)
        for kind, name, key in (*_of_pod(pod.spec), *(found for one in pod.containers for found in _of_container(one)))
    }


def _of_pod(spec: Object) -> Iterator[tuple[str, str, str | None]]:
    yield "ServiceAccount", spec["serviceAccountName"], None
    for secret in spec.get("imagePullSecrets", []):
        yield "Secret", secret["name"], None
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], None
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], None
        for item in volume.get("secret", {}).get("items", []):
            yield "Secret", volume["secret"]["secretName"], item["key"]


def _of_container(container: Object) -> Iterator[tuple[str, str, str | None]]:
    for variable in container.get("env", []):
        if "valueFrom" in variable:
            selector = variable["valueFrom"]["secretKeyRef"]
            yield "Secret", selector["name"], selector["key"]
    for source in container.get("envFrom", []):
        yield "Secret", source["secretRef"]["name"], None


def provided(objects: list[Object]) -> set[Reference]:
    """What the objects give to those who refer to them."""
    found: set[Reference] = set()
    for each in objects:
        kind, namespace, name = place(each)
        keys = [*each.get("stringData", {}), *each.get("data", {})] if kind in ("Secret", "ConfigMap") else []
        found |= {(kind, namespace, name, key) for key in (None, *keys)}
    return found
