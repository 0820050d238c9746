"""What a new stream begins with: what its platform's settings say, and nothing that they forbid."""

from __future__ import annotations

import json
import re
from contextlib import closing

import psycopg2
import pytest

from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.sync.diff import SyncAction
from airflow_plugin.sync.plan import platform_plan
from config_schema.job_model import JobModels, state_of
from config_schema.load import load_model
from config_schema.schemas import json_schema
from config_schema.source_check import ReadableDataset, SourceCheck


def test_a_stream_that_begins_with_the_platforms_config_lacks_only_what_is_its_own(client):
    given = client().get("/api/platforms/yellowlive/config").json()["config"]
    own = {"stream_key": "Another", "store_name": "Another", "datasets": ["customers"]}
    assert set(json_schema("stream")["required"]) - set(given) == set(own)
    reported = client().post("/api/validate/yellowlive", json={"config": given | own}).json()
    assert reported == {"problems": []}


MODEL = """
name: Shop
platforms:
  - {name: YellowLive, milestoning: live, runner: process, namespace: ns, image: merge-job:1,
      merge_store: {host: h, database: d, credential: postgres}, model: {url: "https://git.example/m.git"}}
datastores:
  - name: Whole
    source: {host: pg-data, database: customer_db, credential: customer-db}
    datasets:
      - {name: customers, primary_key: [id], columns: [{name: id, type: integer, nullable: false}]}
      - {name: unused, primary_key: [id], columns: [{name: id, type: integer, nullable: false}]}
  - name: Single
    consistency: single_dataset
    source: {host: pg-data, database: other_db, credential: other-db}
    datasets:
      - {name: one, primary_key: [id], columns: [{name: id, type: integer, nullable: false}]}
      - {name: two, primary_key: [id], columns: [{name: id, type: integer, nullable: false}]}
  - name: Unused
    source: {host: pg-data, database: unused_db, credential: unused-db}
    datasets: [{name: rows, primary_key: [id], columns: [{name: id, type: integer, nullable: false}]}]
workspaces:
  - name: Reports
    dataset_groups:
      - name: Group
        retention: live
        sinks: [{datastore: Whole, dataset: customers}, {datastore: Single, dataset: one},
                {datastore: Single, dataset: two}]
"""
MAPPING = [
    {
        "dsgName": "Group",
        "workspace": "Reports",
        "assignments": [{"dataPlatform": "YellowLive", "status": "PROVISIONED"}],
    }
]


@pytest.fixture
def catalogue(world, tmp_path):
    """What sync records of a model: the rows of a commit, which is the one that was synced last."""
    (tmp_path / "ecosystem.yaml").write_text(MODEL)
    (tmp_path / "dsg_platform_mapping.json").write_text(json.dumps(MAPPING))
    model = load_model(tmp_path)
    rows = JobModels(model).of("YellowLive")
    state = state_of(rows, "d" * 40, model.ecosystem.platforms[0].model)
    with closing(psycopg2.connect(world.merge_dsn)) as connection, connection:
        session = ControlSession(connection, "yellowlive", "public")
        ModelState(session).record_commit("d" * 40, applied_by="sync")
        JobModelTable(session).write(rows, state)
    yield
    world.merge_store("DELETE FROM yellowlive_job_model; DELETE FROM yellowlive_model_state")


def config_of(client, **own):
    return client().get("/api/platforms/yellowlive/config").json()["config"] | own


WHOLE = {
    "stream_key": "Whole",
    "store_name": "Whole",
    "datasets": ["customers"],
    "source_credential_secret_name": "customer-db",
}


def test_what_a_stream_can_be_made_of_is_what_the_platform_ingests_of_the_synced_model(client, catalogue):
    found = client().get("/api/platforms/yellowlive/catalogue").json()
    assert found == {
        "stores": [
            {"name": "Single", "single_dataset": True, "datasets": ["one", "two"], "credential": "other-db"},
            {"name": "Whole", "single_dataset": False, "datasets": ["customers"], "credential": "customer-db"},
        ],
        "more": False,
    }


