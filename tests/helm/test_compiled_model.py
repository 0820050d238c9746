"""A model that is code: the sync's pod compiles it in a container without secrets, and runs none of it beside them."""

from __future__ import annotations

import json

import pytest

from config_schema.connect_wait import VARIABLE
from config_schema.names import ENVIRONMENT_VARIABLE
from tests.helm.chart import Helm, Pod, pods
from tests.helm.platforms import Values, mvp


def sync_pod(helm: Helm, *, code: bool, **settings: object) -> Pod:
    values: Values = mvp()
    platform = values["platforms"]["yellowlive"]
    if code:
        settings["model_is_code"] = True
    platform["settings"] = json.dumps(json.loads(platform["settings"]) | settings)
    [pod] = [pod for pod in pods(helm.objects(values)) if pod.owner == "CronJob stream-factory-sync-yellowlive"]
    return pod


def test_the_container_that_runs_the_model_s_code_has_no_secret_and_only_reads_the_model(helm: Helm) -> None:
    pod = sync_pod(helm, code=True)
    fetch, compile_ = pod.spec["initContainers"]
    secrets = [[one["name"] for one in of["env"] if "valueFrom" in one] for of in (fetch, compile_)]
    assert secrets == [["GIT_TOKEN"], []]
    assert "envFrom" not in compile_
    assert fetch["args"][:2] == ["model", "fetch"]
    assert compile_["args"] == ["model", "compile", "/model/checkout", "--out=/compiled/model.json"]
    assert "--out=/model/checkout" in fetch["args"]
    assert {mount["name"]: mount.get("readOnly", False) for mount in compile_["volumeMounts"]} == {
        "compile-tmp": False,
        "model": True,
        "compiled": False,
    }
    others = [mount["name"] for of in (fetch, *pod.spec["containers"]) for mount in of["volumeMounts"]]
    assert "compile-tmp" not in others
    assert pod.spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("code", [True, False])
def test_the_sync_itself_runs_no_code_of_a_model(helm: Helm, code: bool) -> None:
    pod = sync_pod(helm, code=code)
    [sync] = pod.spec["containers"]
    [variable] = [one for one in sync["env"] if one["name"] == "DAGFACTORY_COMPILED_MODEL"]
    assert variable["value"] == "/compiled/model.json"
    mounted = [mount for mount in sync["volumeMounts"] if mount["mountPath"] == "/compiled"]
    assert [mount["readOnly"] for mount in mounted] == ([True] if code else [])
    assert ("initContainers" in pod.spec) is code


@pytest.mark.parametrize(
    ("settings", "seconds"), [({}, None), ({"connect_wait": 0}, "0"), ({"connect_wait": 40}, "40")]
)
def test_what_connects_waits_for_servers_as_long_as_the_settings_say(helm: Helm, settings, seconds) -> None:
    pod = sync_pod(helm, code=True, **settings)
    fetch, compile_ = pod.spec["initContainers"]
    [sync] = pod.spec["containers"]
    given = [{one["name"]: one.get("value") for one in of["env"]}.get(VARIABLE) for of in (fetch, sync, compile_)]
    assert given == [seconds, seconds, None]


@pytest.mark.parametrize("chosen", [{}, {"environment": "staging"}], ids=["none", "staging"])
def test_what_reads_the_model_reads_it_in_the_environment_of_the_settings(helm: Helm, chosen: dict[str, str]) -> None:
    pod = sync_pod(helm, code=True, **chosen)
    fetch, compile_ = pod.spec["initContainers"]
    [sync] = pod.spec["containers"]
    given = [{one["name"]: one.get("value") for one in of["env"]}.get(ENVIRONMENT_VARIABLE) for of in (sync, compile_)]
    assert given == [chosen.get("environment")] * 2
    assert ENVIRONMENT_VARIABLE not in [one["name"] for one in fetch["env"]]
