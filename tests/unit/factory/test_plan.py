"""Configs become plans: what the job is given, which secrets it gets, and what settings do not admit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_plugin.operators.notifier import Notifier
from airflow_plugin.rows.plan import dag_plan, merge_arguments, secret_variables
from airflow_plugin.rows.platform_jobs import place
from airflow_plugin.rows.reading import candidate_keys
from airflow_plugin.settings import POD_RESOURCES, Allowed
from config_schema import names, stream
from config_schema.errors import ProblemsFound
from config_schema.schemas import json_schema
from tests.row_settings import settings_of_row

EXAMPLE: dict[str, Any] = json_schema("stream")["examples"][0]
SETTINGS = settings_of_row(EXAMPLE, source_hosts=("pg-data:5432",))


def config(**changes: Any) -> stream.StreamConfig:
    return stream.from_dict({key: value for key, value in {**EXAMPLE, **changes}.items() if value is not None})


def test_the_job_is_given_its_stream_the_model_and_where_the_merge_store_is():
    assert merge_arguments(config(), SETTINGS) == [
        "merge",
        "--platform=YellowLive",
        "--store=Store1",
        "--datasets=customers,addresses",
        "--git-repo-url=https://git.example/team/model.git",
        "--git-repo-branch=main",
        "--git-credential=git",
        "--postgres-host=pg-data",
        "--postgres-port=5432",
        "--postgres-database=datasurface_merge",
        "--postgres-schema=public",
        "--postgres-credential=postgres",
        "--source-credential=customer-db",
        "--source-hosts=pg-data:5432,file:",
        "--strategy=auto",
        "--time-slice-seconds=0",
    ]


def test_a_look_at_the_source_gets_what_the_merge_reads_it_with_and_nothing_of_how_it_merges():
    settings = replace(SETTINGS, least_tls="require", connect_wait=3)
    changed = {"single_dataset": True, "stream_key": "Store1#customers", "datasets": ["customers"], "strategy": "full"}
    for one in (config(), config(**changed), config(shadow=True, stream_key="Store1__shadow", schedule=None)):
        job = dag_plan(one, settings).job
        merge = [argument for argument in job.arguments if argument.partition("=")[0] not in HOW_TO_MERGE]
        assert job.check_source_arguments() == ["check-source", *merge[1:], "--exit-zero"]


HOW_TO_MERGE = {
    *("--strategy", "--time-slice-seconds", "--max-delete-fraction", "--audit-interval", "--log-format"),
}


def test_how_databases_are_reached_is_said_by_the_settings_alone_and_only_where_they_say_it():
    keys = {"postgres_tls": "verify-full", "postgres_tls_ca": "pg-ca", "least_tls": "require"}
    settings = replace(SETTINGS, **keys, tls_ca_names=("pg-ca",))
    more = ["--postgres-tls=verify-full", "--postgres-tls-ca=pg-ca", "--least-tls=require"]
    assert merge_arguments(config(), settings) == merge_arguments(config(), SETTINGS) + more
    with pytest.raises(ProblemsFound):
        config(postgres_tls="disable")
    assert (dag_plan(config(), SETTINGS).pod.tls_ca_names, dag_plan(config(), settings).pod.tls_ca_names) == (
        (),
        ("pg-ca",),
    )


def test_when_an_image_is_pulled_is_said_by_the_row_else_by_the_settings_else_by_kubernetes():
    settings = settings_of_row(EXAMPLE, image_pull_policy="Never")
    assert dag_plan(config(), SETTINGS).pod.image_pull_policy is None
    assert dag_plan(config(), settings).pod.image_pull_policy == "Never"
    assert dag_plan(config(image_pull_policy="Always"), settings).pod.image_pull_policy == "Always"
    assert (place(SETTINGS, "sync").image_pull_policy, place(settings, "sync").image_pull_policy) == (None, "Never")


def test_a_pod_asks_for_what_the_row_says_else_the_settings_else_for_what_usual_rows_need():
    limits = {"limits": {"memory": "2Gi"}}
    settings, nothing = settings_of_row(EXAMPLE, resources=limits), settings_of_row(EXAMPLE, resources={})
    own = {"requests": {"cpu": "1"}}
    assert dag_plan(config(), SETTINGS).pod.resources == place(SETTINGS, "sync").resources == POD_RESOURCES
    assert dag_plan(config(), settings).pod.resources == place(settings, "sync").resources == limits
    assert dag_plan(config(), nothing).pod.resources == place(nothing, "sync").resources == {}
    allowed = settings_of_row(EXAMPLE, resources=limits, allowed=Allowed(resources={"cpu": "2"}))
    assert dag_plan(config(resources=own), allowed).pod.resources == own


def test_a_stream_of_one_dataset_names_it():
    one = config(stream_key="Store1#customers", single_dataset=True, datasets=["customers"], max_delete_fraction=0.25)
    arguments = merge_arguments(one, SETTINGS)
    assert "--dataset=customers" in arguments
    assert "--max-delete-fraction=0.25" in arguments


def test_a_value_that_looks_like_a_flag_stays_one_argument_of_its_key():
    strange = config(store_name="--model", stream_key="--model", postgres_database="x --platform=Other")
    reported = merge_arguments(strange, SETTINGS)
    assert "--store=--model" in reported
    assert "--postgres-database=x --platform=Other" in reported


def test_jobs_log_for_machines_where_the_settings_say_so_and_else_nothing_is_said_of_it():
    assert "--log-format=json" in merge_arguments(config(), replace(SETTINGS, log_format="json"))
    assert not [one for one in merge_arguments(config(), SETTINGS) if one.startswith("--log-format")]


def test_secrets_are_references_and_only_the_git_token_may_be_missing():
    found = secret_variables(config(source_credential_secret_name="customer-db"))
    assert [(one.name, one.secret, one.key, one.optional) for one in found] == [
        ("POSTGRES_USERNAME", "postgres", "username", False),
        ("POSTGRES_PASSWORD", "postgres", "password", False),
        ("CUSTOMER_DB_USERNAME", "customer-db", "username", False),
        ("CUSTOMER_DB_PASSWORD", "customer-db", "password", False),
        ("GIT_TOKEN", "git", "token", True),
    ]


def test_the_slack_secret_never_goes_to_the_job():
    assert not [one for one in secret_variables(config()) if one.secret == "slack"]


def test_a_paused_row_has_no_schedule_and_its_job_knows():
    plan = dag_plan(config(schedule="@hourly"), SETTINGS, paused=True)
    assert (plan.schedule, plan.job.paused) == (None, True)
    assert "paused" in plan.tags


def test_a_paused_row_has_no_assets_to_start_it_and_no_deadline():
    settings = settings_of_row(EXAMPLE, notifiers={"slack": {"connection": "slack_ops"}})
    row = {"schedule": None, "schedule_assets": ["YellowLive/Store2/orders"], "latency_seconds": 60}
    plan = dag_plan(config(**row), settings)
    assert (plan.schedule_assets, plan.deadline) == (("x-stream://YellowLive/Store2/orders",), 60)
    plan = dag_plan(config(**row), settings, paused=True)
    assert (plan.schedule_assets, plan.deadline) == ((), None)


def test_only_who_the_settings_have_for_a_row_s_secret_is_notified():
    settings = settings_of_row(EXAMPLE, notifiers={"slack": {"connection": "slack_ops", "channel": "#ops"}})
    assert dag_plan(config(), settings).notifier == Notifier("slack_ops", "#ops")
    others = settings_of_row({**EXAMPLE, "slack_credential_secret_name": "other"}, notifiers=settings.notifiers)
    assert dag_plan(config(slack_credential_secret_name="other"), others).notifier is None


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://git.example/team/model.git", "<https://git.example/team/model.git>"),
        ("https://git.example:8443/team/model", "<https://git.example:8443/team/model>"),
        ("https://user:word@git.example/model", None),
        ("https://git.example/x>[click](javascript:alert(1))", None),
        ("ssh://git@git.example/model", None),
        ("/srv/model", None),
    ],
)
def test_the_model_is_linked_where_that_is_an_address_on_the_web_without_a_login(url, link):
    row = {**EXAMPLE, "git_repo_url": url}
    doc = dag_plan(stream.from_dict(row), settings_of_row(row)).doc
    assert ("Model: " in doc) == (link is not None)
    assert link is None or doc.endswith(f"Model: {link}")


def test_tags_name_platform_milestoning_and_store_then_the_rows_own_each_once():
    plan = dag_plan(config(tags=["crm", "live"]), SETTINGS)
    assert plan.tags == ("YellowLive", "live", "Store1", "crm")


def test_a_change_of_any_key_changes_the_plan_that_airflow_stores():
    settings = settings_of_row(EXAMPLE, allowed=Allowed(git_repo_branch=("next",)))
    before = dag_plan(config(), settings)
    after = dag_plan(config(git_repo_branch="next"), settings)
    assert before.doc != after.doc
    assert dag_plan(config(), settings) == before


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"runner": "process"}, "runner", "the runner 'process' is switched off"),
        ({"timezone": "Europe/Zurigo"}, "timezone", "'Europe/Zurigo' is no time zone here"),
        ({"timezone": "../../etc/passwd"}, "timezone", "not well formed"),
        ({"original_platform_name": "Other", "platform_name": "other"}, "platform_name", "'other' is not the platform"),
    ],
)
def test_what_the_settings_or_this_machine_do_not_admit_is_a_problem(changes, path, said):
    with pytest.raises(ProblemsFound) as raised:
        dag_plan(config(**changes), SETTINGS, where="row")
    (problem,) = raised.value.problems
    assert problem.path == path
    assert said in problem.what


@pytest.mark.parametrize("key", ["Store1", "Store1#customers", "a__b", "a__b#c", "a#b__c", "a___b", "a_#_b", "_#_"])
def test_the_key_of_a_dag_id_is_among_its_candidates(key):
    assert key in candidate_keys("yellowlive", names.dag_id("yellowlive", key))


def test_a_dag_id_that_was_shortened_or_is_not_of_the_platform_has_no_candidates():
    assert candidate_keys("yellowlive", names.dag_id("yellowlive", "x" * 255)) == []
    assert candidate_keys("yellowlive", "other__Store1_ingestion") == []
