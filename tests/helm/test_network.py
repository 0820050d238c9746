"""Who may talk to whom: the policies worked out as a network does, and the outcome held against whole tables."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import pytest

from airflow_plugin.jobs.merge_job import MergeJob, PodPlace
from airflow_plugin.operators.pod_request import pod_arguments
from config_schema import names
from tests.helm.chart import Helm, Object, by_kind, pods
from tests.helm.platforms import minimal, mvp

PORTS = (53, 5432, 5433, 8080, 8793, 8794, 443, 6443)


class Peer(NamedTuple):
    """A pod, as the network knows it."""

    name: str
    namespace: str
    labels: dict[str, str]


def peers(objects: list[Object]) -> list[Peer]:
    """The chart's pods, the merge pods as Airflow starts them, and some that are none of ours."""
    own = [Peer(pod.labels["app.kubernetes.io/name"], pod.namespace, pod.labels) for pod in pods(objects)]
    merges = [Peer("merge-job", f"ns-{kind}", merge_labels(kind.replace("-", ""))) for kind in PLATFORMS]
    strangers = [Peer("stranger", namespace, {}) for namespace in ("airflow", "ns-yellow-live", "elsewhere", "ingress")]
    strangers.append(Peer("stranger", "ns-yellow-live", {"stream-factory/platform": "yellowlive"}))
    strangers.append(Peer("stranger", "elsewhere", merge_labels("yellowlive")))
    return [*own, *merges, *strangers]


PLATFORMS = ("yellow-live", "yellow-forensic")


def merge_labels(platform: str) -> dict[str, str]:
    job = MergeJob(platform, platform, "Store1", (), ())
    fields: dict[str, Any] = dict.fromkeys(PodPlace.__dataclass_fields__)
    place = PodPlace(
        **fields
        | {"name": names.pod_name(platform, "Store1"), "image_pull_secrets": (), "tolerations": (), "tls_ca_names": ()}
    )
    labels: dict[str, str] = pod_arguments(job, place)["labels"]
    return labels


def may_talk(policies: list[Object], source: Peer, target: Peer, port: int) -> bool:
    """What a network that knows NetworkPolicies says; a direction without a policy is free."""
    return passes(policies, source, target, port, "egress") and passes(policies, target, source, port, "ingress")


def passes(policies: list[Object], pod: Peer, other: Peer, port: int, direction: str) -> bool:
    own = [found["spec"] for found in policies if chooses(found, pod)]
    own = [spec for spec in own if direction.capitalize() in spec["policyTypes"]]
    peers_key = "to" if direction == "egress" else "from"
    return not own or any(
        port in [one["port"] for one in rule["ports"]] and any(is_meant(peer, other) for peer in rule[peers_key])
        for spec in own
        for rule in spec[direction] or []
    )


def chooses(policy: Object, pod: Peer) -> bool:
    wanted = policy["spec"]["podSelector"]["matchLabels"]
    return policy["metadata"]["namespace"] == pod.namespace and wanted.items() <= pod.labels.items()


def is_meant(peer: Object, pod: Peer) -> bool:
    if "ipBlock" in peer:
        return False  # addresses outside of the cluster
    namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    wanted = peer.get("podSelector", {}).get("matchLabels", {})
    return bool(namespace == pod.namespace and wanted.items() <= pod.labels.items())


def talks(objects: list[Object]) -> set[tuple[str, str, int]]:
    """Who may reach a pod of ours, at which of the ports that are used anywhere."""
    policies = by_kind(objects, "NetworkPolicy")
    found = peers(objects)
    ours = [peer for peer in found if peer.name != "stranger"]
    return {
        (f"{source.name}@{source.namespace}" if source.name == "stranger" else source.name, target.name, port)
        for source, target, port in product(found, ours, PORTS)
        if source is not target and may_talk(policies, source, target, port)
    }


MVP = {
    ("api-server", "postgres", 5432),
    ("scheduler", "postgres", 5432),
    ("dag-processor", "postgres", 5432),
    ("triggerer", "postgres", 5432),
    ("migrate", "postgres", 5432),
    ("simulator", "postgres", 5432),
    ("sync", "postgres", 5432),
    ("merge-job", "postgres", 5432),
    ("logins", "postgres", 5432),
    ("scheduler", "api-server", 8080),
    ("api-server", "scheduler", 8793),
    ("api-server", "triggerer", 8794),
}


def test_in_the_mvp_each_pod_reaches_what_it_needs_and_no_other(rendered: Any) -> None:
    assert talks(rendered("mvp")) == MVP


def test_the_ui_is_open_to_the_namespaces_that_are_named(rendered: Any) -> None:
    assert talks(rendered("everything")) == MVP | {("stranger@ingress", "api-server", 8080)}


