"""What Airflow may do in a platform's namespace: what the merge task needs, and nothing to spare."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helm.chart import Helm, Refused, by_kind, one
from tests.helm.platforms import minimal, official_airflow
from tests.helm.test_network import merge_labels
from tests.kubernetes.rights import RIGHTS

PLATFORM_SETS = ["minimal", "mvp", "everything", "official_airflow", "own_namespace"]
MERGE_PODS = "stream-factory-merge-pods"


@pytest.mark.parametrize("name", PLATFORM_SETS)
def test_each_role_has_just_the_rights_that_the_merge_task_needs(rendered: Any, name: str) -> None:
    roles = by_kind(rendered(name), "Role")
    assert roles
    for role in roles:
        assert {tuple(rule["apiGroups"]) for rule in role["rules"]} == {("",)}
        given = {(verb, what) for rule in role["rules"] for verb in rule["verbs"] for what in rule["resources"]}
        assert given == RIGHTS


@pytest.mark.parametrize("name", PLATFORM_SETS)
def test_no_right_reaches_further_than_a_platform_s_namespace(rendered: Any, name: str) -> None:
    objects = rendered(name)
    assert not by_kind(objects, "ClusterRole")
    assert not by_kind(objects, "ClusterRoleBinding")
    namespaces = {"ns-yellow-live"} if name == "own_namespace" else {"ns-yellow-live", "ns-yellow-forensic"}
    for kind in ("Role", "RoleBinding"):
        assert {found["metadata"]["namespace"] for found in by_kind(objects, kind)} == namespaces


@pytest.mark.parametrize(
    ("name", "accounts"),
    [
        ("minimal", {("airflow", "airflow-scheduler")}),
        ("mvp", {("airflow", "stream-factory-scheduler"), ("airflow", "stream-factory-triggerer")}),
        (
            "everything",
            {
                ("airflow", "stream-factory-scheduler"),
                ("airflow", "stream-factory-triggerer"),
                ("another-airflow", "another-worker"),
            },
        ),
        ("official_airflow", {("airflow", f"airflow-{who}") for who in ("scheduler", "worker", "triggerer")}),
        ("own_namespace", {("data-airflow", f"airflow-{who}") for who in ("scheduler", "worker", "triggerer")}),
    ],
)
def test_the_accounts_of_airflow_have_them_and_nobody_else(
    rendered: Any, name: str, accounts: set[tuple[str, str]]
) -> None:
    for binding in by_kind(rendered(name), "RoleBinding"):
        assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": MERGE_PODS}
        assert {(one["namespace"], one["name"]) for one in binding["subjects"]} == accounts


def test_job_pods_have_an_account_without_rights_and_without_a_token(rendered: Any) -> None:
    for namespace in ("ns-yellow-live", "ns-yellow-forensic"):
        account = one(rendered("official_airflow"), "ServiceAccount", "merge-job", namespace)
        assert account["automountServiceAccountToken"] is False
    subjects = [one for found in by_kind(rendered("official_airflow"), "RoleBinding") for one in found["subjects"]]
    assert "merge-job" not in {subject["name"] for subject in subjects}


def test_job_pods_account_has_the_name_that_the_platform_s_settings_give(helm: Helm) -> None:
    values = official_airflow()
    live = values["platforms"]["yellowlive"]
    live["settings"] = live["settings"].replace("{", '{"service_account": "loader",', 1)
    objects = helm.objects(values)
    one(objects, "ServiceAccount", "loader", "ns-yellow-live")
    one(objects, "ServiceAccount", "merge-job", "ns-yellow-forensic")


def test_platforms_without_an_airflow_are_refused(helm: Helm) -> None:
    with pytest.raises(Refused, match=r"airflow\.serviceAccounts: it is empty"):
        helm.objects(minimal() | {"airflow": {}})


def test_merge_pods_may_be_evicted_unless_a_drain_is_to_wait_for_them(helm: Helm, rendered: Any) -> None:
    assert not by_kind(rendered("mvp"), "PodDisruptionBudget")
    budgets = by_kind(helm.objects(minimal() | {"mergePods": {"keepThroughDrains": True}}), "PodDisruptionBudget")
    assert {one["metadata"]["namespace"] for one in budgets} == {"ns-yellow-live", "ns-yellow-forensic"}
    for budget in budgets:
        assert budget["spec"]["selector"]["matchLabels"].items() <= merge_labels("yellowlive").items()
        assert budget["spec"].keys() == {"minAvailable", "selector"}
