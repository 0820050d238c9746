"""The dashboard and the alerts: made where a value says so, and of metrics that the code sends under these names."""

from __future__ import annotations

import json
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from airflow_plugin import metrics
from airflow_plugin.metrics import Metric, MetricKind, of_check, of_platform, of_stream
from tests.helm.chart import FOLDER, Helm, one
from tests.helm.platforms import minimal

MONITORING = FOLDER / "monitoring"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))
ALERTS = yaml.safe_load((MONITORING / "alerts.yaml").read_text("utf-8"))
MAPPINGS = yaml.safe_load((FOLDER / "official-airflow-values.yaml").read_text("utf-8"))["statsd"]["extraMappings"]
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def mapped(name: str) -> tuple[str, dict[str, str]]:
    """What statsd_exporter makes of a name: the first rule that matches, `*` for one part of it."""
    for rule in MAPPINGS:
        pattern = re.escape(rule["match"]).replace(r"\*", r"([^.]*)")
        if found := re.fullmatch(pattern, name):

            def filled(text: str, found: re.Match[str] = found) -> str:
                return re.sub(r"\$(\d)", lambda number: found.group(int(number.group(1))), text)

            return filled(rule["name"]), {label: filled(value) for label, value in rule["labels"].items()}
    return name.replace(".", "_"), {}


def exported(metric: Metric, prefix: str) -> str:
    return mapped(f"airflow.{prefix}{metric.name}")[0]


SENT = (
    {exported(metric, of_platform("yellowlive")): metric for metric in metrics.OF_PLATFORMS}
    | {exported(metric, of_stream("yellowlive", "Store1")): metric for metric in metrics.OF_STREAMS}
    | {exported(metric, of_check("yellowlive", "Store1", "customers", "set")): metric for metric in metrics.CHECKS}
)


def used(expression: str) -> set[str]:
    return set(re.findall(r"stream_factory_\w+", expression))


def test_names_become_metrics_with_labels() -> None:
    late = metrics.LATE.name
    assert mapped(f"airflow.{of_stream('yellowlive', 'Shop.eu#orders')}{late}") == (
        "stream_factory_stream_late_seconds",
        {"platform": "yellowlive", "stream": "Shop_eu_orders"},
    )
    assert mapped(f"airflow.{of_check('yellowlive', 'Store1', 'customers', 'email.is set')}violations") == (
        "stream_factory_check_violations",
        {"platform": "yellowlive", "stream": "Store1", "dataset": "customers", "check": "email_is_set"},
    )
    assert mapped(f"airflow.{of_platform('yellowlive', '1_of_4')}dags") == (
        "stream_factory_dags",
        {"platform": "yellowlive", "shard": "1_of_4"},
    )
    assert mapped(f"airflow.{of_platform('yellowlive')}dags")[1] == {"platform": "yellowlive", "shard": "whole"}


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(rule["expr"] for rule in RULES)])
def test_an_expression_asks_for_metrics_that_the_code_sends_as_what_they_are(expression: str) -> None:
    assert used(expression)
    assert used(expression) <= SENT.keys()
    for name in used(expression):
        asked = f"{name}{{" if f"{name}{{" in expression else name
        counted = re.search(rf"(rate|increase)\({re.escape(asked)}", expression) is not None
        assert counted == (SENT[name].kind is MetricKind.COUNTER)
        assert (SENT[name].kind is MetricKind.TIMING) == (f"{name}{{" in expression and "quantile=" in expression)


def test_the_reference_has_each_metric_under_its_name_in_prometheus() -> None:
    page = (FOLDER.parent / "docs" / "reference" / "metrics.md").read_text("utf-8")
    assert {name for name in SENT if f"| `{name}` |" not in page} == set()


def test_the_dashboard_shows_each_metric_that_the_code_sends() -> None:
    assert set().union(*map(used, EXPRESSIONS)) == SENT.keys()


def test_the_dashboard_s_panels_lie_side_by_side_and_say_what_they_show() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert all(panel["title"] and panel["description"] for panel in DASHBOARD["panels"])
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_each_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_without_labels_there_is_neither(helm: Helm) -> None:
    kinds = {(found["kind"], found["metadata"]["name"]) for found in helm.objects(minimal())}
    assert not [kind for kind, name in kinds if kind == "PrometheusRule" or name.endswith("dashboard")]


def test_with_labels_the_sidecar_and_the_operator_find_them_as_they_are(helm: Helm) -> None:
    labels = {"dashboardLabels": {"grafana_dashboard": "1"}, "alertLabels": {"release": "prometheus"}}
    objects: list[Any] = helm.objects(minimal() | {"monitoring": labels})
    dashboard = one(objects, "ConfigMap", "stream-factory-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    kubernetes_validate.validate(dashboard, "1.34", strict=True)
    assert json.loads(dashboard["data"]["stream-factory.json"]) == DASHBOARD
    rule = one(objects, "PrometheusRule", "stream-factory-alerts")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert rule["spec"] == ALERTS
