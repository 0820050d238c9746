"""The values: a closed schema, the same in the table of README.md, and a word that names what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from tests.helm.chart import FOLDER, Helm, Refused
from tests.helm.platforms import Values, chart_platforms, minimal, mvp

SCHEMA = json.loads((FOLDER / "values.schema.json").read_text("utf-8"))
DEFAULTS = yaml.safe_load((FOLDER / "values.yaml").read_text("utf-8"))
README = (FOLDER / "README.md").read_text("utf-8")


def leaves(schema: Values, path: str = "") -> Iterator[tuple[str, Values]]:
    """Each value with its schema; a platform's keys are values, requests and limits together are one."""
    for key, found in schema["properties"].items():
        below = f"{path}.{key}" if path else key
        if below == "platforms":
            yield from leaves(next(iter(found["patternProperties"].values())), "platforms.<name>")
        elif "properties" in found:
            yield from leaves(found, below)
        elif below != "global":
            yield below, found


def default(path: str) -> Any:
    found: Any = DEFAULTS
    for key in path.split("."):
        found = found[key]
    return found


def set_at(path: str, value: object) -> Values:
    values: Values = {}
    here = values
    *folders, last = path.split(".")
    for key in folders:
        here = here.setdefault(key, {})
    here[last] = value
    return values


def test_the_schema_is_one_and_there_are_not_too_many_values() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert 20 <= len(list(leaves(SCHEMA))) <= 52


def test_each_object_of_the_schema_is_closed_and_each_key_described() -> None:
    def walk(found: Any, where: str) -> Iterator[str]:
        if isinstance(found, dict):
            if "properties" in found and found.get("additionalProperties") is not False:
                yield f"{where} is open"
            for key, value in found.get("properties", {}).items():
                if not value.get("description"):
                    yield f"{where}.{key} has no description"
            for key, value in found.items():
                yield from walk(value, f"{where}.{key}")

    assert list(walk(SCHEMA, "values")) == []


def test_defaults_are_written_down_for_each_value_and_conform() -> None:
    jsonschema.validate(DEFAULTS, SCHEMA)
    for path, _ in leaves(SCHEMA):
        if not path.startswith("platforms."):
            default(path)


def test_the_readme_s_table_is_the_schema_s() -> None:
    table = README.partition("| value | default | what it is |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ", 2) for line in table.splitlines()[2:]]
    assert [(f"`{path}`", _shown(path), found["description"]) for path, found in leaves(SCHEMA)] == [
        tuple(row) for row in rows
    ]


def _shown(path: str) -> str:
    if path.startswith("platforms."):
        return "`false`" if path.endswith(".bundle") else "required"
    value = default(path)
    return "requests and limits" if "resources" in path else f"`{json.dumps(value)}`"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("airflow.enabeld", True),
        ("airflow.enabled", "yes"),
        ("airflow.image", "no image"),
        ("airflow.namespace", "Not_A_Namespace"),
        ("airflow.serviceAccounts", [{"nam": "worker"}]),
        ("airflow.environment", {"lower case": "x"}),
        ("airflow.resources.scheduler.limits", {"memory": None}),
        ("airflow.resources.scheduler.requests.memory", "much"),
        ("createNamespaces", "true"),
        ("dsnSecret", "A Secret"),
        ("imagePullPolicy", "Sometimes"),
        ("imagePullSecrets", "registry"),
        ("networkPolicies.databaseCidrs", ["10.0.0.0"]),
        ("monitoring.dashboardLabels", {"grafana_dashboard": 1}),
        ("monitoring.alertLabels", ["release"]),
        ("networkPolicies.gitCidrs", []),
        ("postgres.size", "large"),
        ("secrets.postgres", {"username": "merge", "pasword": "x"}),
        ("secrets.git", {"token": "x", "password": "y"}),
        ("secrets.git", {}),
        ("simulator.port", 70000),
        ("simulator.replicas", 2),
        ("snapshot.accessMode", "ReadOnlyMany"),
        ("sync.schedule", "every minute"),
        ("secrets.Postgres", {"token": "x"}),
        ("unknown", 1),
    ],
)
def test_a_bad_value_is_refused_by_its_name(helm: Helm, path: str, value: object) -> None:
    with pytest.raises(Refused) as refused:
        helm.template(minimal() | set_at(path, value))
    named = re.findall(r"[A-Za-z]+", str(refused.value))
    assert set(path.split(".")) <= set(named)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": "no json"}, r"platforms\.yellowlive\.settings: it is not JSON"),
        ({"settings": "{}"}, r"platforms\.yellowlive\.settings: it lacks original_platform_name"),
        ({"factoryFiles": {}}, "factoryFiles"),
        ({"factoryFiles": {"other.py": "x"}}, r"yellowlive.factoryFiles.*other\.py"),
        ({"name": "YellowLive"}, r"platforms.yellowlive.* '?name'? "),
    ],
)
def test_a_platform_that_is_wrong_is_reported_by_its_name(helm: Helm, change: Values, words: str) -> None:
    values = minimal()
    values["platforms"]["yellowlive"] |= change
    with pytest.raises(Refused, match=re.compile(words, re.DOTALL)):
        helm.template(values)


