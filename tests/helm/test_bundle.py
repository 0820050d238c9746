"""Platforms in the bundle of the chart's own Airflow: what is set for it, and what is left of factory files."""

from __future__ import annotations

from airflow_plugin.factory.bundle_config import INTERVALS, configured, of_platform
from tests.helm.chart import by_kind
from tests.helm.platforms import minimal, mvp

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
PREFIX = "AIRFLOW__DAG_PROCESSOR__"


def test_every_component_has_the_bundle_and_only_platforms_that_are_in_it(helm):
    values = mvp()
    values["platforms"]["yellowlive"]["bundle"] = True
    objects = helm.objects(values)
    for component in COMPONENTS:
        environment = variables(objects, f"stream-factory-{component}")
        bundles = configured(environment[f"{PREFIX}DAG_BUNDLE_CONFIG_LIST"])
        assert [bundle["name"] for bundle in bundles] == ["dags-folder", "streams"]
        assert of_platform(bundles, "YellowLive")
        assert not of_platform(bundles, "YellowForensic")
        for key, value in INTERVALS.items():
            assert environment[PREFIX + key.upper()] == str(value)


def test_its_factory_files_are_for_tasks_that_were_queued_before(helm):
    values = mvp()
    values["platforms"]["yellowlive"]["bundle"] = True
    data = config_map(helm.objects(values))
    assert 'publish_file(globals(), platform="YellowLive")' in data["yellowlive_factory.py"]
    compile(data["yellowlive_factory.py"], "file", "exec")
    assert 'publish(globals(), platform="YellowForensic")' in data["yellowforensic_factory.py"]


def test_without_it_or_for_another_airflow_all_is_as_before(helm):
    assert not [name for name in variables(helm.objects(mvp()), "stream-factory-dag-processor") if PREFIX in name]
    values = minimal()
    before = config_map(helm.objects(values))
    values["platforms"]["yellowlive"]["bundle"] = True
    assert config_map(helm.objects(values)) == before


def test_an_interval_of_the_user_s_own_wins(helm):
    values = mvp()
    values["platforms"]["yellowlive"]["bundle"] = True
    values["airflow"].setdefault("environment", {})[f"{PREFIX}MIN_FILE_PROCESS_INTERVAL"] = "600"
    environment = variables(helm.objects(values), "stream-factory-dag-processor")
    assert environment[f"{PREFIX}MIN_FILE_PROCESS_INTERVAL"] == "600"


def variables(objects, deployment):
    [found] = [one for one in by_kind(objects, "Deployment") if one["metadata"]["name"] == deployment]
    [container] = found["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value") for one in container["env"]}


def config_map(objects):
    [found] = [one for one in by_kind(objects, "ConfigMap") if one["metadata"]["name"] == "stream-factory-platforms"]
    return found["data"]