def test_the_schema_of_a_stream_is_of_the_model_the_source_and_the_merge_table_with_who_sees_it(
    client, world, catalogue, tmp_path
):
    world.write("YellowLive", config_of(client, **WHOLE))
    path = "/api/streams/yellowlive/Whole/schema"
    id_ = {"type": "integer", "is_key": True, "nullable": False, "classification": "internal"}
    view = {"in_schema": "ws_Reports", "view": "yellowlive_Reports_Group_Whole_customers_view_live"}
    consumer = {"workspace": "Reports", "group": "Group", **view, "masked": []}
    found = client("viewer").get(path).json()
    assert (found["is_modelled"], found["source_seen_at"], found["left_out"]) == (True, None, 0)
    (dataset,) = found["datasets"]
    assert (dataset["source_table"], dataset["merge_table"]) == ("customers", "yellowlive_Whole_customers_merge")
    assert dataset["columns"] == [{"name": "id", **id_, "source_type": None, "merge_type": None}]
    assert dataset["consumers"] == [consumer]
    check = SourceCheck(
        "customer_db", (), (ReadableDataset("customers", "c", "full", "", (("id", "bigint"), ("x", "y"))),)
    )
    insert = "INSERT INTO yellowlive_source_checks VALUES ('Whole', now(), 'c0ffee', NULL, %s)"
    world.merge_store(insert, json.dumps(check.to_dict()))
    world.merge_store('CREATE TABLE "yellowlive_Whole_customers_merge" (id integer, ds_batch_id integer)')
    try:
        found = client("viewer").get(path).json()
        assert found["source_seen_at"].endswith("Z")
        nothing = {"type": None, "is_key": False, "nullable": None, "classification": None}
        assert found["datasets"][0]["columns"] == [
            {"name": "id", **id_, "source_type": "bigint", "merge_type": "integer"},
            {"name": "x", **nothing, "source_type": "y", "merge_type": None},
            {"name": "ds_batch_id", **nothing, "source_type": None, "merge_type": "integer"},
        ]
        masked = "UPDATE yellowlive_job_model SET document = replace(document, '\"nullable\":false', %s)"
        world.merge_store(masked, '"classification":"pii"')
        found = client().get(path).json()["datasets"][0]
        assert (found["columns"][0]["classification"], found["columns"][0]["nullable"]) == ("pii", False)
        assert found["consumers"] == [consumer | {"masked": ["id"]}]
        for broken in ("{}", "no JSON", '{"datastore": [1]}'):
            world.merge_store("UPDATE yellowlive_job_model SET document = %s WHERE kind = 'stream'", broken)
            found = client().get(path).json()
            assert (found["is_modelled"], found["datasets"][0]["consumers"]) == (False, None)
            assert [one["name"] for one in found["datasets"][0]["columns"]] == ["id", "x", "ds_batch_id"]
    finally:
        world.merge_store('DROP TABLE "yellowlive_Whole_customers_merge"; DELETE FROM yellowlive_source_checks')


def test_who_may_create_none_sees_only_what_streams_that_they_may_see_are_made_of(client, catalogue):
    found = client("narrow").get("/api/platforms/yellowlive/catalogue").json()
    assert found == {"stores": [], "more": False}


# What a config can ask of a datastore: its datasets, also by names that are almost theirs, its secret, its kind.
GUESSES = [
    {},
    {"datasets": ["customers", "custmoers", "one", "oen"]},
    {"source_credential_secret_name": "postgres"},
    {"single_dataset": True, "datasets": ["one"]},
]


@pytest.mark.parametrize("guess", GUESSES, ids=str)
def test_of_what_others_streams_are_made_nothing_is_said(client, catalogue, guess):
    """Whoever may edit one stream could otherwise ask for all that the model has, name by name."""
    path = "/api/streams/yellowlive/Store1"
    version, answers = client("narrow").get(path).json()["version"], {"narrow": {}, "admin": {}}
    for user, of_user in answers.items():
        for name in ("Whole", "Single", "Nowhere"):
            config = config_of(client, **WHOLE | {"store_name": name, "stream_key": "Store1"} | guess)
            sent = [
                client(user).post("/api/validate/yellowlive", json={"config": config}),
                client(user).post("/api/preview/yellowlive", json={"config": config}),
                client(user).put(path, json={"config": config, "version": version}),
            ]
            assert [one.status_code for one in sent] == [200, 200, 400]
            of_user[name] = [re.sub(name, "NAME", one.text) for one in sent]
    assert answers["narrow"]["Whole"] == answers["narrow"]["Single"] == answers["narrow"]["Nowhere"]
    assert "DF4105" in answers["narrow"]["Whole"][2]
    assert answers["admin"]["Whole"] != answers["admin"]["Nowhere"]


