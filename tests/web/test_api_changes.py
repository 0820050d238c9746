"""What a batch changed: counts for everybody who sees the stream, values for who may see data, with their name."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from psycopg2.extras import Json

from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from config_schema.job_model import JobModels, state_of
from config_schema.load import load_model
from tests.airflow.conftest import config
from tests.web.world import DATA_ROLE

MODEL = """
name: Shop
platforms:
  - &live {name: YellowLive, milestoning: live, runner: process, namespace: ns, image: merge-job:1,
      merge_store: {host: h, database: d, credential: postgres}, model: {url: "https://git.example/m.git"}}
  - {<<: *live, name: YellowForensic, milestoning: forensic}
datastores:
  - name: Store1
    source: {host: pg-data, database: customer_db, credential: customer-db}
    datasets:
      - name: customers
        primary_key: [id]
        columns:
          - {name: id, type: integer, nullable: false}
          - {name: firstName, type: text}
          - {name: email, type: text, classification: CLASSIFIED}
workspaces:
  - name: Reports
    masks: true
    dataset_groups:
      - {name: Group, retention: live, sinks: [{datastore: Store1, dataset: customers}]}
      - {name: Past, retention: forensic, sinks: [{datastore: Store1, dataset: customers}]}
"""
PLATFORMS = {"YellowLive": "Group", "YellowForensic": "Past"}
BATCH = 900
PATHS = {name: f"/api/streams/{name.lower()}/Store1/batches/{BATCH}" for name in PLATFORMS}
FORENSIC, LIVE = PATHS["YellowForensic"], PATHS["YellowLive"]
KEYS = [
    {
        "change": "updated",
        "key": {"id": "7"},
        "values": {"firstName": {"old": "Ada", "new": None}, "email": {"old": "a@b", "new": "c@d"}},
        "hidden": ["phone"],
    }
]
NUMBERS = {"inserted": 3, "updated": 2, "deleted": 1, "updated_columns": {"firstName": 2, "email": 1}}
COUNTS = {
    "inserted": 3,
    "updated": 2,
    "deleted": 1,
    "why": None,
    "todo": None,
    "updated_columns": [{"name": "firstName", "rows": 2}, {"name": "email", "rows": 1}],
}
NOTHING = {"inserted": None, "updated": None, "deleted": None, "updated_columns": [], "why": None, "todo": None}


@pytest.fixture
def modelled(world, tmp_path):
    """A function that records a model as sync does, with the classification of a column."""

    def record(classification: str) -> None:
        (tmp_path / "ecosystem.yaml").write_text(MODEL.replace("CLASSIFIED", classification))
        mapping = [
            {
                "dsgName": group,
                "workspace": "Reports",
                "assignments": [{"dataPlatform": platform, "status": "PROVISIONED"}],
            }
            for platform, group in PLATFORMS.items()
        ]
        (tmp_path / "dsg_platform_mapping.json").write_text(json.dumps(mapping))
        model = load_model(tmp_path)
        for platform in PLATFORMS:
            rows = JobModels(model).of(platform)
            state = state_of(rows, "d" * 40, model.ecosystem.platforms[0].model)
            with closing(psycopg2.connect(world.merge_dsn)) as connection, connection:
                session = ControlSession(connection, platform.lower(), "public")
                ModelState(session).record_commit("d" * 40, applied_by="sync")
                JobModelTable(session).write(rows, state)

    world.write("YellowForensic", config("YellowForensic", milestoning="forensic"))
    record("pii")
    yield record
    for platform in PLATFORMS:
        world.merge_store(f"DELETE FROM {platform}_job_model; DELETE FROM {platform}_model_state")


@pytest.fixture
def batch(world, modelled):
    """A function that makes a committed batch of a platform's Store1 with a state."""

    def make(platform: str, **state: object) -> None:
        world.merge_store(f"DELETE FROM {platform}_batch_metrics WHERE batch_id = {BATCH}")
        world.batch(platform, "Store1", BATCH, datetime.now(UTC), state=Json({"attempt": "a", **state}))
        world.let_it_see()

    yield make
    for platform in PLATFORMS:
        world.merge_store(f"DELETE FROM {platform}_batch_metrics WHERE batch_id = {BATCH}")
    world.real.query("DELETE FROM dag_run WHERE dag_id LIKE '%%_operations'")
    world.let_it_see()


