"""Many retired streams purged in one request: who may, what is asked of the operations DAG, and a result for each."""

from __future__ import annotations

import pytest

from tests.airflow.conftest import config

PATH = "/api/platforms/yellowlive/purges"
KEYS = ["Old1", "Old2", "Old3"]


@pytest.fixture(autouse=True)
def old(world):
    world.put_back()
    world.write("YellowLive", *(config("YellowLive", key) for key in KEYS), status="retired")
    yield
    world.real.query("DELETE FROM dag_run WHERE dag_id = 'yellowlive_operations'")


def asked(client, keys, user="admin", **more):
    return client(user).post(PATH, json={"stream_keys": keys, "confirm": len(keys), **more})


def test_one_run_is_asked_for_those_that_can_go_and_the_others_say_why_not(client, world):
    answer = asked(client, [*KEYS, "Store1", "Nowhere"], reason="nobody misses them")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["dag_id"] == "yellowlive_operations"
    said = [(one["stream_key"], one["is_done"], one["what"]) for one in found["results"]]
    assert said == [("Store1", False, "it is active, not retired"), ("Nowhere", False, "there is no such stream")]
    ((conf,),) = world.real.query("SELECT conf FROM dag_run WHERE run_id = %s", found["run_id"])
    assert conf == {"action": "purge", "stream_keys": KEYS, "by": "admin", "reason": "nobody misses them"}
    again = asked(client, KEYS).json()
    assert (again["run_id"], {one["what"] for one in again["results"]}) == (None, {"it is being purged already"})


@pytest.mark.parametrize("confirm", [None, 2, 0])
def test_without_the_number_of_streams_nothing_is_asked_for(client, world, confirm):
    answer = asked(client, KEYS, confirm=confirm)
    assert (answer.status_code, answer.json()["problems"][0]["path"]) == (400, "confirm")
    assert world.real.query("SELECT 1 FROM dag_run WHERE dag_id = 'yellowlive_operations'") == []


@pytest.mark.parametrize("keys", [[], [f"Old{n}" for n in range(101)], "Old1"])
def test_none_and_too_many_are_refused(client, keys):
    assert asked(client, keys).status_code == 400


def test_who_may_create_none_may_purge_none(client, world):
    for user in ("user", "editor", "narrow", "viewer"):
        assert asked(client, KEYS, user).status_code == 403
    assert world.real.query("SELECT 1 FROM dag_run WHERE dag_id = 'yellowlive_operations'") == []


def states(client, run, user="admin"):
    answer = client(user).get(f"{PATH}/{run}")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return found["ended"], [(one["is_done"], one["what"]) for one in found["results"]]


def test_the_run_is_followed_to_its_end_and_says_of_each_stream_what_became_of_it(client, world):
    run = asked(client, KEYS).json()["run_id"]
    assert states(client, run) == (False, [(False, "it waits for its turn")] * 3)
    world.merge_store("DELETE FROM yellowlive_airflow_dsg WHERE stream_key = 'Old1'")
    assert states(client, run)[1][0] == (True, "purged")
    world.merge_store(
        "INSERT INTO yellowlive_airflow_dsg_history"
        " (stream_key, change, changed_by, changed_at, after_config_json, after_status, reason)"
        " VALUES ('Old2', 'not_purged', 'admin', now(), '{}', 'retired', 'view theirs is built on it')"
    )
    world.real.query("UPDATE dag_run SET state = 'failed' WHERE run_id = %s", run)
    ended, results = states(client, run)
    assert ended
    assert results[:2] == [(True, "purged"), (False, "view theirs is built on it")]
    assert results[2][0] is False
    assert "no reason was recorded" in results[2][1]


@pytest.mark.parametrize("run", ["none", "manual__x", "%0A"])
def test_a_run_that_purges_none_is_not_found(client, run):
    assert client().get(f"{PATH}/{run}").status_code == 404


def test_who_may_see_none_of_them_learns_nothing_of_the_run(client, world):
    run = asked(client, KEYS).json()["run_id"]
    assert client("nobody").get(f"{PATH}/{run}").status_code == 403
    assert client("narrow").get(f"{PATH}/{run}").status_code == 404
