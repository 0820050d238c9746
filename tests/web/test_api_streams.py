"""One stream through the API: what is returned, and each way to change it, with the user's name in its history."""

from __future__ import annotations

import itertools
import json
from contextlib import closing

import psycopg2
import pytest

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import StreamTable
from airflow_plugin.web.errors import Conflict, DagNotThere
from config_schema.errors import ProblemsFound
from config_schema.source_check import CheckLevel, ReadableDataset, SourceCheck, SourceFinding
from tests.airflow.conftest import config

CUSTOMERS = "/api/streams/yellowlive/Store1%23customers"
numbers = itertools.count(1)


@pytest.fixture
def stream(client):
    """A new stream of this test: its path, and the response to its creation."""
    key = f"Made{next(numbers)}"
    answer = client().post("/api/streams/yellowlive", json={"config": config("YellowLive", key)})
    assert answer.status_code == 201, answer.text
    return f"/api/streams/yellowlive/{key}", answer.json()


def history(client, path):
    versions = client().get(f"{path}/history").json()["versions"]
    return [(one["action"], one["by"], one["status"]) for one in versions]


def test_a_stream_is_reported_with_its_config_version_and_lineage(client, world):
    reported = client().get("/api/streams/yellowlive/Store1").json()
    assert reported["config"]["retries"] == 4
    assert reported["problems"] == []
    assert reported["by_hand"] is False
    assert reported["state"] == "ok"
    assert reported["lineage"]["merge_tables"] == [
        "yellowlive_Store1_customers_merge",
        "yellowlive_Store1_addresses_merge",
    ]
    assert reported["lineage"]["source"]["credential"] == "customer-db"


def test_views_of_a_workspace_are_the_consumers_of_a_merge_table(client, world):
    world.merge_store(
        'CREATE TABLE "yellowforensic_Store2_customers_merge" (id int); CREATE SCHEMA "ws_Consumer1";'
        'CREATE VIEW "ws_Consumer1".live AS SELECT * FROM "yellowforensic_Store2_customers_merge";'
        'CREATE VIEW public."by hand" AS SELECT * FROM "ws_Consumer1".live;'
        """COMMENT ON VIEW "ws_Consumer1".live IS '{"workspace": "Consumer1", "group": "LiveDSG"}'"""
    )
    lineage = client().get("/api/streams/yellowforensic/Store2").json()["lineage"]
    reads = ["yellowforensic_Store2_customers_merge"]
    assert lineage["consumers"] == ["Consumer1/LiveDSG"]
    assert lineage["views"] == [
        {"workspace": None, "group": None, "schema": "public", "name": "by hand", "reads": reads},
        {"workspace": "Consumer1", "group": "LiveDSG", "schema": "ws_Consumer1", "name": "live", "reads": reads},
    ]


def test_problems_of_a_stream_are_those_of_the_factory(client):
    (problem,) = client().get("/api/streams/yellowlive/Broken").json()["problems"]
    assert problem["path"] == "schedule"
    assert "'often' is not well formed" in problem["what"]
    assert problem["todo"]


def test_a_key_with_a_hash_is_one_stream(client):
    assert client().get(CUSTOMERS).json()["stream_key"] == "Store1#customers"


@pytest.mark.parametrize("path", ["yellowlive/None", "nowhere/Store1", "yellowlive/Store1%00", "yellowlive/%0a"])
def test_what_is_not_there_is_a_404(client, path):
    assert client().get(f"/api/streams/{path}").status_code == 404


def test_a_created_stream_is_there_with_who_made_it(client, stream):
    path, reported = stream
    assert reported["state"] == "never_run"
    assert reported["by_hand"] is True
    assert history(client, path) == [("create", "admin", "active")]


def test_a_stream_cannot_be_created_twice(client, stream):
    _, reported = stream
    again = client().post("/api/streams/yellowlive", json={"config": reported["config"]})
    assert (again.status_code, again.json()["code"]) == (409, Conflict.code)
    assert "already" in again.json()["detail"]


def test_a_config_with_problems_is_refused_with_all_of_them_and_nothing_is_written(client):
    wrong = config("YellowLive", "Wrong", schedule="often", retries="many")
    answer = client().post("/api/streams/yellowlive", json={"config": wrong})
    assert (answer.status_code, answer.json()["code"]) == (400, ProblemsFound.code)
    assert {one["path"] for one in answer.json()["problems"]} == {"schedule", "retries"}
    assert answer.json()["error"]["problems"] == answer.json()["problems"]  # for clients of the last release
    assert client().get("/api/streams/yellowlive/Wrong").status_code == 404


def test_a_change_needs_the_version_that_was_seen(client, stream):
    path, reported = stream
    changed = reported["config"] | {"retries": 7}
    assert client("user").put(path, json={"config": changed, "version": reported["version"]}).status_code == 200
    late = client("admin").put(path, json={"config": reported["config"], "version": reported["version"]})
    assert late.status_code == 409
    assert client().get(path).json()["config"]["retries"] == 7
    assert history(client, path)[0] == ("edit", "user", "active")


