"""What settings admit of a row: what the platform has itself, what `allowed` adds, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_plugin.rows.plan import dag_plan
from airflow_plugin.rows.policy import refusals, source_hosts
from airflow_plugin.settings import Allowed, PlatformSettings
from config_schema import stream
from config_schema.model import Database, SourceKind
from config_schema.schemas import json_schema
from merge_jobs.run.source_policy import SourceNotAdmitted, admits_private, admitted_source, check_source_host
from tests.row_settings import settings_of_row

EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]
ROW = {**EXAMPLE, "schedule": "@hourly"}
SETTINGS = settings_of_row(EXAMPLE)
FILE = "yellowlive.settings.json"
# Another value of each key that names a place or a power, and the setting that would admit it.
OTHERS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "namespace_name": ({"namespace_name": "kube-system"}, "namespace_name", {"namespace_name": ("kube-system",)}),
    "datasurface_docker_image": (
        {"datasurface_docker_image": "registry.example/merge-job:0.1.1"},
        "datasurface_docker_image",
        {"datasurface_docker_image": ("registry.example/merge-job:0.1.1",)},
    ),
    "git_repo_url": (
        {"git_repo_url": "https://git.example/team/model"},
        "git_repo_url",
        {"git_repo_url": ("https://git.example/team/model",)},
    ),
    "git_repo_branch": ({"git_repo_branch": "feature"}, "git_repo_branch", {"git_repo_branch": ("feature",)}),
    "git_credential_secret_name": (
        {"git_credential_secret_name": "postgres"},
        "git_credential_secret_name",
        {"git_credential_secret_name": ("postgres",)},
    ),
    "postgres_credential_secret_name": (
        {"postgres_credential_secret_name": "yellowforensic-postgres"},
        "postgres_credential_secret_name",
        {"postgres_credential_secret_name": ("yellowforensic-postgres",)},
    ),
    "source_credential_secret_name": (
        {"source_credential_secret_name": "payroll"},
        "source_credential_secret_name",
        {"source_credential_secret_name": ("payroll",)},
    ),
    "slack_credential_secret_name": (
        {"slack_credential_secret_name": "postgres"},
        "slack_credential_secret_name",
        {"slack_credential_secret_name": ("postgres",)},
    ),
    "postgres_hostname": (
        {"postgres_hostname": "evil.example"},
        "merge_stores",
        {"merge_stores": ("evil.example:5432/datasurface_merge",)},
    ),
    "postgres_port": ({"postgres_port": 5433}, "merge_stores", {"merge_stores": ("pg-data:5433/datasurface_merge",)}),
    "postgres_database": (
        {"postgres_database": "a/b:c?sslmode=disable"},
        "merge_stores",
        {"merge_stores": ("pg-data:5432/a/b:c?sslmode=disable",)},
    ),
    "service_account": ({"service_account": "admin"}, "service_account", {"service_account": ("admin",)}),
    "image_pull_secrets": (
        {"image_pull_secrets": ["a", "b"]},
        "image_pull_secrets",
        {"image_pull_secrets": ("b", "c", "a")},
    ),
    "pool": ({"pool": "reports"}, "pool", {"pool": ("reports",)}),
    "priority": ({"priority": 10}, "priority", {"priority": {"from": 2, "to": 10}}),
    "time_slice_seconds": (
        {"time_slice_seconds": 51},
        "time_slice_seconds",
        {"time_slice_seconds": {"from": 0, "to": 51}},
    ),
    "schedule": ({"schedule": "@continuous"}, "shortest_schedule", {"shortest_schedule": 0}),
    "schedule_assets[1]": (
        {"schedule": None, "schedule_assets": ["YellowLive/Store2/orders", "Other/Store2/orders"]},
        "schedule_assets",
        {"schedule_assets": ("x-stream://Other/Store2/orders",)},
    ),
    "resources.limits.cpu": (
        {"resources": {"limits": {"cpu": "500m"}}},
        "resources.cpu",
        {"resources": {"cpu": "0.5"}},
    ),
    "resources.requests.memory": (
        {"resources": {"requests": {"memory": "1Gi"}}},
        "resources.memory",
        {"resources": {"memory": "1024Mi"}},
    ),
    "node_selector['disk']": (
        {"node_selector": {"disk": "ssd"}},
        "node_selector",
        {"node_selector": {"disk": ("hdd", "ssd")}},
    ),
    "tolerations[0]": (
        {"tolerations": [{"operator": "Exists"}]},
        "tolerations",
        {"tolerations": ({"key": "dedicated", "operator": "Exists"}, {"operator": "Exists"})},
    ),
}


def config(**changes: Any) -> stream.StreamConfig:
    return stream.from_dict({key: value for key, value in {**ROW, **changes}.items() if value is not None})


def refused(settings: PlatformSettings = SETTINGS, **changes: Any) -> dict[str, str]:
    """What is not admitted of the row with these changes: path -> what to do."""
    return {problem.path: problem.todo for problem in refusals(config(**changes), settings, "row")}


def test_a_row_that_asks_for_what_the_platform_has_is_admitted():
    assert refused() == {}


@pytest.mark.parametrize("path", OTHERS)
def test_another_value_is_refused_by_its_path_with_the_setting_that_would_admit_it(path):
    changes, setting, _ = OTHERS[path]
    assert list(refused(**changes)) == [path]
    assert f"set allowed.{setting} in {FILE}" in refused(**changes)[path]


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_allowed_beside_is_admitted_and_the_platforms_own_stays_so(path):
    changes, _, allowed = OTHERS[path]
    settings = settings_of_row(EXAMPLE, allowed=Allowed(**allowed))
    assert refused(settings, **changes) == {}
    assert refused(settings) == {}


def test_settings_that_say_nothing_admit_nothing():
    nothing = PlatformSettings(original_platform_name="YellowLive", runners=())
    required = {*list(OTHERS)[:8], "postgres_hostname", "runner"}
    assert refused(nothing).keys() == required
    for path, (changes, _, _) in OTHERS.items():
        if path not in ("postgres_port", "postgres_database"):
            assert refused(nothing, **changes).keys() == required | {path}


def test_every_key_of_a_row_is_either_asked_of_the_settings_or_harmless():
    asked = {path.split(".")[0].split("[")[0] for path in OTHERS}
    asked |= {"runner", "platform_name", "original_platform_name"}
    # What they do stays within the stream: how it is read, tried again, shown. Names are held against the model.
    harmless = {
        *("config_version", "stream_key", "single_dataset", "datasets", "store_name", "ingestion_type", "milestoning"),
        *("timezone", "image_pull_policy", "retries", "execution_timeout", "deferrable", "on_failed_pod", "strategy"),
        *("audit_interval", "max_delete_fraction", "latency_seconds", "owner", "tags", "shadow", "connect_wait"),
        "load_connections",
    }
    assert asked | harmless == json_schema("stream")["properties"].keys()
    assert not asked & harmless


def test_the_platforms_own_place_in_airflow_and_kubernetes_is_admitted():
    own = {"service_account": "merge-job", "pool": "ingest", "priority": 7, "time_slice_seconds": 50}
    settings = settings_of_row(EXAMPLE | own | {"schedule": "@continuous"})
    assert refused(settings, **own, schedule="@continuous") == {}
    assert refused(settings) == {}


def test_every_problem_of_a_row_comes_at_once():
    changes = {key: value for other, _, _ in OTHERS.values() for key, value in other.items() if key != "resources"}
    found = refusals(
        config(**changes, resources={"limits": {"cpu": "1", "memory": "1"}}, runner="process"), SETTINGS, ""
    )
    paths = {problem.path for problem in found}
    # Three keys of a merge store are one place, and a row with assets has no schedule.
    assert len(paths) == len(found) == len(OTHERS) - 3 + 1
    assert {"runner", "resources.limits.memory", "tolerations[0]"} <= paths


def test_without_a_settings_file_no_row_is_admitted_and_bootstrap_writes_one():
    (problem,) = refusals(
        config(), PlatformSettings(original_platform_name="YellowLive", missing_file="/s/x.json"), "row"
    )
    assert (problem.path, problem.what) == ("", "there is no settings file /s/x.json")
    assert "dagfactory bootstrap" in problem.todo


def test_the_process_runner_is_off_until_settings_switch_it_on():
    (problem,) = refusals(config(runner="process"), SETTINGS, "row")
    assert (problem.path, problem.what) == ("runner", "the runner 'process' is switched off")
    assert f"set runners in {FILE}" in problem.todo
    assert refused(settings_of_row(EXAMPLE, runners=("process",)), runner="process") == {}


def test_another_platform_with_the_same_derived_name_is_none():
    assert list(refused(original_platform_name="YELLOWLIVE")) == ["original_platform_name"]


@pytest.mark.parametrize(
    ("schedule", "shortest", "admitted"),
    [
        ("*/5 * * * *", 300, True),
        ("*/5 * * * *", 301, False),
        ("*/7 * * * *", 300, False),
        ("@hourly", 3600, True),
        ("0 2 * * *", 86400, True),
        ("0 2,3 * * *", 86400, False),
        ("@once", 86400, True),
        ("@continuous", 1, False),
        ("R R * * *", 0, False),
        (None, 86400, True),
    ],
)
def test_the_shortest_schedule_is_the_least_time_between_two_ticks(schedule, shortest, admitted):
    settings = settings_of_row(EXAMPLE | {"schedule": "* * * * *"}, allowed=Allowed(shortest_schedule=shortest))
    row = stream.from_dict({key: value for key, value in {**ROW, "schedule": schedule}.items() if value is not None})
    assert (refusals(row, settings, "row") == []) is admitted


def test_the_platforms_own_schedule_is_admitted_however_short():
    settings = settings_of_row(EXAMPLE | {"schedule": "* * * * *"}, allowed=Allowed(shortest_schedule=86400))
    assert refused(settings, schedule="* * * * *") == {}


@pytest.mark.parametrize(
    ("amount", "admitted"),
    [("2", True), ("2000m", True), ("2001m", False), ("2.000000000000000001", False), ("1.9999", True), ("1k", False)],
)
def test_an_amount_is_held_against_its_ceiling_exactly(amount, admitted):
    settings = settings_of_row(EXAMPLE, allowed=Allowed(resources={"cpu": "2"}))
    assert (refused(settings, resources={"requests": {"cpu": amount}}) == {}) is admitted


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "dedicated", "operator": "Exists", "effect": "NoExecute"},
        {"operator": "Exists"},
        {"key": "Dedicated", "operator": "Exists"},
        {},
    ],
)
def test_a_toleration_is_admitted_to_the_letter_only(toleration):
    settings = settings_of_row(EXAMPLE, allowed=Allowed(tolerations=({"key": "dedicated", "operator": "Exists"},)))
    assert list(refused(settings, tolerations=[{"key": "dedicated", "operator": "Exists"}, toleration])) == [
        "tolerations[1]"
    ]


@pytest.mark.parametrize(("low", "high"), [(7, 7), (1, 1000000)])
def test_a_priority_is_admitted_from_and_to_the_ends_of_its_range(low, high):
    settings = settings_of_row(EXAMPLE, allowed=Allowed(priority={"from": low, "to": high}))
    assert refused(settings, priority=low) == refused(settings, priority=high) == {}


def test_a_long_value_is_reported_shortened_on_one_line_and_without_a_password_in_an_address():
    (problem,) = refusals(config(git_repo_url="https://user:hush@host/" + "x" * 900), SETTINGS, "row")
    assert problem.what.startswith("'https://***@host/xxx")
    assert len(problem.what) < 150
    (problem,) = refusals(config(postgres_database="\u2028\u202e{{x}}"), SETTINGS, "row")
    assert problem.what == r"'pg-data:5432/\u2028\u202e{{x}}' is not admitted as merge store"


def test_the_job_is_given_the_platforms_source_hosts_and_those_allowed_beside_each_once():
    settings = settings_of_row(
        EXAMPLE, source_hosts=("pg-data:5432",), allowed=Allowed(source_hosts=("pg-hr:5433", "pg-data:5432"))
    )
    assert source_hosts(settings, "customer-db") == "pg-data:5432,pg-hr:5433,file:"


def test_a_secret_goes_only_to_the_servers_that_the_settings_assign_to_it():
    """Whoever writes rows and model could pair a producer's secret with the server of another one."""
    assigned = {"customer-db": ("pg-data:5432",), "hr-db": ("pg-hr:5433",)}
    settings = settings_of_row(
        EXAMPLE,
        source_hosts=("pg-data:5432", "pg-hr:5433"),
        source_credential_secret_names=("customer-db", "hr-db"),
        source_credential_hosts=assigned,
        allowed=Allowed(source_hosts=("pg-copy:5432",), source_credential_secret_name=("by-hand",)),
    )
    plan = dag_plan(config(source_credential_secret_name="hr-db"), settings)
    (given,) = (one for one in plan.job.arguments if one.startswith("--source-hosts="))
    hosts = given.removeprefix("--source-hosts=").split(",")
    assert hosts == ["pg-hr:5433", "pg-copy:5432", "file:"]
    check_source_host(Database("pg-hr", "hr", "hr-db", port=5433), hosts)
    with pytest.raises(SourceNotAdmitted):
        check_source_host(Database("pg-data", "customer_db", "hr-db"), hosts)
    # What the settings assign to no server may go to all: an older file says of none where it goes.
    assert source_hosts(settings, "by-hand") == "pg-data:5432,pg-hr:5433,pg-copy:5432,file:"


