"""What lists say of streams: their states, who sees which, and what they can be asked."""

from __future__ import annotations

import pytest

STATES = {
    "Store1": "ok",
    "Store1#customers": "never_run",
    "Store2": "late",
    "Failing": "failing",
    "Broken": "set_aside",
    "Resting": "paused",
    "Gone": "retired",
    "New": "never_run",
}


def of_platform(answer, platform="yellowlive"):
    return {one["stream_key"]: one for one in answer.json()["streams"] if one["platform"] == platform}


def test_each_stream_is_in_the_state_that_is_the_worst_to_be_said_of_it(client):
    found = of_platform(client().get("/api/streams?platform=yellowlive"))
    assert {key: one["state"] for key, one in found.items() if key in STATES} == STATES


def test_a_card_tells_of_the_last_run_the_last_batch_and_freshness(client):
    store1 = of_platform(client().get("/api/streams?q=store1"))["Store1"]
    assert store1["last_run"]["run_id"] == "run_Store1_5"
    assert store1["success_rate"] == 1.0
    assert store1["counts"] == {"inserted": 5, "updated": 1, "deleted": 0, "total": 18}
    assert store1["freshness"]["met"] is True
    assert store1["dag_id"] == "yellowlive__Store1_ingestion"
    broken = of_platform(client().get("/api/streams?state=set_aside"))["Broken"]
    assert "'often' is not well formed" in broken["problem"]


def test_the_overview_counts_streams_and_what_was_moved(client):
    reported = client().get("/api/overview").json()
    counted = {one["platform"]: one["streams"] for one in reported["platforms"]}
    others = {"ok": 2, "late": 0, "never_succeeded": 0, "unknown": 0, "total": 7}
    assert counted["yellowforensic"] == dict.fromkeys(counted["yellowforensic"], 1) | others
    assert {one["stream_key"] for one in reported["failing"]} == {"Failing"}
    moved = [one for one in reported["moved"] if one["platform"] == "yellowforensic"]
    assert sum(one["batches"] for one in moved) == 10
    assert sum(one["inserted"] for one in moved) == 30


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("q=STORE2", ["Store2"]),
        ("status=paused", ["Resting"]),
        ("state=failing", ["Failing"]),
        ("sort=-stream_key&limit=1", ["Store2"]),
        ("sort=stream_key&limit=1&offset=1", ["Failing"]),
        ("q=%25", []),
        ("sort=state", ["Broken", "Failing", "Store1", "Store2", "New", "Resting", "Gone"]),
        ("dag_id=yellowforensic__Store2_ingestion", ["Store2"]),
        ("dag_id=yellowforensic_health", []),
    ],
)
def test_lists_are_filtered_sorted_and_paged(client, query, keys):
    answer = client().get(f"/api/streams?platform=yellowforensic&{query}")
    assert [one["stream_key"] for one in answer.json()["streams"]] == keys


def test_the_current_streams_are_all_that_are_not_retired(client):
    everything = of_platform(client().get("/api/streams?platform=yellowlive"))
    current = of_platform(client().get("/api/streams?platform=yellowlive&status=current"))
    assert everything.keys() - current.keys() == {key for key, one in everything.items() if one["state"] == "retired"}
    assert "Gone" in everything.keys() - current.keys()


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "sort=config_json", "state=bad", "offset=-1", "q=" + "x" * 256]
)
def test_a_query_that_cannot_be_is_refused_with_its_key(client, query):
    answer = client().get(f"/api/streams?{query}")
    assert answer.status_code == 400
    assert [one["path"] for one in answer.json()["problems"]] == [query.partition("=")[0]]


def test_one_sees_only_streams_whose_dag_one_may_read(client):
    assert [one["stream_key"] for one in client("narrow").get("/api/streams").json()["streams"]] == ["Store1"]
    assert [one["platform"] for one in client("narrow").get("/api/platforms").json()["platforms"]] == ["yellowlive"]
    assert client("nobody").get("/api/streams").json() == {"total": 0, "next": None, "streams": [], "unknown": []}
    assert client("nobody").get("/api/overview").json()["platforms"] == []
    (platform,) = client("narrow").get("/api/overview").json()["platforms"]
    assert platform["streams"]["total"] == 1


def test_who_may_edit_is_informed(client):
    for user, can in (("viewer", False), ("user", True)):
        found = of_platform(client(user).get("/api/streams?q=Store2"))
        assert found["Store2"]["can_edit"] is can


def test_only_a_role_of_the_settings_may_create(client):
    reported = {user: client(user).get("/api/me").json() for user in ("viewer", "user", "admin")}
    assert reported["viewer"] == {"name": "viewer", "can_create": False}
    assert [reported["user"]["can_create"], reported["admin"]["can_create"]] == [False, True]


def test_status_tells_whether_needs_are_met(client):
    reported = of_platform(client().get("/api/status"))
    assert {key: reported[key]["met"] for key in ("Store1", "Store2", "New")} == {
        "Store1": True,
        "Store2": False,
        "New": None,
    }
