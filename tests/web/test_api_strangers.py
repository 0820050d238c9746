"""Users with rights on some DAGs only: what is not theirs answers as what does not exist, in every route.

`narrow` may see and edit yellowlive's Store1, and `maker`, with the same rights, may create streams as well.
"""

from __future__ import annotations

import re

import pytest

from tests.airflow.conftest import config
from tests.web.test_api_rights import ROUTES, Route

ABSENT = "NotThere"
FOREIGN = ["Store2", "Failing", "Resting", "Gone", "Broken"]  # active, failing, paused, retired, quarantined
OF_A_STREAM = [one for one in ROUTES if "{key}" in one.described or "{run_id}" in one.described]
OF_A_PLATFORM = [one for one in ROUTES if "{platform}" in one.described]
STATIC = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("yellowlive__OfAFile_ingestion", schedule=None):
    EmptyOperator(task_id="another_teams")
"""


def by_path(routes: list[Route]):
    return pytest.mark.parametrize("route", routes, ids=lambda route: f"{route.method} {route.path}")


def asked(client, route: Route, old: str, new: str) -> tuple[int, str]:
    """Status and body, in which the name that was asked for is left out."""
    answer = client.request(route.method, route.path.replace(old, new), json=route.body)
    return answer.status_code, answer.text.replace(new, "NAME")


@by_path(OF_A_STREAM)
@pytest.mark.parametrize("user", ["narrow", "maker"])
def test_a_stream_of_others_answers_as_one_that_is_not_there(client, route, user):
    asking = client(user)
    there = {asked(asking, route, "Store2", key) for key in FOREIGN}
    assert there == {asked(asking, route, "Store2", ABSENT)}


@by_path(OF_A_PLATFORM)
@pytest.mark.parametrize("user", ["narrow", "nobody"])
def test_a_platform_of_others_answers_as_one_that_is_not_there(client, route, user):
    old = "yellowforensic" if "yellowforensic" in route.path else "yellowlive"
    asking = client(user)
    assert asked(asking, route, old, "yellowforensic") == asked(asking, route, old, "nowhere")


@pytest.mark.parametrize(
    "list_of", ["streams?q={}", "streams?dag_id=yellowlive__{}_ingestion", "runs?stream={}", "runs?q={}"]
)
def test_searches_and_counts_hold_no_stream_of_others(client, list_of):
    there, absent = (client("narrow").get(f"/api/{list_of.format(key)}").json() for key in ("Store2", ABSENT))
    assert there == absent
    assert there["total"] == 0


def test_the_overview_counts_only_what_may_be_seen(client):
    reported = client("narrow").get("/api/overview")
    (platform,) = reported.json()["platforms"]
    assert platform["streams"]["total"] == 1
    assert all(key not in reported.text for key in (*FOREIGN, "yellowforensic"))
    assert client("narrow").get("/api/status").json()["total"] == 1


def test_a_change_of_others_is_not_in_the_history_of_ones_own(client):
    others = client().get("/api/streams/yellowlive/Store2/history").json()["versions"][0]["version"]
    path = "/api/streams/yellowlive/Store1"
    version = client("narrow").get(path).json()["version"]
    reported = []
    for number in (others, 10**12):
        answers = [
            client("narrow").get(f"{path}/diff?from={number}"),
            client("narrow").post(f"{path}/rollback", json={"to": number, "version": version}),
        ]
        # Not within another number: an answer has its status, its code and a year in it.
        alone = rf"(?<![0-9]){number}(?![0-9])"
        reported.append([(one.status_code, re.sub(alone, "NUMBER", one.text)) for one in answers])
    assert reported[0] == reported[1]


WRONG = {"schedule": "often"}


@pytest.mark.parametrize("action", ["validate", "preview"])
@pytest.mark.parametrize("more", [{}, WRONG], ids=["sound", "wrong"])
@pytest.mark.parametrize("user", ["narrow", "maker"])
def test_a_config_for_a_key_of_others_is_judged_as_for_a_free_one(client, action, more, user):
    """Also for a key that would have the DAG of another, Store1#customers."""
    reported = {}
    for key in (*FOREIGN, "Store1__customers", ABSENT):
        answer = client(user).post(f"/api/{action}/yellowlive", json={"config": config("YellowLive", key, **more)})
        assert answer.status_code == 200
        body = answer.json()
        if body.get("dag"):
            body["dag"] = sorted(body["dag"])
        body["changes"] = sorted(one["path"] for one in body.get("changes", ()))
        reported[key] = str(body).replace(key, "NAME")
    assert len(set(reported.values())) == 1, reported


def test_a_key_that_is_taken_by_others_cannot_be_used_and_nothing_says_by_what(client, world):
    file = world.real.dags_folder / "another.py"
    file.write_text(STATIC)
    world.real.parse()
    try:
        reported = set()
        for key in (*FOREIGN, "Store1__customers", "OfAFile"):
            answer = client("maker").post("/api/streams/yellowlive", json={"config": config("YellowLive", key)})
            reported.add((answer.status_code, answer.text.replace(key, "NAME")))
    finally:
        file.unlink()
        world.real.parse()
    ((status, text),) = reported
    assert status == 409
    assert "the key NAME cannot be used" in text


def test_a_wrong_config_says_nothing_of_whether_its_key_is_taken(client):
    reported = set()
    for key in (*FOREIGN, "Store1__customers", ABSENT):
        wrong = config("YellowLive", key, **WRONG)
        answer = client("maker").post("/api/streams/yellowlive", json={"config": wrong})
        reported.add((answer.status_code, answer.text.replace(key, "NAME")))
    ((status, _),) = reported
    assert status == 400


def test_who_may_see_the_stream_sees_that_it_is_there(client):
    answer = client().post("/api/streams/yellowlive", json={"config": config("YellowLive", "Gone")})
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "there is a stream Gone already, and it is retired",
    )


def test_who_may_create_creates_what_nobody_has(client):
    answer = client("maker").post("/api/streams/yellowlive", json={"config": config("YellowLive", "OfTheMaker")})
    assert answer.status_code == 201, answer.text


def test_what_is_wrong_between_streams_of_others_hinders_and_tells_nobody(client, world):
    """Two rows that have one DAG id, written past the checks."""
    world.write("YellowLive", config("YellowLive", "Twin__a"))
    world.write("YellowLive", config("YellowLive", "Twin", stream_key="Twin#a", single_dataset=True, datasets=["a"]))
    path = "/api/streams/yellowlive/Store1"
    now = client("narrow").get(path).json()
    changed = {"config": now["config"] | {"retries": 3}, "version": now["version"]}
    answer = client("narrow").put(path, json=changed)
    assert answer.status_code == 200, answer.text
    assert "Twin" not in answer.text
