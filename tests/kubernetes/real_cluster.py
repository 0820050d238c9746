"""A real cluster (kind, k3d), in place of the stand-in. The pods reach this machine at DAGFACTORY_TEST_HOST.

The task's calls go through this process, so that they can have faults, with the token of a service account that has
RIGHTS and no others. What becomes of pods is the cluster's.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.kubernetes.faults import Faults
from tests.kubernetes.front import Call, Front, Handler, Json, Observed
from tests.kubernetes.limits import LIMITS, QUOTA
from tests.kubernetes.rights import RIGHTS

NAMESPACE = "stream-factory-tests"
WORKER = "stream-factory-worker"
LABEL = "app.kubernetes.io/name=merge-job"
THERE, GONE = 409, 404
ENDED = ("Succeeded", "Failed")
SAY = "import base64, os, sys, zlib; {}; os.execvp(sys.argv[2], sys.argv[2:])".format(
    "os.write(1, zlib.decompress(base64.b64decode(sys.argv[1])))"
)


class RealPod(Observed):
    """A pod that the task has made."""

    def __init__(self, name: str, faults: Faults, cluster: RealCluster) -> None:
        super().__init__(faults)
        self.name = name
        self.is_gone = False
        self._cluster = cluster
        self._path = f"{cluster.pods_path}/{name}"
        self._follower: threading.Thread | None = None
        self._said: list[str] = []
        self._has_said = threading.Event()

    @property
    def lines(self) -> list[str]:
        """What it has said; read to its end from the first look on, whatever becomes of the pod."""
        if self._follower is None:
            answer = self._cluster.ask("GET", f"{self._path}/log?follow=true")
            if answer.status != 200:
                answer.close()
                return []
            self._follower = threading.Thread(target=self._read, args=(answer,), daemon=True)
            self._follower.start()
        self._has_said.wait(30)
        return list(self._said)

    @property
    def all_lines(self) -> list[str]:
        """What it had said when its container had ended."""
        assert self._follower is not None, "nobody has looked while it was there"
        self._follower.join(30)
        return self.lines

    @property
    def labels(self) -> dict[str, str]:
        return self._now().get("metadata", {}).get("labels") or {}

    @property
    def job_has_ended(self) -> bool:
        return self._now().get("status", {}).get("phase") in ENDED

    def shown(self, body: Json) -> Json:
        """Return its JSON as it is given to the task."""
        for status in body.get("status", {}).get("containerStatuses") or ():
            if self.faults.no_message:
                status["state"].get("terminated", {}).pop("message", None)
            if self.held and "terminated" in status["state"]:
                status["state"] = {"running": {"startedAt": status["state"]["terminated"]["startedAt"]}}
                body["status"]["phase"] = "Running"
        if self.faults.no_phase:
            body["status"]["phase"] = "Pending"
        return body

    def _now(self) -> Json:
        """Return its JSON; empty if it is gone."""
        answer = self._cluster.ask("GET", self._path)
        found = json.loads(answer.read())
        return dict(found) if answer.status == 200 else {}

    def _read(self, answer: http.client.HTTPResponse) -> None:
        with suppress(OSError, http.client.HTTPException):
            for line in answer:
                self._said.append(line.decode(errors="surrogateescape").rstrip("\n"))
                self._has_said.set()
        self._has_said.set()


class RealCluster(Front):
    def __init__(self, kubeconfig: str, image: str, namespace: str, host: str) -> None:
        self.kubeconfig, self.image, self.namespace, self.host = kubeconfig, image, namespace, host
        self._made: dict[str, RealPod] = {}
        self._names: list[str] = []
        self._own_namespace = self._make_namespace()
        self._make_worker()
        super().__init__(_Forwarding)

    @property
    def pods_path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        return {}

    @secrets.setter
    def secrets(self, secrets: dict[str, dict[str, str]]) -> None:
        for name, values in secrets.items():
            self._forget_secret(name)
            body = {"metadata": {"name": name}, "stringData": values}
            self._core.create_namespaced_secret(self.namespace, body)
        self._names = list(secrets)

    @property
    def pods(self) -> dict[str, RealPod]:
        """Those that are there and not about to go."""
        found = self._core.list_namespaced_pod(self.namespace, label_selector=LABEL).items
        there = [pod.metadata.name for pod in found if pod.metadata.deletion_timestamp is None]
        return {name: self.pod(name) for name in there}

    def pod(self, name: str) -> RealPod:
        return self._made.setdefault(name, RealPod(name, self.faults, self))

    def remove(self, name: str) -> None:
        """Let the pod vanish, as when its node is lost: the task sees it no more, while its node still ends it."""
        pod = self.pod(name)
        if not pod.is_gone:
            pod.is_gone = True
            with _unless(GONE):
                self._core.delete_namespaced_pod(name, self.namespace, grace_period_seconds=1)

    def evict(self, name: str) -> None:
        """As a drain of its node does it."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": self.namespace}}
        self._core.create_namespaced_pod_eviction(name, self.namespace, body)

    @contextmanager
    def limited(self, pods: int | None = None, defaults: dict[str, str] | None = None) -> Iterator[None]:
        """Within it the namespace has a quota or limits."""
        quota, limits = {"name": QUOTA}, {"name": LIMITS}
        if pods is not None:
            body = {"metadata": quota, "spec": {"hard": {"pods": str(pods)}}}
            self._core.create_namespaced_resource_quota(self.namespace, body)
            self._await_quota()
        if defaults is not None:
            body = {"metadata": limits, "spec": {"limits": [{"type": "Container", "default": defaults}]}}
            self._core.create_namespaced_limit_range(self.namespace, body)
        try:
            yield
        finally:
            if pods is not None:
                self._core.delete_namespaced_resource_quota(QUOTA, self.namespace)
            if defaults is not None:
                self._core.delete_namespaced_limit_range(LIMITS, self.namespace)

    def _await_quota(self) -> None:
        """Until its controller has counted the quota, it refuses pods with other words."""
        from kubernetes import watch

        stream = watch.Watch()
        for event in stream.stream(self._core.list_namespaced_resource_quota, self.namespace, timeout_seconds=60):
            if event["object"].status.used:
                return stream.stop()
        raise AssertionError("the quota is not counted")

    def clean(self) -> None:
        """End all pods, and wait until their nodes have done so; the calls stay known."""
        from kubernetes import watch

        found = self._core.list_namespaced_pod(self.namespace, label_selector=LABEL)
        left = {pod.metadata.name for pod in found.items}
        for name in left:
            with _unless(GONE):
                self._core.delete_namespaced_pod(name, self.namespace, grace_period_seconds=1)
        if left:
            stream = watch.Watch()
            since = {"label_selector": LABEL, "resource_version": found.metadata.resource_version}
            for event in stream.stream(self._core.list_namespaced_pod, self.namespace, timeout_seconds=120, **since):
                if event["type"] == "DELETED":
                    left.discard(event["object"].metadata.name)
                if not left:
                    stream.stop()
        assert not left, f"not gone: {left}"
        self._made = {}
        self.forget()

    def close(self) -> None:
        self.clean()
        self.stop()
        for name in self._names:
            self._forget_secret(name)
        if self._own_namespace:
            self._core.delete_namespace(self.namespace)

    # --- its API

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Ask as the worker does; `headers` are those of its own request."""
        address = urlsplit(self._client.configuration.host)
        context = ssl.create_default_context(cafile=self._client.configuration.ssl_ca_cert)
        assert address.hostname is not None
        connection = http.client.HTTPSConnection(address.hostname, address.port or 443, context=context)
        own = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "Connection": "close"}
        connection.request(method, path, body, {**(headers or {}), **own})
        return connection.getresponse()

    @cached_property
    def _client(self) -> Any:
        from kubernetes import config

        return config.new_client_from_config(self.kubeconfig)

    @cached_property
    def _core(self) -> Any:
        from kubernetes import client

        return client.CoreV1Api(self._client)

    def _make_namespace(self) -> bool:
        """Make the namespace, with restricted Pod Security, unless it is there; whether it was made."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        with _unless(THERE):
            self._core.create_namespace({"metadata": {"name": self.namespace, "labels": labels}})
            return True
        return False

    def _make_worker(self) -> None:
        """Make the service account that the task has in this namespace: the chart's rights, and no others."""
        from kubernetes import client

        rights = client.RbacAuthorizationV1Api(self._client)
        rules = [{"apiGroups": [""], "resources": [resource], "verbs": [verb]} for verb, resource in sorted(RIGHTS)]
        metadata = {"name": WORKER}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": WORKER}
        subject = {"kind": "ServiceAccount", "name": WORKER, "namespace": self.namespace}
        binding = {"metadata": metadata, "roleRef": role, "subjects": [subject]}
        for make, body in (
            (self._core.create_namespaced_service_account, {"metadata": metadata}),
            (rights.create_namespaced_role, {"metadata": metadata, "rules": rules}),
            (rights.create_namespaced_role_binding, binding),
        ):
            with _unless(THERE):
                make(self.namespace, body)
        made = self._core.create_namespaced_service_account_token(WORKER, self.namespace, {"spec": {}})
        self._token = made.status.token

    def _forget_secret(self, name: str) -> None:
        with _unless(GONE):
            self._core.delete_namespaced_secret(name, self.namespace)


