"""Which settings Airflow gets: by the chart that installs one of its own, and by the values for the official chart."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import threading
from contextlib import closing
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg2.extensions import parse_dsn

from config_schema import admitted, names
from tests.helm.chart import FOLDER, Helm, by_kind, one, place, pods
from tests.helm.platforms import chart_platforms, everything, example
from tests.loopback_server import LoopbackServer

OFFICIAL: dict[str, Any] = yaml.safe_load((FOLDER / "official-airflow-values.yaml").read_text("utf-8"))
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


@cache
def airflow_options() -> set[str]:
    """The environment variables of Airflow's own options."""
    package = importlib.util.find_spec("airflow")
    assert package is not None
    assert package.submodule_search_locations is not None
    described = Path(package.submodule_search_locations[0], "config_templates", "config.yml")
    sections = yaml.safe_load(described.read_text("utf-8"))
    return {
        f"AIRFLOW__{section.upper()}__{option.upper()}" for section, of in sections.items() for option in of["options"]
    }


def variables(objects: list[Any]) -> set[str]:
    found = (variable["name"] for pod in pods(objects) for one in pod.containers for variable in one.get("env", []))
    return {name for name in found if name.startswith("AIRFLOW__")}


def test_each_option_is_one_that_airflow_has(rendered: Any) -> None:
    given = variables(rendered("everything")) | {one["name"] for one in OFFICIAL["env"] if "__" in one["name"]}
    assert len(given) > 10
    assert given <= airflow_options()


def test_the_mvp_has_every_component_and_a_migration(rendered: Any) -> None:
    objects = rendered("mvp")
    for component in COMPONENTS:
        one(objects, "Deployment", f"stream-factory-{component}")
    assert {name for kind, _, name in map(place, objects) if kind == "Job"} == {
        "stream-factory-migrate-1",
        "stream-factory-logins-yellowlive-1",
        "stream-factory-logins-yellowforensic-1",
    }


def test_pods_are_asked_for_in_the_cluster_that_airflow_runs_in(rendered: Any) -> None:
    objects = rendered("mvp")
    for component in ("scheduler", "triggerer"):
        [container] = one(objects, "Deployment", f"stream-factory-{component}")["spec"]["template"]["spec"][
            "containers"
        ]
        [found] = [v["value"] for v in container["env"] if v["name"] == "AIRFLOW_CONN_KUBERNETES_DEFAULT"]
        assert json.loads(found) == {"conn_type": "kubernetes", "extra": {"in_cluster": True}}


def test_the_scheduler_starts_once_the_api_server_answers(rendered: Any) -> None:
    deployment = one(rendered("mvp"), "Deployment", "stream-factory-scheduler")
    _, waiting = deployment["spec"]["template"]["spec"]["initContainers"]
    variables = {one["name"]: one.get("value") for one in waiting["env"]}
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://stream-factory-api-server:8080/execution/"
    with closing(socket.create_server(("127.0.0.1", 0))) as reserved:
        port = reserved.getsockname()[1]
    own = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/"}
    command = [sys.executable, *waiting["command"][1:]]
    with subprocess.Popen(command, env=own, stdout=subprocess.PIPE, text=True) as child:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(2)
        asked: list[str] = []

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()

        server = LoopbackServer(("127.0.0.1", port), Answer)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        assert child.wait(20) == 0
        server.shutdown()
        server.server_close()
    assert asked == ["/api/v2/version"]


def test_more_environment_wins_over_the_chart_s_own(rendered: Any) -> None:
    for pod in pods(rendered("everything")):
        for container in pod.spec["containers"]:
            given = [one for one in container["env"] if one["name"] == "AIRFLOW__CORE__PARALLELISM"]
            assert [one["value"] for one in given] in ([], ["16"])


def test_a_dsn_is_read_back_with_the_password_that_was_given(helm: Helm) -> None:
    objects = helm.objects(everything() | {"componentLogins": "never"})
    secret = one(objects, "Secret", "stream-factory-dsn")["stringData"]
    login = one(objects, "Secret", "postgres")["stringData"]
    assert secret.keys() == {names.dsn_variable("yellowlive"), names.dsn_variable("yellowforensic")}
    assert not login["password"].isalnum()
    read = parse_dsn(secret[names.dsn_variable("yellowlive")])
    assert (read["user"], read["password"]) == (login["username"], login["password"])