def values(keys=KEYS, **left: float):
    until = (datetime.now(UTC) + timedelta(**(left or {"minutes": 50}))).isoformat()
    return {"until": until, "datasets": {"customers": keys}}


def of_customers(answer):
    assert answer.status_code == 200, answer.text
    return next(one for one in answer.json()["datasets"] if one["name"] == "customers")


def looks(world, platform="yellowforensic"):
    return world.merge_store(
        f"SELECT changed_by, reason FROM {platform}_airflow_dsg_history"
        " WHERE stream_key = 'Store1' AND change = 'show_changes' ORDER BY id"
    )


def test_everybody_who_sees_the_stream_sees_the_counts_and_no_value(client, batch):
    batch("YellowForensic", changes={"customers": {**NUMBERS, "keys": []}}, values=values())
    answer = client("viewer").get(f"{FORENSIC}/changes")
    assert of_customers(answer) == {"name": "customers", **COUNTS}
    assert "Ada" not in answer.text
    found = answer.json()
    assert (found["batch_id"], found["left_out"]) == (BATCH, 0)
    assert (found["has_values"], found["may_see_values"], found["may_ask"]) == (True, False, False)
    found = client("user").get(f"{FORENSIC}/changes").json()
    assert (found["has_values"], found["may_see_values"], found["may_ask"]) == (True, True, True)
    for user, status in (("nobody", 403), ("narrow", 403)):
        assert client(user).get(f"{FORENSIC}/changes").status_code == status


def test_values_are_for_who_may_see_data_and_the_history_says_who_looked(client, world, batch):
    batch("YellowForensic", changes={"customers": {**NUMBERS, "keys": []}}, values=values())
    before = looks(world)
    for user in ("viewer", "nobody", "narrow", "admin"):  # an admin has no role of the settings' data roles
        answer = client(user).post(f"{FORENSIC}/values", json={})
        assert answer.status_code == 403
        assert "Ada" not in answer.text
    assert looks(world) == before
    assert DATA_ROLE == "user"
    answer = client("user").post(f"{FORENSIC}/values", json={"reason": "a ticket"})
    assert of_customers(answer)["keys"] == [
        {
            "change": "updated",
            "key": [{"column": "id", "value": "7"}],
            "values": [{"column": "firstName", "old": "Ada", "new": None}],
            "hidden": ["phone", "email"],
        }
    ]
    assert answer.json()["is_modelled"] is True
    assert "a@b" not in answer.text  # which is PII in the model
    assert looks(world) == [*before, ("user", "a ticket")]


def test_what_is_pii_by_now_is_hidden_and_all_is_where_nobody_knows(client, world, batch, modelled):
    batch("YellowForensic", values=values())
    modelled("internal")
    shown = of_customers(client("user").post(f"{FORENSIC}/values", json={}))["keys"][0]
    assert [one["column"] for one in shown["values"]] == ["email", "firstName"]
    world.merge_store("DELETE FROM yellowforensic_job_model")
    answer = client("user").post(f"{FORENSIC}/values", json={})
    assert of_customers(answer)["keys"] == [
        {"change": "updated", "key": None, "values": [], "hidden": ["phone", "email", "firstName"]}
    ]
    assert answer.json()["is_modelled"] is False


@pytest.mark.parametrize("given", [None, values(minutes=-1), {"until": "soon", "datasets": {"customers": KEYS}}, 7])
def test_values_whose_hour_is_over_are_shown_to_nobody_and_nobody_has_looked(client, world, batch, given):
    batch("YellowForensic", changes={"customers": {**NUMBERS, "keys": []}}, values=given)
    before = looks(world)
    assert client("user").get(f"{FORENSIC}/changes").json()["has_values"] is False
    answer = client("user").post(f"{FORENSIC}/values", json={})
    assert answer.status_code == 409
    assert "Ada" not in answer.text
    assert looks(world) == before


def test_a_live_batch_has_what_it_has_kept_itself_or_says_what_to_do(client, world, batch):
    batch("YellowLive", changes={"customers": {**NUMBERS, "keys": KEYS}})
    found = client("user").get(f"{LIVE}/changes")
    assert of_customers(found) == {"name": "customers", **COUNTS}
    assert (found.json()["has_values"], found.json()["may_ask"]) == (True, False)
    before = looks(world, "yellowlive")
    assert "Ada" in client("user").post(f"{LIVE}/values", json={}).text
    assert looks(world, "yellowlive") == [*before, ("user", None)]
    batch("YellowLive")
    one = of_customers(client("viewer").get(f"{LIVE}/changes"))
    assert one["inserted"] is None
    assert "a live table has no earlier rows" in one["why"]
    assert "keep_changes" in one["todo"]


