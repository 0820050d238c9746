"""Many streams paused, resumed or retired in one request: each by its own rights, with its own result and history."""

from __future__ import annotations

import pytest

from airflow_plugin.streams.changing import MOST_CHANGES
from airflow_plugin.web.errors import NotAllowed, RequestInvalid
from tests.airflow.conftest import config

KEYS = ["Many1", "Many2", "Many3"]
PATH = "/api/platforms/yellowlive/actions"


@pytest.fixture
def many(world):
    world.put_back()
    world.write("YellowLive", *(config("YellowLive", key) for key in KEYS))
    world.write("YellowLive", config("YellowLive", "Old"), status="retired")


def asked(client, action, keys, user="admin", **more):
    answer = client(user).post(f"{PATH}/{action}", json={"stream_keys": keys, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def words(answer):
    return {one["stream_key"]: (one["is_done"], one["what"]) for one in answer["results"]}


def statuses(world):
    return dict(world.merge_store("SELECT stream_key, status FROM yellowlive_airflow_dsg"))


def test_each_stream_gets_its_result_its_history_and_a_parse(client, world, many):
    answer = asked(client, "pause", KEYS, "user", reason="the source moves")
    assert words(answer) == dict.fromkeys(KEYS, (True, "paused now"))
    assert [one["stream_key"] for one in answer["results"]] == KEYS
    assert answer["parse"]["files"]
    for key in KEYS:
        last = client().get(f"/api/streams/yellowlive/{key}/history").json()["versions"][0]
        assert (last["action"], last["by"], last["reason"], last["status"]) == (
            "pause",
            "user",
            "the source moves",
            "paused",
        )
    again = asked(client, "pause", KEYS)
    assert words(again) == dict.fromkeys(KEYS, (True, "paused already"))
    assert again["parse"] is None
    assert words(asked(client, "resume", KEYS[:1])) == {"Many1": (True, "active now")}
    assert {key: statuses(world)[key] for key in KEYS} == {"Many1": "active", "Many2": "paused", "Many3": "paused"}


def test_what_stops_one_stream_stops_no_other(client, world, many):
    world.merge_store(
        "INSERT INTO yellowlive_airflow_dsg_history"
        " (stream_key, change, changed_by, changed_at, after_config_json, after_status)"
        " SELECT 'Resting', 'set', 'ann', now(), '{}', 'paused' FROM generate_series(1, %s)",
        MOST_CHANGES,
    )
    asked(client, "pause", ["Many1"])
    found = words(asked(client, "resume", ["Many1", "Old", "Gone", "Nowhere", "Resting", "Broken"]))
    assert found.pop("Many1") == (True, "active now")
    assert found.pop("Broken") == (True, "active already")
    assert found.keys() == {"Old", "Gone", "Nowhere", "Resting"}
    assert not any(done for done, _ in found.values())
    assert "a stream that is retired cannot be active" in found["Old"][1]
    assert found["Nowhere"][1] == "there is no such stream"
    assert "changed by hand 100 times" in found["Resting"][1]
    found = words(asked(client, "pause", ["Broken", "Many2"]))
    assert (found["Broken"][0], "'often' is not well formed" in found["Broken"][1]) == (False, True)
    assert found["Many2"] == (True, "paused now")
    assert words(asked(client, "retire", ["Broken", "Many2"])) == dict.fromkeys(
        ("Broken", "Many2"), (True, "retired now")
    )


def test_only_those_that_the_user_may_edit_are_changed_whether_others_exist_or_not(client, world, many):
    answer = asked(client, "pause", ["Store1", "Many1", "Nowhere"], "narrow")
    assert words(answer) == {
        "Store1": (True, "paused now"),
        "Many1": (False, "you may not edit yellowlive__Many1_ingestion"),
        "Nowhere": (False, "you may not edit yellowlive__Nowhere_ingestion"),
    }
    assert statuses(world)["Many1"] == "active"
    refused = client("viewer").post(f"{PATH}/pause", json={"stream_keys": KEYS})
    assert (refused.status_code, refused.json()["code"]) == (403, NotAllowed.code)
    assert client("admin").post("/api/platforms/nowhere/actions/pause", json={"stream_keys": KEYS}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"stream_keys": []}, {"stream_keys": ["x"] * 501}, {"stream_keys": ["x" * 256]}, {"stream_keys": [1]}]
    + [{"stream_keys": ["Many1"], "reason": reason} for reason in ("", " ", "a\nb", "x" * 1001)],
)
def test_what_is_no_request_is_refused_and_changes_nothing(client, world, many, body):
    answer = client().post(f"{PATH}/retire", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, RequestInvalid.code)
    assert statuses(world)["Many1"] == "active"


def test_keys_that_no_database_takes_are_no_streams(client, many):
    found = words(asked(client, "pause", ["Many1", "a\x00b", "Many1"]))
    assert found["Many1"] == (True, "paused now")
    assert not found["a\x00b"][0]


def test_a_search_with_wildcards_is_the_pattern_of_the_commands(client, many):
    def found(text):
        answer = client().get("/api/streams", params={"q": text, "platform": "yellowlive"}).json()
        return [one["stream_key"] for one in answer["streams"]]

    assert found("many?") == KEYS
    assert found("M*2") == ["Many2"]
    assert found("any2") == ["Many2"]
    assert found("any*") == []
