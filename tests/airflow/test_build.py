"""Rows become DAGs in this process: their shape, what Airflow stores of them, and the pod that a row asks for."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from airflow_plugin.jobs.merge_job import MergeJob, PodPlace
from airflow_plugin.rows.evaluation import evaluate_streams
from airflow_plugin.rows.last_good import KnownStream, Row
from airflow_plugin.settings import Allowed
from config_schema.names import ENVIRONMENT_VARIABLE
from config_schema.result import TOKEN_VARIABLE
from tests.airflow.of_version import cron_of, serialized
from tests.row_settings import settings_of_row

ALLOWED = Allowed(
    resources={"cpu": "250m", "memory": "512Mi"},
    node_selector={"disk": ("ssd",)},
    tolerations=({"key": "dedicated", "operator": "Exists"},),
    image_pull_secrets=("registry",),
    schedule_assets=("s3://landing/customers",),
)
SLACK = {"slack": {"connection": "slack_ops"}}


@pytest.fixture
def dag(airflow_here, config):
    """The one DAG of a row with these changes."""
    from airflow_plugin.factory import build as building

    def build(notifiers=None, settings=None, **changes):
        row = config("YellowLive", **changes)
        settings = settings_of_row(row, allowed=ALLOWED, notifiers=notifiers or {}, **settings or {})
        loaded = evaluate_streams([KnownStream("Store1", Row("active", json.dumps(row)))], settings, building.dag)
        assert loaded.quarantined == {}
        return loaded.made["yellowlive__Store1_ingestion"]

    return build


@pytest.fixture
def stored(airflow_here):
    """What Airflow stores of a DAG."""
    return serialized


@pytest.mark.parametrize("runner", ["process", "kubernetes"])
def test_a_row_is_a_dag_of_four_tasks_that_runs_once_at_a_time(dag, runner):
    built = dag(
        runner=runner, schedule="@hourly", timezone="Europe/Zurich", owner="team-yellow", pool="ingest", priority=7
    )
    assert {task.task_id: set(task.downstream_task_ids) for task in built.tasks} == {
        "snapshot_merge_job": {"check_result"},
        "check_result": {"reschedule_immediately", "wait_for_trigger"},
        "reschedule_immediately": set(),
        "wait_for_trigger": set(),
    }
    assert (built.max_active_runs, built.catchup, built.is_paused_upon_creation) == (1, False, False)
    assert cron_of(built.timetable) == ("0 * * * *", "Europe/Zurich")
    assert {task.owner for task in built.tasks} == {"team-yellow"}
    merge = built.get_task("snapshot_merge_job")
    assert (merge.pool, merge.priority_weight, merge.retries) == ("ingest", 7, 2)


@pytest.mark.parametrize("runner", ["process", "kubernetes"])
@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        ({"time_slice_seconds": 50}, 2),
        ({"time_slice_seconds": 50, "schedule": "@continuous"}, 1),
        ({"time_slice_seconds": 0}, 1),
    ],
)
def test_a_stream_with_a_time_slice_may_have_two_runs_and_one_merge_at_a_time(dag, runner, changes, runs):
    built = dag(runner=runner, **changes)
    assert built.max_active_runs == runs
    assert built.get_task("snapshot_merge_job").max_active_tis_per_dag == (1 if runs == 2 else None)


def test_a_deferred_merge_has_one_run_at_a_time(dag):
    assert dag(runner="kubernetes", time_slice_seconds=50, deferrable=True).max_active_runs == 1


def test_a_merge_that_cannot_trigger_the_next_run_leaves_it_to_its_own_task(dag, caplog):
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    from airflow_plugin.operators.routing import hand_over

    built = dag(runner="process", time_slice_seconds=50)
    asks_airflow = {"get_dr_count": RuntimeTaskInstance.get_dr_count, "get_ti_count": RuntimeTaskInstance.get_ti_count}
    ti = SimpleNamespace(dag_id=built.dag_id, **asks_airflow)  # no Airflow answers here
    merge = built.get_task("snapshot_merge_job")
    hand_over(merge, {"code": 1, "batch_id": 7}, {"ti": ti, "dag_run": SimpleNamespace(conf={})})
    assert "the next run is not triggered yet, reschedule_immediately does it" in caplog.text


@pytest.mark.parametrize(
    ("link", "answer", "triggered", "decided"),
    [
        (0, None, ["keep_working__Store1__7__20261130194312"], None),
        (0, "DAGRUN_ALREADY_EXISTS", ["keep_working__Store1__7__20261130194312"], None),
        (100, None, [], "Store1 triggered itself 100 times in a row (max_chain): its schedule takes over"),
    ],
)
def test_a_merge_decides_once_which_run_goes_on(dag, monkeypatch, link, answer, triggered, decided):
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse

    from airflow_plugin.operators.routing import hand_over

    asked, kept = [], []

    def send(message):
        asked.append(message.run_id)
        return answer and ErrorResponse(error=ErrorType[answer])

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=send), raising=False)
    nobody_waits = {"get_dr_count": lambda **_: 0, "get_ti_count": lambda **_: 0}
    ti = SimpleNamespace(dag_id="d", xcom_push=lambda key, value: kept.append((key, value)), **nobody_waits)
    result = {"code": 1, "batch_id": 7, "source_snapshot_time": "2026-11-30T19:43:12.345678+00:00"}
    merge = dag(runner="process", time_slice_seconds=50).get_task("snapshot_merge_job")
    hand_over(merge, result, {"ti": ti, "dag_run": SimpleNamespace(conf={"chain": link})})
    assert asked == triggered
    assert kept == [("handed_over", ["keep_working__Store1__7__20261130194312", link + 1, decided])]


def test_an_answer_of_airflow_that_is_no_yes_leaves_the_next_run_to_its_own_task(dag, monkeypatch, caplog):
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse

    from airflow_plugin.operators.routing import hand_over

    refusing = SimpleNamespace(send=lambda message: ErrorResponse(error=ErrorType.GENERIC_ERROR))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", refusing, raising=False)
    ti = SimpleNamespace(dag_id="d", get_dr_count=lambda **_: 0, get_ti_count=lambda **_: 0)  # it must keep nothing
    merge = dag(runner="process", time_slice_seconds=50).get_task("snapshot_merge_job")
    hand_over(merge, {"code": 1, "batch_id": 7}, {"ti": ti, "dag_run": SimpleNamespace(conf={})})
    assert (
        "the next run is not triggered yet, reschedule_immediately does it: Airflow answers GENERIC_ERROR"
        in caplog.text
    )


@pytest.mark.parametrize(
    ("schedule", "timetable"),
    [(None, "NullTimetable"), ("@once", "OnceTimetable"), ("@continuous", "ContinuousTimetable")],
)
def test_schedules_that_are_no_cron(dag, schedule, timetable):
    assert type(dag(schedule=schedule).timetable).__name__ == timetable


def test_any_of_the_assets_that_a_row_names_starts_its_dag(dag, stored):
    from airflow.sdk import Asset, AssetAny

    built = dag(schedule_assets=["YellowLive/Store2/orders", "s3://landing/customers"])
    own, other = Asset("x-stream://YellowLive/Store2/orders"), Asset.ref(uri="s3://landing/customers")
    assert repr(built.timetable.asset_condition) == repr(AssetAny(own, other))
    assert [one["name"] for one in stored(built)["timetable"]["__var"]["asset_condition"]["objects"][:1]] == [own.name]


def test_a_paused_stream_s_dag_has_neither_schedule_nor_deadline(airflow_here, config):
    from airflow_plugin.factory import build as building

    row = config("YellowLive", schedule_assets=["YellowLive/Store2/orders"], latency_seconds=60)
    settings = settings_of_row(row, notifiers=SLACK)
    built = evaluate_streams([KnownStream("Store1", Row("paused", json.dumps(row)))], settings, building.dag)
    (paused,) = built.made.values()
    assert type(paused.timetable).__name__ == "NullTimetable"
    assert paused.deadline is None


@pytest.mark.parametrize("runner", ["process", "kubernetes"])
def test_the_merge_task_has_one_outlet_and_no_task_tells_of_each_failure(dag, runner):
    from airflow.sdk import AssetAlias

    built = dag(runner=runner, notifiers=SLACK)
    assert built.get_task("snapshot_merge_job").outlets == [AssetAlias("x-stream://YellowLive/Store1")]
    assert [task.task_id for task in built.tasks if task.on_failure_callback] == []


def test_the_deadline_is_the_latency_after_a_run_is_queued_where_someone_is_notified(dag, stored):
    (alert,) = dag(notifiers=SLACK, latency_seconds=90).deadline
    assert (alert.reference.reference_name, alert.interval.total_seconds()) == ("DagRunQueuedAtDeadline", 90)
    assert alert.callback.path == "airflow_plugin.operators.notifier.tell_late"
    assert alert.callback.kwargs == {
        "stream": "YellowLive Store1",
        "seconds": 90,
        "connection": "slack_ops",
        "channel": None,
    }
    assert dag(notifiers=SLACK).deadline is None
    assert dag(latency_seconds=90).deadline is None


def test_who_is_notified_of_failures_makes_no_other_dag(dag, stored):
    other = {"slack": {"connection": "slack_other", "channel": "#ops"}}
    assert stored(dag(notifiers=SLACK)) == stored(dag(notifiers=other))


@pytest.mark.parametrize("runner", ["process", "kubernetes"])
def test_two_builds_are_stored_alike_and_a_change_is_stored_unlike(dag, stored, runner):
    given = {"runner": runner, "notifiers": SLACK, "latency_seconds": 60, "schedule_assets": ["YellowLive/Store2/a"]}
    assert stored(dag(**given)) == stored(dag(**given))
    assert stored(dag(**given)) != stored(dag(**given, git_repo_branch="next"))


@pytest.mark.parametrize("runner", ["process", "kubernetes"])
def test_nothing_of_a_row_is_a_template_or_stored_as_an_argument(dag, stored, runner):
    hostile = "{{ conn.postgres.password }}"
    built = dag(runner=runner, postgres_database=hostile, datasets=[hostile], owner=hostile, tags=[hostile])
    assert all(not task.template_fields for task in built.tasks)
    if runner == "kubernetes":
        assert not built.get_task("snapshot_merge_job").worker().template_fields
    tasks = json.dumps(stored(built)["tasks"])
    assert "--platform" not in tasks
    assert "POSTGRES_PASSWORD" not in tasks


def test_the_last_task_of_a_run_that_is_done_costs_no_worker(dag, stored):
    tasks = {task["__var"]["task_id"]: task["__var"] for task in stored(dag())["tasks"]}
    assert tasks["wait_for_trigger"]["_is_empty"] is True
    assert [key for key, task in tasks.items() if task.get("_can_skip_downstream")] == ["check_result"]


def test_the_pod_has_the_arguments_the_secrets_by_reference_and_the_least_rights(dag):
    pod = pod_of(
        dag(
            runner="kubernetes",
            postgres_database="{{ conn.postgres.password }}",
            resources={"requests": {"cpu": "250m"}, "limits": {"memory": "512Mi"}},
            service_account="merge-job",
            node_selector={"disk": "ssd"},
            tolerations=[{"key": "dedicated", "operator": "Exists"}],
            image_pull_secrets=["registry"],
        )
    )
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert container["image"] == "registry.example/merge-job:0.1.0"
    assert spec["enableServiceLinks"] is False
    assert "imagePullPolicy" not in container  # Kubernetes decides by the tag
    assert container["args"][:2] == ["merge", "--platform=YellowLive"]
    assert "--postgres-database={{ conn.postgres.password }}" in container["args"]
    assert container["args"][-1] == "--run-id=manual__{{ ds }}"
    values = {one["name"]: one.get("value") for one in container["env"]}
    references = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one}
    assert {name for name, value in values.items() if value is not None} == {"HOME", TOKEN_VARIABLE}
    assert references["POSTGRES_PASSWORD"] == {"name": "postgres", "key": "password"}
    assert references["GIT_TOKEN"] == {"name": "git", "key": "token", "optional": True}
    assert container["resources"] == {"requests": {"cpu": "250m"}, "limits": {"memory": "512Mi"}}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert spec["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("merge-job", False)
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [{"key": "dedicated", "operator": "Exists"}]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert len(spec["containers"]) == 1
    assert pod["metadata"]["namespace"] == "ns-yellow-live"
    assert pod["metadata"]["name"].startswith("yellowlive-store1-merge-")
    labels = pod["metadata"]["labels"]
    assert labels["stream-factory/platform"] == "yellowlive"
    assert labels["stream-factory/stream"] == "Store1"
    assert labels["stream-factory/run"] == "manual___ds"


def test_the_pods_of_no_two_streams_have_the_same_labels():
    """A task goes on with the pod that it finds by its labels; Airflow's own are short digests of long names."""
    from airflow_plugin.operators.pod_request import pod_arguments

    place = PodPlace(
        "name",
        "ns",
        "image:1",
        None,
        (),
        None,
        None,
        None,
        (),
        keep_failed=False,
        deferrable=False,
        kubernetes_conn_id=None,
    )
    of_one = "TheCustomersOfTheShopsInAllCountries"
    keys = (of_one, f"{of_one}_", f"{of_one}.-._-", f"_{of_one}", f"{of_one}#")
    found = [pod_arguments(MergeJob("YellowLive", "yellowlive", key, (), ()), place)["labels"] for key in keys]
    assert {one["stream-factory/stream"] for one in found} == {of_one}
    assert len({one["stream-factory/job"] for one in found}) == len(keys)