def test_a_forensic_batch_that_nobody_has_looked_at_is_unknown_and_may_be_asked_for(client, world, batch):
    batch("YellowForensic")
    assert of_customers(client("user").get(f"{FORENSIC}/changes")) == {"name": "customers", **NOTHING}
    action = "/api/streams/yellowforensic/Store1/actions/show_changes"
    answer = client("user").post(action, json={"changes": {"batch": BATCH, "keys": 5}, "reason": "a ticket"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["dag_id"] == "yellowforensic_operations"
    ((conf,),) = world.real.query("SELECT conf FROM dag_run WHERE run_id = %s", answer.json()["run_id"])
    assert conf == {
        "action": "show_changes",
        "stream_key": "Store1",
        "by": "user",
        "reason": "a ticket",
        "batch": BATCH,
        "keys": 5,
    }
    assert client("user").post(action, json={"changes": {"batch": BATCH}}).status_code == 409  # it is asked for


def test_numbers_may_be_asked_for_without_the_right_to_see_data_and_values_not(client, world, batch):
    batch("YellowForensic")
    action = "/api/streams/yellowforensic/Store1/actions/show_changes"
    assert client("admin").post(action, json={"changes": {"batch": BATCH, "keys": 1}}).status_code == 403
    assert client("viewer").post(action, json={"changes": {"batch": BATCH}}).status_code == 403
    assert world.real.query("SELECT 1 FROM dag_run WHERE dag_id = 'yellowforensic_operations'") == []
    assert client("admin").post(action, json={"changes": {"batch": BATCH}}).status_code == 200


@pytest.mark.parametrize(
    "changes", [None, {}, {"batch": 0}, {"batch": BATCH, "keys": 21}, {"batch": BATCH, "keys": -1}, {"batch": "x"}, 7]
)
def test_what_names_no_batch_or_too_many_keys_is_refused(client, world, batch, changes):
    batch("YellowForensic")
    action = "/api/streams/yellowforensic/Store1/actions/show_changes"
    assert client("user").post(action, json={"changes": changes}).status_code == 400
    assert world.real.query("SELECT 1 FROM dag_run WHERE dag_id = 'yellowforensic_operations'") == []


def test_why_nothing_is_known_of_a_dataset_is_said(client, batch):
    why = {"what": "batch 900 ended more than 3 days ago", "todo": "Choose a later batch"}
    batch("YellowForensic", changes={}, changes_unknown={"customers": why})
    one = of_customers(client("viewer").get(f"{FORENSIC}/changes"))
    assert (one["inserted"], one["why"], one["todo"]) == (None, why["what"], why["todo"])


@pytest.mark.parametrize("path", [f"/api/streams/yellowforensic/Store1/batches/{one}" for one in (77_777, 2**31 - 1)])
def test_a_batch_that_is_not_there_is_not_found(client, batch, path):
    batch("YellowForensic")
    assert client("user").get(f"{path}/changes").status_code == 404
    assert client("user").post(f"{path}/values", json={}).status_code == 404


@pytest.mark.parametrize(
    "odd",
    [7, "x", [], {"customers": 7}, {"customers": {"inserted": "x"}}, {"customers": {**NUMBERS, "updated_columns": []}}],
)
def test_what_another_version_has_kept_in_another_form_is_unknown(client, batch, odd):
    batch("YellowForensic", changes=odd, changes_unknown=odd, values={"until": "9999-01-01T00:00:00Z", "datasets": odd})
    assert of_customers(client("user").get(f"{FORENSIC}/changes"))["inserted"] is None
    batch("YellowForensic", values=values([{"change": "updated"}, 7]))
    assert client("user").post(f"{FORENSIC}/values", json={}).json()["datasets"] == []


def test_more_than_a_job_keeps_is_not_read(client, batch):
    batch("YellowForensic", changes={"customers": {**NUMBERS, "x": "y" * 2_000_001}})
    assert of_customers(client("user").get(f"{FORENSIC}/changes")) == {"name": "customers", **NOTHING}