class _Forwarding(Handler):
    cluster: RealCluster

    def answer(self, call: Call) -> None:
        asked = (call.verb, call.resource)
        if asked == ("create", "pods"):
            self._create(call)
        elif asked == ("get", "pods/log"):
            self._log(call)
        else:
            self._others(call)

    def _create(self, call: Call) -> None:
        faults = self.cluster.faults
        posted = json.loads(json.dumps(call.body))
        if faults.says_first:
            _say_first(call.body["spec"]["containers"][0], faults.says_first)
        if faults.at_start is not None:
            faults.at_start()
        answer = self._forward(json.dumps(call.body).encode())
        body = json.loads(answer.read())
        if answer.status == 201:
            self.cluster.created.append(posted)
            self.cluster.pod(body["metadata"]["name"])
        self.send(answer.status, body)

    def _log(self, call: Call) -> None:
        pod = self.cluster.pod(call.path[1])
        if pod.is_gone:
            return self.error(404, f'pods "{pod.name}" not found', "NotFound")
        answer = self._forward()
        if answer.status == 200:
            self.say(pod, iter(answer), call.follows)
        else:
            self.send(answer.status, json.loads(answer.read()))
        answer.close()
        self._vanishes(pod)
        return None

    def _others(self, call: Call) -> None:
        pod = self.cluster.pod(call.path[1]) if len(call.path) > 1 else None
        if pod is not None and self._vanishes(pod):
            return self.error(404, f'pods "{pod.name}" not found', "NotFound")
        answer = self._forward(self.content or None)
        body = json.loads(answer.read())
        if call.verb == "delete" and answer.status == 200 and pod is not None:
            self.cluster.deleted.append(pod.name)
        if pod is not None and body["kind"] == "Pod":
            body = pod.shown(body)
        elif body["kind"] == "PodList":
            pods = [(self.cluster.pod(one["metadata"]["name"]), one) for one in body["items"]]
            body["items"] = [pod.shown(one) for pod, one in pods if not pod.is_gone]
        return self.send(answer.status, body)

    def _vanishes(self, pod: RealPod) -> bool:
        if pod.is_gone or pod.is_to_vanish:
            self.cluster.remove(pod.name)
        return pod.is_gone

    def _forward(self, body: bytes | None = None) -> http.client.HTTPResponse:
        kept = {name: value for name, value in self.headers.items() if name.lower() in ("content-type", "user-agent")}
        return self.cluster.ask(self.command, self.path, body, kept)