def test_the_sync_has_its_secrets_under_the_names_that_it_looks_for(rendered: Any) -> None:
    for job in by_kind(rendered("minimal"), "CronJob"):
        [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        by_secret = {
            variable["valueFrom"]["secretKeyRef"]["name"] + " " + variable["valueFrom"]["secretKeyRef"]["key"]: variable
            for variable in container["env"]
            if "valueFrom" in variable
        }
        assert {key: variable["name"] for key, variable in by_secret.items()} == {
            "postgres username": names.secret_variable("postgres", "username"),
            "postgres password": names.secret_variable("postgres", "password"),
            "git token": names.secret_variable("git", "token"),
        }
        may_lack = {key for key, one in by_secret.items() if one["valueFrom"]["secretKeyRef"].get("optional")}
        assert may_lack == {"git token"}  # as merge pods, for a repository that anybody may read


def test_the_sync_with_the_merge_store_s_login_knows_which_merge_store_gets_it(rendered: Any) -> None:
    admitted_to: dict[str, str] = {}
    for job in by_kind(rendered("minimal"), "CronJob"):
        [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        [given] = [one["value"] for one in container["env"] if one["name"] == admitted.VARIABLE]
        admitted_to[json.loads(given)["platform"]] = json.loads(given)[admitted.MERGE_STORE]
    stores = {one.name: one.merge_store for one in example().ecosystem.platforms}
    assert admitted_to == {
        name: admitted.database_words(store.host, store.port, store.database, store.credential)
        for name, store in stores.items()
    }


def test_notifiers_have_their_connection_and_its_token_only_from_the_secret(rendered: Any) -> None:
    for component in ("scheduler", "triggerer"):
        deployment = one(rendered("everything"), "Deployment", f"stream-factory-{component}")
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        given = {variable["name"]: variable for variable in container["env"]}
        reference = given["SLACK_TOKEN"]["valueFrom"]["secretKeyRef"]
        assert reference == {"name": "slack", "key": "token", "optional": True}
        connection = json.loads(given["AIRFLOW_CONN_SLACK_DEFAULT"]["value"])
        assert connection == {"conn_type": "slackwebhook", "password": "$(SLACK_TOKEN)"}
        order = [variable["name"] for variable in container["env"]]
        assert order.index("SLACK_TOKEN") < order.index("AIRFLOW_CONN_SLACK_DEFAULT")
    assert "AIRFLOW_CONN_SLACK_DEFAULT" not in json.dumps(rendered("mvp"))


@pytest.mark.parametrize("name", ["mvp", "minimal"])
def test_the_config_map_holds_the_files_to_the_letter(rendered: Any, name: str) -> None:
    data = one(rendered(name), "ConfigMap", "stream-factory-platforms")["data"]
    factory_files = {file: text for each in chart_platforms().values() for file, text in each["factoryFiles"].items()}
    assert {file: text for file, text in data.items() if file.endswith(".py")} == factory_files
    settings = {file for file in data if file.endswith(".json")}
    assert settings == {names.settings_file("yellowlive"), names.settings_file("yellowforensic")}
    if name == "minimal":
        assert {file: data[file] for file in settings} == {
            names.settings_file(platform): each["settings"] for platform, each in chart_platforms().items()
        }


def test_the_snapshot_s_volume_keeps_the_files_owner_only(rendered: Any) -> None:
    dag_processor = one(rendered("mvp"), "Deployment", "stream-factory-dag-processor")["spec"]["template"]["spec"]
    for context in (dag_processor["securityContext"], OFFICIAL["dagProcessor"]["securityContexts"]["pod"]):
        assert context["fsGroupChangePolicy"] == "OnRootMismatch"
        assert context["runAsUser"] == 50000


def test_the_official_chart_s_values_name_what_this_chart_makes(rendered: Any) -> None:
    made = set(map(place, rendered("official_airflow")))
    [platforms] = OFFICIAL["volumes"]
    [snapshot] = OFFICIAL["dagProcessor"]["extraVolumes"]
    [dsn] = yaml.safe_load(OFFICIAL["extraEnvFrom"])
    assert ("ConfigMap", "airflow", platforms["configMap"]["name"]) in made
    assert ("PersistentVolumeClaim", "airflow", snapshot["persistentVolumeClaim"]["claimName"]) in made
    assert ("Secret", "airflow", dsn["secretRef"]["name"]) in made


def test_the_official_chart_s_values_agree_with_themselves() -> None:
    environment = {one["name"]: one["value"] for one in OFFICIAL["env"]}
    [mount] = OFFICIAL["volumeMounts"]
    assert environment["DAGFACTORY_SETTINGS_DIR"] == mount["mountPath"]
    bundles = json.loads(environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert bundles[1]["kwargs"] == {"path": mount["mountPath"]}
    assert {bundle["classpath"] for bundle in bundles} == {"airflow.dag_processing.bundles.local.LocalDagBundle"}
    [snapshot] = OFFICIAL["dagProcessor"]["extraVolumeMounts"]
    assert OFFICIAL["dagProcessor"]["env"] == [{"name": "DAGFACTORY_SNAPSHOT_DIR", "value": snapshot["mountPath"]}]
    assert OFFICIAL["allowPodLaunching"] is False