def test_cas_that_the_settings_name_are_mounted_where_the_job_looks_for_them(dag):
    pod = pod_of(dag(runner="kubernetes", settings={"tls_ca_names": ("pg-ca",), "postgres_tls_ca": "pg-ca"}))
    item = {"name": "pg-ca", "optional": True, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    volume = {"name": "tls-pg-ca", "projected": {"sources": [{"secret": item}, {"configMap": item}]}}
    assert volume in pod["spec"]["volumes"]
    mount = {"name": "tls-pg-ca", "mountPath": "/etc/dagfactory/tls/pg-ca", "readOnly": True}
    assert mount in pod["spec"]["containers"][0]["volumeMounts"]


def test_the_pod_is_given_the_environment_of_the_settings(dag):
    def environment(**settings):
        pod = pod_of(dag(runner="kubernetes", settings=settings))
        return {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}.get(ENVIRONMENT_VARIABLE)

    assert environment() is None
    assert environment(environment="staging") == "staging"


def test_each_try_has_a_token_of_its_own(dag):
    built = dag(runner="kubernetes")
    tokens = {
        one["value"]
        for pod in (pod_of(built), pod_of(built))
        for one in pod["spec"]["containers"][0]["env"]
        if one["name"] == TOKEN_VARIABLE
    }
    assert len(tokens) == 2


def test_a_pod_that_failed_is_kept_where_the_row_says_so(dag):
    task = dag(runner="kubernetes", on_failed_pod="keep").get_task("snapshot_merge_job")
    assert task.worker().on_finish_action == "delete_succeeded_pod"


HEAVY = (
    "jsonschema",
    "kubernetes",
    "rich",
    "typer",
    "airflow.providers.cncf",
    "airflow_plugin.sync",
    "airflow_plugin.cli",
)


def test_the_parse_path_loads_nothing_heavy_that_airflow_has_not_loaded_itself(airflow_here, config):
    configs = [config("YellowLive", runner=runner) for runner in ("process", "kubernetes")]
    rows = [(json.dumps(one), settings_of_row(one).to_json()) for one in configs]
    program = f"""
import json, sys
import airflow.dag_processing.processor, airflow.sdk.definitions.dag
from airflow_plugin.airflow_versions import BaseBranchOperator, CronTriggerTimetable
before = set(sys.modules)
from airflow_plugin.factory.publishing import build, evaluate_streams
from airflow_plugin.rows.last_good import KnownStream, Row
from airflow_plugin.settings import settings_from_json
for row, settings in json.loads({json.dumps(rows)!r}):
    settings = settings_from_json(settings, "YellowLive", "")
    loaded = evaluate_streams([KnownStream("Store1", Row("active", row))], settings, build.dag)
    assert not loaded.quarantined, loaded
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "airflow_plugin.factory.build" in loaded
    assert [name for name in loaded if name.startswith((*HEAVY, "yaml", "sqlalchemy"))] == []
    others = [
        name for name in loaded if not name.startswith(("airflow_plugin", "config_schema", "psycopg2", "difflib"))
    ]
    assert others == []


def pod_of(dag) -> dict:
    """The request that the merge task would send for its pod, as JSON."""
    from kubernetes.client import ApiClient

    worker = dag.get_task("snapshot_merge_job").worker()
    worker.prepare("manual__{{ ds }}")
    ti = SimpleNamespace(dag_id=dag.dag_id, task_id="snapshot_merge_job", try_number=1, map_index=-1)
    context = {"ti": ti, "run_id": "manual__{{ ds }}", "dag": dag}
    dag.get_task("snapshot_merge_job")._worker = None
    return ApiClient().sanitize_for_serialization(worker.build_pod_request_obj(context, dry_run=True))
