"""A login for each component: Secrets made or given, the installation that stands, and names as Python has them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg2.extensions import parse_dsn

from airflow_plugin.bootstrap.logins.files import variable
from config_schema import names
from config_schema.sql.component_logins import Duty
from tests.helm.chart import Helm, Object, Refused, by_kind, one, place, pods
from tests.helm.platforms import Values, chart_platforms, mvp, with_consumers_apart
from tests.helm.test_network import MVP, outside, talks
from tests.helm.test_upgrade import CERTIFICATE, INTERNAL, rendered_with, secret_values, stored

PLATFORMS = ("yellowlive", "yellowforensic")
SYNC = "CronJob stream-factory-sync-yellowlive"
COMPONENTS = ("dag-processor", "scheduler", "api-server", "triggerer")
BY_COMPONENT = {"dag-processor": "reader", "scheduler": "worker", "api-server": "pages", "triggerer": None}
GIVEN = {"reader": "own-reader", "worker": "own-worker", "pages": "own-pages", "sync": "own-sync"}


def secrets_of(objects: list[Object]) -> dict[str, str | None]:
    """By component of Airflow: the Secret with its DSNs."""
    found: dict[str, str | None] = {}
    for component in COMPONENTS:
        deployment = one(objects, "Deployment", f"stream-factory-{component}")
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        sources = [source["secretRef"]["name"] for source in container.get("envFrom", [])]
        found[component] = next(iter(sources), None)
        assert len(sources) <= 1
    return found


def sync_variables(objects: list[Object]) -> dict[str, str]:
    """The Secrets of a sync's variables."""
    [pod] = [pod for pod in pods(objects) if pod.owner == SYNC]
    variables = [one for one in pod.spec["containers"][0]["env"] if "valueFrom" in one]
    return {variable["name"]: variable["valueFrom"]["secretKeyRef"]["name"] for variable in variables}


def external() -> Values:
    """The chart's Airflow, with metadata and merge stores elsewhere and everything secret made by hand."""
    return {
        "platforms": chart_platforms(),
        "airflow": {"enabled": True},
        "internalSecret": "internal",
    }


def test_each_component_has_a_secret_of_its_own_with_its_own_login(rendered: Any) -> None:
    objects = rendered("mvp")
    assert secrets_of(objects) == {
        component: duty and f"stream-factory-dsn-{duty}" for component, duty in BY_COMPONENT.items()
    }
    for duty in (Duty.READER, Duty.WORKER, Duty.PAGES):
        secret = one(objects, "Secret", f"stream-factory-dsn-{duty.value}")["stringData"]
        users = {key: parse_dsn(dsn)["user"] for key, dsn in secret.items()}
        assert users == {
            variable(platform, duty): names.component_login("datasurface_merge", platform, duty.value)
            for platform in PLATFORMS
        }


def test_sync_has_its_platform_s_login_only_and_jobs_keep_the_owner_s(rendered: Any) -> None:
    objects = rendered("mvp")
    assert sync_variables(objects) == {
        "DAGFACTORY_YELLOWLIVE_DSN": "stream-factory-sync-yellowlive",
        "GIT_TOKEN": "git",
    }
    secret = one(objects, "Secret", "stream-factory-sync-yellowlive", "ns-yellow-live")["stringData"]
    assert secret.keys() == {"DAGFACTORY_YELLOWLIVE_DSN"}
    assert one(objects, "Secret", "postgres", "ns-yellow-live")["stringData"]["username"] == "merge"


def test_no_secret_in_airflow_s_namespace_that_a_component_has_holds_the_owner_s_password(rendered: Any) -> None:
    owner = one(rendered("mvp"), "Secret", "postgres", "airflow")["stringData"]["password"]
    holding = {place(secret) for secret in by_kind(rendered("mvp"), "Secret") if owner in json.dumps(secret)}
    assert holding == {("Secret", ns, "postgres") for ns in ("airflow", "ns-yellow-live", "ns-yellow-forensic")}