def test_a_change_past_the_history_is_seen_as_another_version(client, stream, world):
    path, reported = stream
    key = reported["stream_key"]
    world.merge_store("UPDATE yellowlive_airflow_dsg SET status = 'paused' WHERE stream_key = %s", key)
    late = client().put(path, json={"config": reported["config"], "version": reported["version"]})
    assert late.status_code == 409


def test_a_stream_is_rolled_back_to_an_earlier_version(client, stream):
    path, reported = stream
    later = (
        client().put(path, json={"config": reported["config"] | {"retries": 9}, "version": reported["version"]}).json()
    )
    back = client().post(f"{path}/rollback", json={"to": reported["version"], "version": later["version"]})
    assert back.status_code == 200
    assert back.json()["config"] == reported["config"]
    assert [one[0] for one in history(client, path)] == ["rollback", "edit", "create"]
    none = client().post(f"{path}/rollback", json={"to": 2**62, "version": back.json()["version"]})
    assert none.status_code == 404


def test_versions_are_compared_key_by_key(client, stream):
    path, reported = stream
    later = (
        client().put(path, json={"config": reported["config"] | {"retries": 9}, "version": reported["version"]}).json()
    )
    wanted = [{"path": "retries", "before": None, "after": 9}]
    assert client().get(f"{path}/diff?from={reported['version']}").json()["changes"] == wanted
    assert client().get(f"{path}/diff?from={reported['version']}&to={later['version']}").json()["changes"] == wanted
    assert client().get(f"{path}/diff?from=999999").status_code == 404


def test_a_stream_is_paused_resumed_and_retired(client, stream):
    path, reported = stream
    key = reported["stream_key"]
    steps = [("pause", "paused", "now"), ("pause", "paused", "already"), ("resume", "active", "now")]
    for action, status, when in steps:
        answer = client("user").post(f"{path}/actions/{action}", json={})
        assert answer.json()["what"] == f"{key} is {status} {when}"
    assert client("user").request("DELETE", path).json()["what"] == f"{key} is retired now"
    assert client().get(path).json()["state"] == "retired"
    assert history(client, path)[:3] == [
        ("retire", "user", "retired"),
        ("resume", "user", "active"),
        ("pause", "user", "paused"),
    ]
    for action in ("pause", "trigger"):
        assert client().post(f"{path}/actions/{action}", json={}).status_code == 409
    assert client().put(path, json={"config": reported["config"], "version": reported["version"]}).status_code == 409


def test_a_stream_is_triggered_as_the_user(client, world):
    answer = client("user").post("/api/streams/yellowlive/Store1/actions/trigger", json={}).json()
    assert answer["dag_id"] == "yellowlive__Store1_ingestion"
    by = world.real.query("SELECT triggering_user_name, state FROM dag_run WHERE run_id = %s", answer["run_id"])
    assert by == [("user", "queued")]
    assert history(client, "/api/streams/yellowlive/Store1")[0] == ("trigger", "user", "active")
    world.real.query("DELETE FROM dag_run WHERE run_id = %s", answer["run_id"])


def test_a_trigger_is_no_change_that_another_would_have_to_know_of(client):
    path = "/api/streams/yellowforensic/Store1"
    before = client().get(path).json()
    assert client().post(f"{path}/actions/trigger", json={}).status_code == 200
    assert client().get(path).json()["version"] == before["version"]
    assert client().get(path).json()["by_hand"] is False


def test_a_trigger_makes_no_drift_and_hides_no_hand(client, world):
    """A row without history is one that the first sync takes over, also after somebody has triggered it."""
    world.merge_store("DELETE FROM yellowforensic_airflow_dsg_history WHERE stream_key IN ('Store1', 'Store2')")
    world.merge_store("UPDATE yellowforensic_airflow_dsg SET updated_at = now() WHERE stream_key = 'Store1'")
    client("user").put(
        "/api/streams/yellowforensic/Store2",
        json={
            "config": config("YellowForensic", "Store2", retries=9),
            "version": client().get("/api/streams/yellowforensic/Store2").json()["version"],
        },
    )
    for key in ("Store1", "Store2"):
        assert client("admin").post(f"/api/streams/yellowforensic/{key}/actions/trigger", json={}).status_code == 200
    with closing(psycopg2.connect(world.merge_dsn)) as connection:
        found = StreamTable(ControlSession(connection, "yellowforensic")).changes_by_hand()
    assert "Store1" not in found
    assert found["Store2"].changed_by == "user"


def test_a_stream_without_a_dag_cannot_be_triggered(client, stream):
    path, _ = stream
    answer = client().post(f"{path}/actions/trigger", json={})
    assert answer.status_code == 409
    assert answer.json()["code"] == DagNotThere.code