def test_a_private_network_is_admitted_for_the_servers_that_the_settings_say():
    assigned = {"market-api": ("api:443",), "other": ("other:443",)}
    settings = settings_of_row(
        EXAMPLE,
        source_hosts=("api:443", "private:api:443", "other:443", "private:other:443"),
        source_credential_hosts=assigned,
        allowed=Allowed(source_hosts=("private:inner:8443",)),
    )
    hosts = source_hosts(settings, "market-api").split(",")
    assert hosts == ["api:443", "private:api:443", "private:inner:8443", "file:"]
    api = Database("api", "/", "market-api", 443, kind=SourceKind.REST)
    assert admits_private(api, hosts)
    assert not admits_private(replace(api, host="other"), hosts)
    assert not admits_private(api, ["api:443"])
    for host in ("localhost", "10.0.0.5", "::1"):  # they are what they say
        assert admits_private(replace(api, host=host), [f"{host}:443"])
    with pytest.raises(SourceNotAdmitted):  # the address is admitted apart
        check_source_host(replace(api, host="inner"), ["private:inner:443"])


def test_the_job_is_given_the_platforms_source_files_and_those_allowed_beside_each_once():
    allowed = Allowed(source_files=("/data/hr/", "/data/shop.db"))
    settings = settings_of_row(EXAMPLE, source_files=("/data/shop.db",), allowed=allowed)
    assert source_hosts(settings, "none") == "file:/data/shop.db,file:/data/hr/"


def test_a_platform_without_source_files_admits_no_file_to_its_job():
    file = Database("nowhere", "/data/customers.db", "none", kind=SourceKind.SQLITE)
    with pytest.raises(SourceNotAdmitted, match=r"allowed\.source_files"):
        admitted_source(file, source_hosts(SETTINGS, "none").split(","))
