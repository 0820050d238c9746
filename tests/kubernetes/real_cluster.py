"""A real cluster (kind, k3d), in place of the stand-in. The pods reach this machine at DAGFACTORY_TEST_HOST."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_plugin.demo.postgres import EmbeddedPostgres

LABEL = "app.kubernetes.io/name=merge-job"


@dataclass
class RealCluster:
    kubeconfig: str
    image: str
    namespace: str
    host: str
    refused: list[Any] = field(default_factory=list)  # a real API server answers 403 itself

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        return {}

    @secrets.setter
    def secrets(self, secrets: dict[str, dict[str, str]]) -> None:
        api = self._api()
        for name, values in secrets.items():
            self._forget_secret(name)
            api.create_namespaced_secret(self.namespace, {"metadata": {"name": name}, "stringData": values})
        self._names = list(secrets)

    @property
    def pods(self) -> dict[str, Any]:
        found = self._api().list_namespaced_pod(self.namespace, label_selector=LABEL).items
        return {pod.metadata.name: pod for pod in found if pod.metadata.deletion_timestamp is None}

    def clean(self) -> None:
        for name in self.pods:
            self._api().delete_namespaced_pod(name, self.namespace, grace_period_seconds=0)

    def close(self) -> None:
        self.clean()
        for name in getattr(self, "_names", ()):
            self._forget_secret(name)

    def _forget_secret(self, name: str) -> None:
        from kubernetes.client.exceptions import ApiException

        try:
            self._api().delete_namespaced_secret(name, self.namespace)
        except ApiException as error:
            if error.status != 404:
                raise

    def _api(self) -> Any:
        from kubernetes import client, config

        return client.CoreV1Api(config.new_client_from_config(self.kubeconfig))


def from_environment() -> RealCluster | None:
    """The cluster that KUBECONFIG and DAGFACTORY_TEST_IMAGE name; None if they do not."""
    kubeconfig, image = os.environ.get("KUBECONFIG"), os.environ.get("DAGFACTORY_TEST_IMAGE")
    if not kubeconfig or not image:
        return None
    namespace = os.environ.get("DAGFACTORY_TEST_NAMESPACE", "default")
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