def test_work_on_batches_is_asked_of_the_operations_dag(client, world):
    body = {"reason": "the source was restored"}
    answer = client("user").post("/api/streams/yellowlive/Store2/actions/reset_batch", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["dag_id"] == "yellowlive_operations"
    ((conf,),) = world.real.query("SELECT conf FROM dag_run WHERE run_id = %s", answer.json()["run_id"])
    wanted = {"action": "reset_batch", "stream_key": "Store2", "by": "user", "reason": "the source was restored"}
    assert conf == wanted


def test_what_was_found_at_a_source_is_reported_with_when_and_makes_the_stream_failing(client, world):
    path = "/api/streams/yellowlive/Store2"
    before = client("viewer").get(f"{path}/source").json()
    assert before == {"checked_at": None, "source": None, "findings": [], "datasets": [], "left_out": 0}
    assert "check_source" in client().get(path).json()["actions"]
    finding = SourceFinding(CheckLevel.ERROR, "customers", "the job's user has no SELECT on it", "Grant it", "DF5602")
    check = SourceCheck("customer_db", (finding,), (ReadableDataset("addresses", "addresses", "version_diff", ""),))
    world.merge_store(
        "INSERT INTO yellowlive_source_checks VALUES ('Store2', now(), 'c0ffee', %s, %s)",
        *(str(finding), json.dumps(check.to_dict())),
    )
    try:
        world.let_it_see()
        found = client("viewer").get(f"{path}/source").json()
        assert found.pop("checked_at").endswith("Z")
        assert found == check.to_dict()
        one = client().get(path).json()
        assert one["state"] == "failing"
        assert "the job's user has no SELECT on it" in one["problem"]
    finally:
        world.merge_store("DELETE FROM yellowlive_source_checks")


def test_a_look_at_a_source_is_asked_of_the_operations_dag(client, world):
    answer = client("user").post("/api/streams/yellowlive/Store2/actions/check_source", json={})
    assert answer.status_code == 200, answer.text
    ((conf,),) = world.real.query("SELECT conf FROM dag_run WHERE run_id = %s", answer.json()["run_id"])
    assert conf == {"action": "check_source", "stream_key": "Store2", "by": "user"}


def test_a_retired_stream_is_purged_by_who_may_create_one_and_has_named_it(client, world):
    path = "/api/streams/yellowlive/Gone"
    assert "purge" in client().get(path).json()["actions"]
    assert "purge" not in client("user").get(path).json()["actions"]
    assert "purge" not in client().get("/api/streams/yellowlive/Store2").json()["actions"]
    for body, what in (({}, "it is missing"), ({"confirm": "Gon"}, "it is not the stream's key")):
        refused = client().post(f"{path}/actions/purge", json=body)
        assert (refused.status_code, refused.json()["problems"][0]["what"]) == (400, what)
    refused = client("user").post(f"{path}/actions/purge", json={"confirm": "Gone"})
    assert (refused.status_code, refused.json()["detail"]) == (403, "none of your roles may purge streams")
    answer = client().post(f"{path}/actions/purge", json={"confirm": "Gone", "reason": "nobody misses it"})
    assert answer.status_code == 200, answer.text
    run_id = answer.json()["run_id"]
    ((conf,),) = world.real.query("SELECT conf FROM dag_run WHERE run_id = %s", run_id)
    assert conf == {"action": "purge", "stream_key": "Gone", "by": "admin", "reason": "nobody misses it"}
    world.merge_store("DELETE FROM yellowlive_airflow_dsg WHERE stream_key = 'Gone'")
    world.real.query("UPDATE dag_run SET state = 'success' WHERE run_id = %s", run_id)
    world.let_it_see()
    assert client().get(path).status_code == 404
    state = client("viewer").get(f"{path}/requests/{run_id}").json()
    assert (state["ended"], state["error"]) == (True, None)
    assert client("narrow").get(f"{path}/requests/{run_id}").status_code == 403


def test_without_an_operations_dag_the_answer_says_so(client, world):
    world.real.query("UPDATE dag SET is_stale = true WHERE dag_id = 'yellowforensic_operations'")
    try:
        answer = client().post("/api/streams/yellowforensic/Store2/actions/allow_deletes", json={})
        assert answer.status_code == 503
        assert "yellowforensic_operations" in answer.json()["detail"]
    finally:
        world.real.query("UPDATE dag SET is_stale = false WHERE dag_id = 'yellowforensic_operations'")


def test_batches_are_reported_newest_first_and_paged(client):
    path = "/api/streams/yellowforensic/Store1/batches"
    reported = client().get(f"{path}?limit=2").json()["batches"]
    assert [one["batch_id"] for one in reported] == [5, 4]
    assert reported[0]["seconds"] == 2
    assert reported[0]["rows_per_second"] == 3.0
    assert {one["name"]: one["why"] for one in reported[0]["datasets"]} == dict.fromkeys(
        ("addresses", "customers"), "it is the first"
    )
    assert [one["batch_id"] for one in client().get(f"{path}?before=4").json()["batches"]] == [3, 2, 1]
    failed = client().get("/api/streams/yellowforensic/Failing/batches").json()["batches"]
    assert [(one["state"], one["error"], one["end"]) for one in failed] == [("failed", "the source is down", None)]


def test_the_schema_is_that_of_config_json(client):
    assert "stream_key" in client().get("/api/schema/stream").json()["required"]
