"""The chart's own PostgreSQL in TLS, and the CAs that models name, where pods look for them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest

from tests.helm.chart import Helm, Object, by_kind, one, pods
from tests.helm.platforms import mvp

CA_FOLDER = "/etc/dagfactory/tls"
SERVICE = "stream-factory-postgres"


@pytest.fixture(scope="module")
def objects(helm: Helm) -> list[Object]:
    return helm.objects(mvp())


def handshake(folder: Path, objects: list[Object], host: str) -> None:
    """Client and server talk in memory, with the chart's files. Raises SSLCertVerificationError."""
    files = one(objects, "Secret", f"{SERVICE}-tls")["stringData"]
    for name, text in files.items():
        (folder / name).write_text(text)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    client = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize(
    "host",
    [SERVICE, f"{SERVICE}.airflow", f"{SERVICE}.airflow.svc", f"{SERVICE}.airflow.svc.cluster.local", "127.0.0.1"],
)
def test_the_certificate_is_for_each_name_of_the_service(tmp_path, objects, host):
    handshake(tmp_path, objects, host)


def test_and_for_no_other(tmp_path, objects):
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, objects, "elsewhere")


def test_the_server_is_started_with_it_and_its_key_is_for_nobody_else(objects):
    [pod] = [pod for pod in pods(objects) if pod.owner == f"StatefulSet {SERVICE}"]
    [container] = pod.containers
    options = {one.partition("=")[0]: one.partition("=")[2] for one in container["args"] if one != "-c"}
    assert options["ssl"] == "on"
    [volume] = [volume for volume in pod.spec["volumes"] if volume["name"] == "tls"]
    assert volume["secret"]["defaultMode"] == 0o440
    [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "tls"]
    paths = {f"{mount['mountPath']}/{item['path']}" for item in volume["secret"]["items"]}
    assert {options["ssl_cert_file"], options["ssl_key_file"]} == paths
    holders = [each for each in by_kind(objects, "ConfigMap") if "PRIVATE" in json.dumps(each)]
    assert holders == []


def test_its_ca_is_in_every_namespace_whose_pods_may_verify_it(objects):
    ca = one(objects, "Secret", f"{SERVICE}-tls")["stringData"]["ca.crt"]
    found = {
        each["metadata"]["namespace"]: each["data"]
        for each in by_kind(objects, "ConfigMap")
        if each["metadata"]["name"] == f"{SERVICE}-ca"
    }
    assert found == {space: {"ca.crt": ca} for space in ("airflow", "ns-yellow-live", "ns-yellow-forensic")}


def test_a_certificate_of_ones_own_is_used_and_none_is_made(helm: Helm):
    objects = helm.objects(mvp() | {"postgres": {"enabled": True, "tlsSecret": "own"}})
    assert [each for each in objects if each["metadata"]["name"].startswith(f"{SERVICE}-")] == []
    [pod] = [pod for pod in pods(objects) if pod.owner == f"StatefulSet {SERVICE}"]
    assert [v["secret"]["secretName"] for v in pod.spec["volumes"] if v["name"] == "tls"] == ["own"]


def test_cas_that_the_settings_name_are_mounted_where_sessions_look_for_them(helm: Helm):
    values = mvp()
    settings = json.loads(values["platforms"]["yellowlive"]["settings"])
    settings |= {"tls_ca_names": ["pg-ca", "shop.ca"], "least_tls": "verify-full"}
    values["platforms"]["yellowlive"]["settings"] = json.dumps(settings)
    reaching = {}
    for pod in pods(helm.objects(values)):
        mounts = {mount["mountPath"]: mount["name"] for box in pod.containers for mount in box.get("volumeMounts", [])}
        wanted = {f"{CA_FOLDER}/{name}": name for name in ("pg-ca", "shop.ca")}
        if wanted.keys() <= mounts.keys():
            by_name = {volume["name"]: volume for volume in pod.spec["volumes"]}
            for path, name in wanted.items():
                sources = by_name[mounts[path]]["projected"]["sources"]
                assert [next(iter(source.values()))["name"] for source in sources] == [name, name]
            variables = {v["name"]: v.get("value") for v in pod.spec["containers"][0].get("env", [])}
            reaching[pod.owner] = variables.get("DAGFACTORY_LEAST_TLS")
    assert reaching == {
        "CronJob stream-factory-sync-yellowlive": "verify-full",
        "Job stream-factory-logins-yellowlive-1": "verify-full",
        "StatefulSet stream-factory-postgres": None,
        **{
            f"Deployment stream-factory-{name}": None
            for name in ("api-server", "scheduler", "dag-processor", "triggerer")
        },
    }


def test_every_empty_directory_has_a_limit(objects):
    for pod in pods(objects):
        for volume in pod.spec["volumes"]:
            assert volume.get("emptyDir", {"sizeLimit": ""}).keys() >= {"sizeLimit"}, (pod.owner, volume)