def test_passwords_of_logins_all_differ_and_are_those_that_the_job_sets(rendered: Any) -> None:
    passwords = one(rendered("mvp"), "Secret", "stream-factory-logins")["stringData"]
    assert passwords.keys() == {names.login_password_variable(p, duty.value) for p in PLATFORMS for duty in Duty}
    assert len(set(passwords.values())) == len(passwords) == 8
    for platform in PLATFORMS:
        for duty in (Duty.READER, Duty.WORKER, Duty.PAGES):
            dsn = one(rendered("mvp"), "Secret", f"stream-factory-dsn-{duty.value}")["stringData"]
            wanted = passwords[names.login_password_variable(platform, duty.value)]
            assert parse_dsn(dsn[variable(platform, duty)])["password"] == wanted


@pytest.mark.parametrize("database", ["d" * 46, "d" * 47, "d" * 60, "ü" * 22, "x" + "ü" * 29])
def test_a_role_of_a_long_name_is_named_as_the_job_names_it(helm: Helm, database: str) -> None:
    values = mvp()
    for platform in values["platforms"].values():
        platform["settings"] = json.dumps(json.loads(platform["settings"]) | {"postgres_database": database})
    objects = helm.objects(values)
    for duty in (Duty.READER, Duty.PAGES):
        secret = one(objects, "Secret", f"stream-factory-dsn-{duty.value}")["stringData"]
        user = parse_dsn(secret[variable("yellowlive", duty)])["user"]
        assert user == names.component_login(database, "yellowlive", duty.value)


def test_an_upgrade_keeps_the_passwords_of_logins(helm: Helm) -> None:
    installed = rendered_with(helm, {})
    upgraded = rendered_with(helm, kept(installed))
    logins = ("Secret", "airflow", "stream-factory-logins")
    assert secret_values(upgraded)[logins] == secret_values(installed)[logins]


def kept(objects: list[Object]) -> dict[str, Object]:
    return {name: stored(one(objects, "Secret", name)) for name in (INTERNAL, CERTIFICATE)}


def test_an_installation_that_stood_before_keeps_the_owner_s_login_until_it_is_asked(helm: Helm) -> None:
    before = rendered_with(helm, {}, componentLogins="never")
    upgraded = rendered_with(helm, kept(before))
    assert upgraded == before
    assert secrets_of(upgraded) == {
        "dag-processor": "stream-factory-dsn",
        "scheduler": "stream-factory-dsn",
        "api-server": None,
        "triggerer": None,
    }
    assert sync_variables(upgraded).keys() == {"POSTGRES_USERNAME", "POSTGRES_PASSWORD", "GIT_TOKEN"}
    assert not [name for _, _, name in map(place, upgraded) if "logins" in name]
    asked = rendered_with(helm, kept(before), componentLogins="always")
    assert secrets_of(asked)["dag-processor"] == "stream-factory-dsn-reader"
    assert secrets_of(rendered_with(helm, kept(asked)))["dag-processor"] == "stream-factory-dsn-reader"


def test_one_secret_for_all_keeps_its_meaning(helm: Helm) -> None:
    objects = helm.objects(mvp() | {"dsnSecret": "own"})
    assert secrets_of(objects) == {"dag-processor": "own", "scheduler": "own", "api-server": None, "triggerer": None}
    assert sync_variables(objects).keys() == {"POSTGRES_USERNAME", "POSTGRES_PASSWORD", "GIT_TOKEN"}
    assert not [name for _, _, name in map(place, objects) if "logins" in name or "-dsn" in name]


def test_secrets_that_are_given_go_to_their_components(helm: Helm) -> None:
    objects = helm.objects(external() | {"dsnSecrets": GIVEN})
    assert secrets_of(objects) == {component: duty and f"own-{duty}" for component, duty in BY_COMPONENT.items()}
    assert sync_variables(objects) == {"DAGFACTORY_YELLOWLIVE_DSN": "own-sync", "GIT_TOKEN": "git"}
    assert by_kind(objects, "Secret") == []


def test_a_secret_for_one_component_leaves_the_others_as_they_were(helm: Helm) -> None:
    objects = helm.objects(external() | {"dsnSecret": "all", "dsnSecrets": {"reader": "own-reader"}})
    assert secrets_of(objects) == {
        "dag-processor": "own-reader",
        "scheduler": "all",
        "api-server": None,
        "triggerer": None,
    }
    assert sync_variables(objects).keys() == {"POSTGRES_USERNAME", "POSTGRES_PASSWORD", "GIT_TOKEN"}
    own = helm.objects(mvp() | {"dsnSecrets": {"reader": "own-reader"}})
    assert secrets_of(own)["dag-processor"] == "own-reader"
    assert secrets_of(own)["scheduler"] == "stream-factory-dsn-worker"