def test_what_ones_own_streams_are_made_of_is_known(client, world, catalogue):
    """Of a datastore whose datasets are streams of their own, those that one may see."""
    world.merge_store(
        "UPDATE yellowlive_job_model SET key = 'Store1', document = replace(document, 'Whole', 'Store1')"
        ", digest = '' WHERE key = 'Whole'"
    )
    known = {"name": "Store1", "single_dataset": False, "datasets": ["customers"], "credential": "customer-db"}
    assert client("narrow").get("/api/platforms/yellowlive/catalogue").json()["stores"] == [known]
    own = WHOLE | {"store_name": "Store1", "stream_key": "Store1", "datasets": ["custmoers"]}
    answer = client("narrow").post("/api/validate/yellowlive", json={"config": config_of(client, **own)})
    (problem,) = (one for one in answer.json()["problems"] if one["code"].startswith("DF41"))
    assert (problem["code"], "'customers'" in problem["todo"]) == ("DF4106", True)


def test_without_what_sync_has_recorded_nothing_is_known_and_nothing_refused(client, world, catalogue):
    world.merge_store("UPDATE yellowlive_model_state SET model_commit = 'of an older program'")
    assert client().get("/api/platforms/yellowlive/catalogue").json() == {"stores": None, "more": False}
    config = config_of(client, **WHOLE | {"store_name": "Nowhere", "stream_key": "Nowhere"})
    assert client().post("/api/validate/yellowlive", json={"config": config}).json() == {"problems": []}


@pytest.mark.parametrize(
    ("own", "codes"),
    [
        ({}, []),
        ({"store_name": "Hwole", "stream_key": "Hwole"}, [("store_name", "DF4105")]),
        ({"store_name": "Unused", "stream_key": "Unused", "datasets": ["rows"]}, [("store_name", "DF4105")]),
        ({"datasets": ["customers", "custmoers", "unused"]}, [("datasets", "DF4106")] * 2),
        ({"source_credential_secret_name": "postgres"}, [("source_credential_secret_name", "DF4107")]),
        ({"single_dataset": True, "stream_key": "Whole#customers"}, [("single_dataset", "DF4106")]),
    ],
)
def test_what_the_model_lacks_is_a_problem_before_anything_is_saved(client, catalogue, own, codes):
    config = config_of(client, **WHOLE | own)
    for path in ("validate", "preview"):
        problems = client().post(f"/api/{path}/yellowlive", json={"config": config}).json()["problems"]
        assert [(one["path"], one["code"]) for one in problems if one["code"].startswith("DF41")] == codes
    if codes:
        answer = client().post("/api/streams/yellowlive", json={"config": config})
        assert answer.status_code == 400, answer.text
        assert {one["code"] for one in answer.json()["problems"]} >= {code for _, code in codes}


def test_a_stream_whose_datastore_has_left_the_model_can_still_be_changed_otherwise(client, world, catalogue):
    path = "/api/streams/yellowlive/Store2"
    now = client().get(path).json()
    change = {"config": now["config"] | {"retries": 5}, "version": now["version"]}
    saved = client().put(path, json=change)
    assert saved.status_code == 200, saved.text
    change = {"config": now["config"] | {"datasets": ["other"]}, "version": saved.json()["version"]}
    refused = client().put(path, json=change)
    assert (refused.status_code, refused.json()["problems"][0]["code"]) == (400, "DF4105")


def test_a_platform_that_is_not_there_has_no_config(client):
    assert client().get("/api/platforms/nowhere/config").status_code == 404


def test_a_stream_that_is_made_here_is_drift_to_a_sync_of_a_model_without_it_and_stays(client, world):
    given = client().get("/api/platforms/yellowlive/config").json()["config"]
    own = {"stream_key": "Made", "store_name": "Made", "datasets": ["customers"]}
    answer = client().post("/api/streams/yellowlive", json={"config": given | own})
    assert answer.status_code == 201, answer.text

    with closing(psycopg2.connect(world.merge_dsn)) as connection:
        session = ControlSession(connection, "yellowlive", "public")
        kept, overwritten = (
            {one.stream_key: one for one in platform_plan(session, "YellowLive", {}, "c", overwrite_drift=over).changes}
            for over in (False, True)
        )
    assert (kept["Made"].kind, overwritten["Made"].kind) == (SyncAction.DRIFT, SyncAction.RETIRE)
    assert kept["Made"].by_hand.changed_by == "admin"
    said = client().get("/api/openapi.json").json()["paths"]["/api/streams/{platform}"]["post"]["description"]
    assert "Syncs of the model keep it, and show it as drift" in said
