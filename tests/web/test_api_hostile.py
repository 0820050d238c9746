"""Names and values made to break things: they come back as they are, as JSON, or are refused; tables stand."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.airflow.conftest import config
from tests.web.test_api_rights import ROUTES, named
from tests.web.world import DATA_ROLE

SCRIPT = "<script>alert(1)</script>"
SQL = "'; DROP TABLE yellowlive_airflow_dsg; --"
HOSTILE = [SQL, '" OR 1=1 --', "%s %(x)s %", "{stream_table}", SCRIPT, "\x00", "\ud800", "$(id)", "..%2f..%2fapp.py"]
EXAMPLE = config("YellowLive", "Hostile")


@pytest.fixture(autouse=True)
def tables_stand(world) -> Iterator[None]:
    asked = "SELECT count(*), min(status), max(status) FROM yellowlive_airflow_dsg"
    before = world.merge_store(asked)
    yield
    assert world.merge_store(asked) == before


@pytest.mark.parametrize("key", [*EXAMPLE, "latency_seconds", "owner", "tags", "pool", "resources", "node_selector"])
@pytest.mark.parametrize("value", HOSTILE[:4], ids=ascii)
def test_sql_in_a_field_of_a_config_is_a_value_or_a_problem(client, key, value):
    wanted = [value] if key in ("datasets", "tags") else value
    reported = client().post("/api/validate/yellowlive", json={"config": {**EXAMPLE, key: wanted}}).json()
    free = key in ("owner", "tags", "datasets")  # text that may be anything printable
    assert free or reported["problems"], reported


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
@named([route for route in ROUTES if route.method == "GET"])
def test_hostile_text_in_every_query_and_path_is_only_text(client, route, value):
    asked = client()
    text = value.encode(errors="surrogatepass")
    for name in ("q", "platform", "stream", "status", "state", "sort", "limit", "offset", "from", "to", "before"):
        answer = asked.get(route.path.partition("?")[0], params={name: text})
        assert answer.status_code in (200, 400, 404), (name, answer.text)
        kind = "application/json" if answer.is_success else "application/problem+json"
        assert answer.headers["content-type"] == kind
    if "Store2" in route.path:
        path = "".join(f"%{byte:02x}" for byte in text)
        assert asked.get(route.path.replace("Store2", path)).status_code in (400, 404)


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_hostile_text_in_every_body_is_refused_or_a_value(client, value):
    for route in ROUTES:
        if route.method in ("POST", "PUT") and "actions" not in route.path and "preview" not in route.path:
            for body in ({"config": {"stream_key": value}, "version": 1}, {"config": value}, {"to": value}, value):
                text = json.dumps(body)
                # Values are for a role of the settings, which the admin of these tests does not have.
                asking = client(DATA_ROLE) if route.path.endswith("/values") else client()
                answer = asking.request(route.method, route.path, content=text)
                assert answer.status_code in (200, 400, 409), answer.text
                assert "problems" in answer.text or answer.status_code == 409


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"config": NaN}',
        '{"config": {"retries": NaN}}',
        '{"config": {"retries": 1e999}}',
        '{"config": {"retries": ' + "9" * 5000 + "}}",
        '{"config": ' + '{"a": ' * 20000 + "1" + "}" * 20000 + "}",
        '{"config": {}, "config": {}}',
        '{"config": {"a\\u0000b": "\\ud800"}}',
        "\xff\xfe",
    ],
    ids=lambda text: ascii(text[:25]),
)
@pytest.mark.parametrize("path", ["/api/validate/yellowlive", "/api/preview/yellowlive", "/api/streams/yellowlive"])
def test_a_body_that_is_no_config_is_refused_in_words(client, path, text):
    answer = client().post(path, content=text.encode("latin-1"))
    assert answer.status_code in (200, 400), answer.text
    assert "problems" in answer.text or answer.json()["error"]["what"]


def test_rows_that_a_hand_has_made_hostile_are_reported_as_they_are(client, world):
    keys = [SCRIPT, SQL, "a/b", "../x", "Ünï#cødé", "%"]
    world.write_text("YellowForensic", *((key, f'{{"stream_key": "{SCRIPT}", "store_name": 7}}') for key in keys))
    world.write_text("YellowForensic", ("NoJson", "no \x01 json"), ("List", "[1]"))
    try:
        answer = client().get("/api/streams?platform=yellowforensic&state=set_aside&limit=500")
        assert answer.headers["content-type"] == "application/json"
        reported = {one["stream_key"]: one for one in answer.json()["streams"]}
        assert {*keys, "NoJson", "List"} <= reported.keys()
        assert reported[SCRIPT]["problem"]
        found = client().get("/api/streams/yellowforensic/NoJson").json()
        assert (found["config"], found["config_text"]) == ({}, "no \x01 json")
        assert found["problems"]
        assert client().get("/api/streams/yellowforensic/%25").json()["stream_key"] == "%"
        for key in ("NoJson", "List"):
            for part in ("history", "batches"):
                assert client().get(f"/api/streams/yellowforensic/{key}/{part}").status_code == 200
    finally:
        world.merge_store(
            "DELETE FROM yellowforensic_airflow_dsg WHERE stream_key = ANY (%s)", [*keys, "NoJson", "List"]
        )
        world.let_it_see()


def test_a_reason_is_a_line_of_text(client, world):
    path = "/api/streams/yellowlive/Store2/actions/trust"
    for reason in ("", "x" * 1001, "two\nlines", 7, {"a": 1}):
        answer = client().post(path, json={"reason": reason})
        assert answer.status_code == 400, reason
    assert world.real.query("SELECT count(*) FROM dag_run WHERE conf ->> 'action' = 'trust'") == [(0,)]


def test_half_a_surrogate_pair_in_a_row_is_answered_as_json(client, world):
    half = {**config("YellowLive", "Half"), "owner": "\ud800", "schedule": "\ud800"}
    world.write("YellowLive", half)
    try:
        for path in ("streams/yellowlive/Half", "streams?q=Half", "streams/yellowlive/Half/history"):
            answer = client().get(f"/api/{path}")
            assert answer.status_code == 200, (path, answer.text)
            json.loads(answer.content.decode("utf-8"))
        reported = client().get("/api/streams/yellowlive/Half").json()
        assert reported["problems"]
    finally:
        world.merge_store("DELETE FROM yellowlive_airflow_dsg WHERE stream_key = 'Half' RETURNING 1")


@pytest.mark.parametrize("need", ["1e300", "1" + "0" * 30, "1" + "0" * 400, "true", "-1", '"600"', "[]"])
def test_a_latency_that_no_time_can_be_hides_no_other_stream(client, world, need):
    text = json.dumps(config("YellowLive", "Need"))[:-1] + f', "latency_seconds": {need}}}'
    world.write_text("YellowLive", ("Need", text))
    try:
        for path in ("streams", "status", "overview", "platforms"):
            assert client().get(f"/api/{path}").json().get("unknown", []) == []
        reported = client().get("/api/streams/yellowlive/Need").json()
        assert reported["problems"]
        assert reported["freshness"] is None
    finally:
        world.merge_store("DELETE FROM yellowlive_airflow_dsg WHERE stream_key = 'Need' RETURNING 1")
        world.let_it_see()


@pytest.mark.parametrize("text", ["\x00", "\ud800", "%s", "'"], ids=ascii)
def test_a_row_with_texts_that_no_database_takes_has_all_of_its_pages(client, world, text):
    row = {**config("YellowLive", "Odd"), "datasets": [f"a{text}"], "store_name": f"Odd{text}"}
    world.write("YellowLive", row)
    try:
        for part in ("", "/history", "/batches", "/source"):
            answer = client().get(f"/api/streams/yellowlive/Odd{part}")
            assert answer.status_code in (200, 404), (part, answer.text)
        assert client().get("/api/streams/yellowlive/Odd").json()["problems"]
    finally:
        world.merge_store("DELETE FROM yellowlive_airflow_dsg WHERE stream_key = 'Odd' RETURNING 1")
        world.let_it_see()


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("levels", [70, 300, 900, 5000])
def test_a_row_that_is_nested_deep_is_text_with_a_problem(client, world, levels):
    text = f'{{"stream_key": "Deep", "x": {nested(levels)}}}'
    world.write_text("YellowLive", ("Deep", text))
    try:
        reported = client().get("/api/streams/yellowlive/Deep")
        assert reported.status_code == 200, reported.text
        assert (reported.json()["config"], reported.json()["config_text"]) == ({}, text)
        assert reported.json()["problems"]
        (version,) = client().get("/api/streams/yellowlive/Deep/history").json()["versions"]
        assert version["config"] == {}
        changes = client().get(f"/api/streams/yellowlive/Deep/diff?from={version['version']}")
        assert changes.json() == {"changes": []}
    finally:
        world.merge_store("DELETE FROM yellowlive_airflow_dsg WHERE stream_key = 'Deep'")
        world.merge_store("DELETE FROM yellowlive_airflow_dsg_history WHERE stream_key = 'Deep'")
        world.let_it_see()


@pytest.mark.parametrize("path", ["validate/yellowlive", "preview/yellowlive", "streams/yellowlive"])
def test_a_config_that_is_nested_deep_is_refused_in_words(client, path):
    for levels in (70, 300, 900):
        body = f'{{"config": {{"stream_key": "Deep", "x": {nested(levels)}}}}}'
        answer = client().post(f"/api/{path}", content=body)
        assert answer.status_code == 400, answer.text
        assert "nested deeper than 64 levels" in answer.text


def test_a_comment_on_somebody_s_view_breaks_no_page(client, world):
    """Who may make a view on what they read may write whatever they like into its comment."""
    world.merge_store('CREATE TABLE "yellowlive_Store1_customers_merge" (id int)')
    world.merge_store('CREATE VIEW theirs AS SELECT * FROM "yellowlive_Store1_customers_merge"')
    try:
        for comment in (nested(50_000), f'{{"workspace": {nested(900)}, "group": 1}}', "\u202e", SCRIPT):
            world.merge_store("COMMENT ON VIEW theirs IS %s", comment)
            answer = client().get("/api/streams/yellowlive/Store1")
            assert answer.status_code == 200, answer.text
            assert [view["name"] for view in answer.json()["lineage"]["views"]] == ["theirs"]
    finally:
        world.merge_store('DROP TABLE "yellowlive_Store1_customers_merge" CASCADE')