def _say_first(container: Json, lines: tuple[str, ...]) -> None:
    """Let the container print these lines before its program starts."""
    text = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
    program = (container.get("command") or ["merge-job"])[0]
    container["command"] = ["python", "-c", SAY, base64.b64encode(zlib.compress(text)).decode(), program]


@contextmanager
def _unless(status: int) -> Iterator[None]:
    """Do something with the cluster, unless it is done already."""
    from kubernetes.client.exceptions import ApiException

    try:
        yield
    except ApiException as error:
        if error.status != status:
            raise


def from_environment() -> RealCluster | None:
    """The cluster that KUBECONFIG and DAGFACTORY_TEST_IMAGE name; None if they do not."""
    kubeconfig, image = os.environ.get("KUBECONFIG"), os.environ.get("DAGFACTORY_TEST_IMAGE")
    if not kubeconfig or not image:
        return None
    namespace = os.environ.get("DAGFACTORY_TEST_NAMESPACE", NAMESPACE)
    return RealCluster(kubeconfig, image, namespace, os.environ.get("DAGFACTORY_TEST_HOST") or _way_to(kubeconfig))


@contextmanager
def reachable_postgres(directory: Path) -> Iterator[EmbeddedPostgres]:
    """A server that pods reach too; passwords are scram."""
    options = {"fsync": "off", "max_connections": "60", "listen_addresses": "*"}
    with EmbeddedPostgres(directory, options=options) as server:
        with (directory / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")
        import psycopg2

        connection = psycopg2.connect(server.dsn())
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_reload_conf()")
        connection.close()
        yield server


def _way_to(kubeconfig: str) -> str:
    """This machine's address on the way to the API server; of a cluster on this machine a pod cannot use it."""
    from kubernetes import config

    address = urlsplit(config.new_client_from_config(kubeconfig).configuration.host)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address.hostname, address.port or 443))
        return str(probe.getsockname()[0])