def changed(values: Values, **changes: Any) -> Values:
    return values | changes


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            changed(minimal(), platforms={"other": chart_platforms()["yellowlive"]}),
            "platforms.other.settings: it is the file of yellowlive. Give it under platforms.yellowlive",
        ),
        (
            changed(minimal(), secrets={"other": {"token": "x"}}),
            "secrets.other: no platform's settings name it. Choose",
        ),
        (changed(minimal(), secrets={"postgres": {"username": "x"}}), "secrets.postgres.password: it is missing"),
        (changed(minimal(), dsnSecret=""), "dsnSecret: it is empty, and secrets.postgres does not say"),
        (changed(minimal(), simulator={"enabled": True}), "simulator.host: it is empty"),
        ({"simulator": {"enabled": True}}, "simulator.enabled: there is no platform"),
        (
            changed(mvp(), postgres={"enabled": False}, simulator={}, secrets={}, dsnSecret="dsn"),
            "internalSecret: it is",
        ),
        (changed(mvp(), airflow={"enabled": True, "namespace": "other"}), "airflow.namespace: leave it empty"),
    ],
    ids=lambda given: given if isinstance(given, str) else "values",
)
def test_values_that_do_not_go_together_are_refused_with_what_to_do(helm: Helm, values: Values, words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        helm.template(values)


def test_a_merge_store_in_the_chart_s_postgres_must_be_found_from_the_platform_s_namespace(helm: Helm) -> None:
    values = mvp()
    for platform in values["platforms"].values():
        platform["settings"] = platform["settings"].replace(
            "stream-factory-postgres.airflow", "stream-factory-postgres"
        )
    with pytest.raises(Refused, match=r"Write stream-factory-postgres\.airflow into the model"):
        helm.template(values)


def test_a_database_has_one_owner(helm: Helm) -> None:
    values = mvp()
    live = values["platforms"]["yellowlive"]
    live["settings"] = live["settings"].replace('"postgres"', '"other"')
    values["dsnSecret"] = "dsn"
    with pytest.raises(Refused, match="datasurface_merge has the secret postgres of another platform"):
        helm.template(values)


def test_notes_say_what_to_create_by_hand_and_how_to_get_in(helm: Helm) -> None:
    try:
        by_hand = helm.notes(minimal())
    except Refused as error:
        if "cluster unreachable" in str(error):
            pytest.skip("helm 3 shows notes with a cluster only")
        raise
    for secret in ("postgres", "customer-db"):
        assert f"kubectl -n ns-yellow-live create secret generic {secret} --from-env-file={secret}.env" in by_hand
    assert "create secret generic git --from-env-file=git.env" in by_hand
    standing = helm.notes(mvp())
    assert "create secret" not in standing
    assert "port-forward service/stream-factory-api-server 8080" in standing
    assert "scale deployment/stream-factory-simulator --replicas=0" in standing
