"""Each object is one that Kubernetes takes, and what it refers to is there."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import kubernetes_validate
import pytest

from tests.helm.chart import Helm, by_kind, one, place, pods, provided, references
from tests.helm.platforms import EXTERNAL, SETS

OLDEST, NEWEST = "1.25", "1.34"

every_set = pytest.mark.parametrize("name", SETS)


@every_set
def test_helm_finds_nothing_wrong(helm: Helm, name: str) -> None:
    assert "0 chart(s) failed" in helm.lint(SETS[name]())


@pytest.mark.parametrize(("name", "version"), [*((name, NEWEST) for name in SETS), ("everything", OLDEST)])
def test_each_object_is_valid_by_the_schemas_of_kubernetes(rendered: Any, name: str, version: str) -> None:
    for found in rendered(name):
        kubernetes_validate.validate(found, version, strict=True)


def test_when_images_are_pulled_is_left_to_kubernetes_but_where_the_values_say(helm: Helm) -> None:
    """Merge pods are asked by the settings, so that one value reaches them too; a platform's own settings win."""
    policies, settings = {}, {}
    for policy in ("", "Always", "Never"):
        values = {**SETS["mvp"](), "imagePullPolicy": policy}
        live = values["platforms"]["yellowlive"]
        live["settings"] = json.dumps(json.loads(live["settings"]) | {"image_pull_policy": "IfNotPresent"})
        objects = helm.objects(values)
        policies[policy] = {each.get("imagePullPolicy", "") for pod in pods(objects) for each in pod.containers}
        files = one(objects, "ConfigMap", "stream-factory-platforms")["data"]
        given = (json.loads(files[f"yellow{kind}.settings.json"]) for kind in ("forensic", "live"))
        settings[policy] = [each.get("image_pull_policy", "") for each in given]
    assert policies == {policy: {policy} for policy in policies}
    assert settings == {policy: [policy, "IfNotPresent"] for policy in settings}


@every_set
def test_no_object_is_there_twice(rendered: Any, name: str) -> None:
    assert [twice for twice, times in Counter(map(place, rendered(name))).items() if times > 1] == []


@every_set
def test_what_pods_refer_to_is_made_or_documented_to_be_made_by_hand(rendered: Any, name: str) -> None:
    objects = rendered(name)
    assert references(objects) - provided(objects) == EXTERNAL.get(name, set())


@every_set
def test_each_selector_finds_the_pods_that_are_meant_and_no_others(rendered: Any, name: str) -> None:
    objects = rendered(name)
    for found in (*by_kind(objects, "Deployment"), *by_kind(objects, "StatefulSet"), *by_kind(objects, "Service")):
        selector = found["spec"]["selector"]
        wanted = selector.get("matchLabels", selector).items()
        chosen = [pod.owner for pod in pods(objects) if wanted <= pod.labels.items()]
        assert len(chosen) == 1
        assert chosen[0].endswith(f" {found['metadata']['name']}")