def test_another_airflow_reaches_the_merge_store_in_the_chart_s_postgres(helm: Helm) -> None:
    values = mvp() | {"airflow": {"serviceAccounts": [{"name": "airflow-worker"}]}}
    reach = {source for source, target, _ in talks(helm.objects(values)) if target == "postgres"}
    # The simulator and the logins too, in Airflow's namespace; another Airflow's pods have labels of their own.
    assert reach == {"simulator", "sync", "merge-job", "logins", "stranger@airflow"}


@pytest.mark.parametrize("name", ["mvp", "everything", "minimal", "official_airflow"])
def test_each_pod_has_a_policy_for_both_directions(rendered: Any, name: str) -> None:
    objects = rendered(name)
    for pod in peers(objects):
        found = [policy["spec"] for policy in by_kind(objects, "NetworkPolicy") if chooses(policy, pod)]
        assert [spec["policyTypes"] for spec in found] == ([] if pod.name == "stranger" else [["Ingress", "Egress"]])


def outside(objects: list[Object]) -> dict[str, set[tuple[str, int]]]:
    """By component: the addresses and ports that it may reach, apart from the service for names."""
    found: dict[str, set[tuple[str, int]]] = {}
    for policy in by_kind(objects, "NetworkPolicy"):
        component = policy["metadata"]["labels"]["app.kubernetes.io/name"]
        for rule in policy["spec"]["egress"] or []:
            blocks = [peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer]
            reached = {pair for pair in product(blocks, (one["port"] for one in rule["ports"])) if pair[1] != 53}
            found.setdefault(component, set()).update(reached)
    return {component: reached for component, reached in found.items() if reached}


def test_outside_of_the_cluster_pods_reach_the_ports_that_their_platforms_settings_name(helm: Helm) -> None:
    values = minimal()
    first, second = (values["platforms"][name] for name in ("yellowlive", "yellowforensic"))
    first["settings"] = first["settings"].replace('"pg-data:5432"', '"pg-data:5433", "old:3306"')
    second["settings"] = second["settings"].replace("https://git.example/team/model.git", "git@git.example:team/model")
    values["platforms"] = {"yellowlive": first}
    databases = {("0.0.0.0/0", port) for port in (5432, 5433, 3306)}
    assert outside(helm.objects(values)) == {
        "merge-job": databases | {("0.0.0.0/0", 443)},
        "sync": {("0.0.0.0/0", 5432), ("0.0.0.0/0", 443)},
    }
    values["platforms"] = {"yellowforensic": second}
    assert outside(helm.objects(values))["sync"] == {("0.0.0.0/0", 5432), ("0.0.0.0/0", 22)}


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        ("https://git.example/team/model.git", {443}),
        ("https://git.example:8443/team/model.git", {8443}),
        ("http://git.example/model", {80}),
        ("ssh://git@git.example/model", {22}),
        ("ssh://git@git.example:2222/model", {2222}),
        ("git@git.example:team/model.git", {22}),
        ("/srv/model", set()),
    ],
)
def test_the_port_of_the_repository_follows_from_its_address(helm: Helm, url: str, ports: set[int]) -> None:
    values = minimal()
    del values["platforms"]["yellowforensic"]
    live = values["platforms"]["yellowlive"]
    live["settings"] = live["settings"].replace("https://git.example/team/model.git", url)
    values["networkPolicies"] = {"gitCidrs": ["192.0.2.0/24"]}
    assert outside(helm.objects(values))["sync"] == {("0.0.0.0/0", 5432)} | {("192.0.2.0/24", port) for port in ports}


def test_notifiers_reach_slack_even_where_the_kubernetes_api_s_addresses_are_given(rendered: Any) -> None:
    reached = outside(rendered("everything"))
    for component in ("scheduler", "triggerer"):
        kubernetes = {("198.51.100.1/32", 443), ("198.51.100.1/32", 6443)}
        assert reached[component] == kubernetes | {("0.0.0.0/0", 443)}


def test_what_settings_allow_beside_their_own_is_let_through_too(helm: Helm) -> None:
    values = minimal()
    del values["platforms"]["yellowforensic"]
    live = values["platforms"]["yellowlive"]
    allowed = (
        '"allowed": {"source_hosts": ["new:5434"], "merge_stores": ["next:5435/db"], "git_repo_url": ["http://g/m"]}'
    )
    live["settings"] = live["settings"].replace('"allowed": {}', allowed)
    reached = outside(helm.objects(values))
    assert {port for _, port in reached["merge-job"]} == {5432, 5434, 5435, 443, 80}
    assert {port for _, port in reached["sync"]} == {5432, 443}


def test_names_are_asked_for_in_kube_system_and_nowhere_else(rendered: Any) -> None:
    for policy in by_kind(rendered("everything"), "NetworkPolicy"):
        for rule in policy["spec"]["egress"] or []:
            if 53 in [one["port"] for one in rule["ports"]]:
                assert rule["to"] == [
                    {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
                    {"ipBlock": {"cidr": "169.254.20.10/32"}},
                ]
