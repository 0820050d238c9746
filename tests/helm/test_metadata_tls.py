"""Sessions of the chart's Airflow with its metadata: in TLS as the values say, by both drivers that Airflow uses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.helm.chart import Helm, Object, one, pods
from tests.helm.platforms import Values, mvp
from tests.tls_server import WORD, TlsServer

IN_TLS = sa.text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
KEYS = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sql-alchemy-conn"}
KEYS["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"] = "sql-alchemy-conn-async"
CA_FOLDER = "/etc/dagfactory/tls"


def values(**metadata: str) -> Values:
    found = mvp()
    return found | {"airflow": found["airflow"] | {"metadata": metadata}}


def urls(objects: list[Object]) -> list[str]:
    made = one(objects, "Secret", "stream-factory-internal")["stringData"]
    return [made[key] for key in KEYS.values()]


def airflow_pods(objects: list[Object]) -> list[Any]:
    """The pods that have sessions with the metadata, each with the containers that do."""
    found = {
        pod.owner: [box for box in pod.containers if any(v["name"] in KEYS for v in box.get("env", []))]
        for pod in pods(objects)
    }
    return [(pod, found[pod.owner]) for pod in pods(objects) if found[pod.owner]]


def here(url: str, server: TlsServer, ca: str) -> str:
    """The rendered URL with the test's server, user and file in it; its options stay."""
    options = url.partition("?")[2].replace(f"{CA_FOLDER}/{ca}/ca.crt", str(server.ca))
    return f"{url.partition(':')[0]}://plain:{WORD}@127.0.0.1:{server.port}/postgres?{options}"


def is_in_tls(url: str) -> bool:
    if "async" not in url.partition(":")[0]:
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            found = connection.execute(IN_TLS).scalar_one()
        engine.dispose()
        return bool(found)

    async def asked() -> bool:
        engine = create_async_engine(url)
        try:
            async with engine.connect() as connection:
                return bool((await connection.execute(IN_TLS)).scalar_one())
        finally:
            await engine.dispose()

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("metadata", "ca"),
    [
        ({}, ""),
        ({"tls": "require"}, ""),
        ({"tls": "verify-ca"}, "stream-factory-postgres-ca"),
        ({"tls": "verify-full", "tlsCa": "own-ca"}, "own-ca"),
    ],
)
def test_the_rendered_connections_are_in_tls(helm: Helm, tls_server: TlsServer, metadata: dict[str, str], ca: str):
    for url in urls(helm.objects(values(**metadata))):
        assert is_in_tls(here(url, tls_server, ca)), url


def test_without_tls_is_said_as_such(helm: Helm, tls_server: TlsServer):
    assert not any(is_in_tls(here(url, tls_server, "")) for url in urls(helm.objects(values(tls="disable"))))


def test_a_certificate_of_another_is_refused_where_it_is_verified(helm: Helm, tls_server: TlsServer):
    for url in urls(helm.objects(values(tls="verify-full"))):
        rendered = here(url, tls_server, "stream-factory-postgres-ca").replace(
            str(tls_server.ca), str(tls_server.other_ca)
        )
        with pytest.raises(OperationalError, match="certificate verify failed"):
            is_in_tls(rendered)


@pytest.mark.parametrize(
    ("metadata", "ca"), [({"tls": "verify-full"}, "stream-factory-postgres-ca"), ({"tlsCa": "own"}, "own")]
)
def test_the_ca_is_where_each_container_with_such_a_session_looks_for_it(helm: Helm, metadata: dict[str, str], ca: str):
    found = airflow_pods(helm.objects(values(**metadata)))
    assert len(found) == 5  # four components and the migration
    for pod, containers in found:
        assert containers, pod.owner
        for container in containers:
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
            sources = volumes[mounts[f"{CA_FOLDER}/{ca}"]]["projected"]["sources"]
            assert {next(iter(source.values()))["name"] for source in sources} == {ca}


def test_both_urls_come_from_the_secret_and_the_second_may_be_missing_in_ones_own(helm: Helm):
    for _, containers in airflow_pods(helm.objects(mvp())):
        for container in containers:
            variables = {each["name"]: each for each in container["env"]}
            for name, key in KEYS.items():
                reference = variables[name]["valueFrom"]["secretKeyRef"]
                assert reference["key"] == key
                assert reference.get("optional", False) is ("ASYNC" in name)