@every_set
def test_each_port_of_a_service_and_a_probe_is_one_of_its_container(rendered: Any, name: str) -> None:
    objects = rendered(name)
    for service in by_kind(objects, "Service"):
        [pod] = [pod for pod in pods(objects) if service["spec"]["selector"].items() <= pod.labels.items()]
        names = {port["name"] for container in pod.containers for port in container.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    for container in (container for pod in pods(objects) for container in pod.containers):
        names = {port["name"] for port in container.get("ports", [])}
        probes = [probe for key, probe in container.items() if key.endswith("Probe") and "httpGet" in probe]
        assert {probe["httpGet"]["port"] for probe in probes} <= names


@every_set
def test_no_secret_value_stands_outside_of_secrets(rendered: Any, name: str) -> None:
    objects = rendered(name)
    secrets = by_kind(objects, "Secret")
    public = {"username", "ca.crt"}  # clients find the CA's certificate in a ConfigMap
    values = {value for secret in secrets for key, value in secret["stringData"].items() if key not in public}
    others = json.dumps([found for found in objects if found not in secrets], ensure_ascii=False)
    assert [value for value in values if json.dumps(value, ensure_ascii=False)[1:-1] in others] == []


@every_set
def test_pods_are_as_restricted_as_kubernetes_knows(rendered: Any, name: str) -> None:
    for pod in pods(rendered(name)):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys()
        assert all({"hostPath"}.isdisjoint(volume) for volume in pod.spec["volumes"])
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["runAsUser"] > 0
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@every_set
def test_each_container_has_limits_an_image_of_a_version_and_somewhere_to_write(rendered: Any, name: str) -> None:
    for pod in pods(rendered(name)):
        writable = {volume["name"] for volume in pod.spec["volumes"] if "emptyDir" in volume}
        for container in pod.containers:
            assert container["resources"]["limits"].keys() >= {"cpu", "memory"}
            assert ":" in container["image"]
            assert not container["image"].endswith(":latest")
            assert writable & {mount["name"] for mount in container["volumeMounts"]}


@every_set
def test_only_who_speaks_to_kubernetes_has_a_token_for_it(rendered: Any, name: str) -> None:
    objects = rendered(name)
    with_token = {pod.owner for pod in pods(objects) if pod.spec["automountServiceAccountToken"]}
    own = {"Deployment stream-factory-scheduler", "Deployment stream-factory-triggerer"}
    assert with_token == (own if name in ("mvp", "everything") else set())
    for account in by_kind(objects, "ServiceAccount"):
        used_with = {
            pod.owner for pod in pods(objects) if pod.spec["serviceAccountName"] == account["metadata"]["name"]
        }
        assert account["automountServiceAccountToken"] is bool(used_with & own)


@every_set
def test_namespaces_are_made_only_where_asked_and_never_the_release_s_own(rendered: Any, name: str) -> None:
    objects = rendered(name)
    made = {found["metadata"]["name"] for found in by_kind(objects, "Namespace")}
    assert made == ({"ns-yellow-live", "ns-yellow-forensic"} if name in ("mvp", "everything") else set())
    for found in by_kind(objects, "Namespace"):
        assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_everything_but_the_platforms_objects_is_where_the_release_or_the_airflow_is(rendered: Any) -> None:
    found = {(kind, namespace) for kind, namespace, _ in map(place, rendered("own_namespace"))}
    assert {kind for kind, namespace in found if namespace == "data-airflow"} == {"ConfigMap", "Secret"}
    assert {namespace for _, namespace in found} == {"data-airflow", "ns-yellow-live"}


def test_passwords_that_are_made_up_all_differ_and_are_the_same_in_each_namespace(rendered: Any) -> None:
    secrets = by_kind(rendered("mvp"), "Secret")
    by_name: dict[str, set[str]] = {}
    for secret in secrets:
        if "password" in secret["stringData"]:
            by_name.setdefault(secret["metadata"]["name"], set()).add(secret["stringData"]["password"])
    assert {name: len(values) for name, values in by_name.items()} == {"postgres": 1, "customer-db": 1, "producer": 1}
    internal = one(secrets, "Secret", "stream-factory-internal")["stringData"]
    made_up = [value for values in by_name.values() for value in values]
    made_up += [value for key, value in internal.items() if not key.startswith("sql-alchemy-conn")]
    assert len({value[:20] for value in made_up}) == len(made_up)
    assert min(map(len, made_up)) >= 20


def test_names_that_look_like_numbers_stay_names(helm: Helm) -> None:
    values = SETS["mvp"]()
    replaced = {"ns-yellow-live": "1e3", '"customer-db"': '"0x10"', '"yellowlive"': '"007"'}
    values["platforms"]["007"] = values["platforms"].pop("yellowlive")
    for platform in values["platforms"].values():
        for before, after in replaced.items():
            platform["settings"] = platform["settings"].replace(before, after)
    values["secrets"]["0x10"] = values["secrets"].pop("customer-db")
    values["imagePullSecrets"] = ["12"]
    objects = helm.objects(values, release="42", namespace="43")
    for found in objects:
        kubernetes_validate.validate(found, NEWEST, strict=True)
    assert ("Secret", "1e3", "0x10") in set(map(place, objects))
    assert ("Deployment", "43", "42-scheduler") in set(map(place, objects))


@pytest.mark.parametrize(("release", "platform"), [(53, 63), (14, 40), (53, 8)])
def test_long_names_fit(helm: Helm, release: int, platform: int) -> None:
    values = SETS["mvp"]()
    long = "y" * platform
    live = values["platforms"].pop("yellowlive")
    values["platforms"][long] = live | {"settings": live["settings"].replace('"yellowlive"', f'"{long}"')}
    for found in helm.objects(values, release="r" * release):
        kubernetes_validate.validate(found, NEWEST, strict=True)
        assert max(map(len, found["metadata"]["labels"].values())) <= 63
        kind, _, name = place(found)
        # Of a CronJob's and a StatefulSet's name Kubernetes makes longer ones, and of a Service's a host.
        assert len(name) <= {"CronJob": 52, "StatefulSet": 52, "Service": 63, "Job": 63}.get(kind, 253)


def test_two_releases_share_no_name_in_the_namespace_of_airflow(helm: Helm) -> None:
    live, forensic = SETS["minimal"](), SETS["minimal"]()
    del live["platforms"]["yellowforensic"], forensic["platforms"]["yellowlive"]
    first, second = helm.objects(live, release="live"), helm.objects(forensic, release="forensic")
    assert set(map(place, first)).isdisjoint(map(place, second))