def test_another_chart_s_airflow_finds_the_workers_logins_by_the_name_in_its_values(helm: Helm) -> None:
    objects = helm.objects(mvp() | {"airflow": {"serviceAccounts": [{"name": "airflow-worker"}]}})
    secret = one(objects, "Secret", "stream-factory-dsn")["stringData"]
    assert parse_dsn(secret["DAGFACTORY_YELLOWLIVE_DSN"])["user"] == "datasurface_merge_yellowlive_worker"
    assert {"stream-factory-dsn-reader", "stream-factory-dsn-pages"} <= {name for _, _, name in map(place, objects)}


def test_the_api_server_reaches_merge_stores_where_its_pages_have_a_login(helm: Helm) -> None:
    values = external() | {"dsnSecret": "all"}
    for platform in values["platforms"].values():
        platform["settings"] = platform["settings"].replace('"postgres_port": 5432', '"postgres_port": 5439')
    reached = {port for _, port in outside(helm.objects(values))["api-server"]}
    assert reached == {5432}
    reached = {port for _, port in outside(helm.objects(values | {"dsnSecrets": {"pages": "own"}}))["api-server"]}
    assert reached == {5432, 5439}


def test_without_logins_no_pod_is_let_in_for_them(helm: Helm) -> None:
    assert talks(helm.objects(mvp() | {"componentLogins": "never"})) == MVP - {("logins", "postgres", 5432)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"componentLogins": "sometimes"}, "componentLogins"),
        ({"dsnSecrets": {"reeder": "x"}}, "reeder"),
        ({"dsnSecrets": {"reader": "Not A Name"}}, "dsnSecrets.reader"),
    ],
)
def test_a_value_for_logins_that_is_wrong_is_refused_by_its_name(helm: Helm, change: Values, words: str) -> None:
    with pytest.raises(Refused) as refused:
        helm.template(mvp() | change)
    assert words in str(refused.value).replace("/", ".")


def test_notes_say_who_has_the_owner_s_login_and_what_to_run(helm: Helm) -> None:
    try:
        notes = helm.notes(external() | {"dsnSecrets": {"worker": "w", "reader": "r"}})
    except Refused as error:
        if "cluster unreachable" in str(error):
            pytest.skip("helm 3 shows notes with a cluster only")
        raise
    assert "YellowLive: the login of the merge store's owner is used by: sync." in notes
    assert "dagfactory bootstrap --roles" in notes
    standing = helm.notes(mvp() | {"componentLogins": "never"})
    assert "the merge store's owner is used by: dag-processor, scheduler, sync." in standing
    assert "componentLogins=always" in standing
    assert "merge store's owner is used" not in helm.notes(mvp())


@pytest.mark.parametrize(("mode", "may"), [("new", True), ("never", False)])
def test_an_owner_that_keeps_no_consumers_roles_may_make_roles_where_logins_are_made(
    helm: Helm, mode: str, may: bool
) -> None:
    values = mvp() | {"componentLogins": mode}
    del values["platforms"]["yellowforensic"]
    with_consumers_apart(values["platforms"]["yellowlive"])
    values["secrets"] |= {"consumer": {"username": "keeper"}, "reader": {"username": "reader"}}
    objects = helm.objects(values)
    script = one(objects, "ConfigMap", "stream-factory-postgres")["data"]["init.sql"]
    [pod] = [pod for pod in pods(objects) if pod.owner == "StatefulSet stream-factory-postgres"]
    variables = {v["name"]: v["valueFrom"]["secretKeyRef"]["name"] for v in pod.spec["containers"][0]["env"][1:]}
    [owner] = [name for name, secret in variables.items() if secret == "postgres" and name.endswith("USERNAME")]
    assert (f'ALTER ROLE :"{owner.removesuffix("_USERNAME").lower()}" CREATEROLE;' in script) is may
