"""A merge store that is down, or cuts connections, or is locked: said soon and in words, and over as soon as it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.unforeseen import PlatformUnread
from airflow_plugin.web.pool import AWAY_SECONDS
from config_schema import names
from tests.airflow.conftest import config
from tests.row_settings import settings_of_row
from tests.web.test_api_rights import ROUTES

SOON = 15.0  # seconds, on a machine with much else to do; who waits without bound waits for minutes


@pytest.fixture(params=["SilentLive", "ClosedLive", "WrongLive", "UnknownLive"])
def away(request, world) -> Iterator[str]:
    """A platform whose merge store says nothing, does not listen, refuses the password, or has a host nobody knows."""
    name = names.platform_name(request.param)
    file = world.real.home / "settings" / names.settings_file(name)
    file.write_text(settings_of_row(config(request.param)).to_json())
    yield name
    file.unlink()


def test_every_route_of_a_platform_that_is_away_says_so_soon(client, away):
    for route in ROUTES:
        # What Airflow has of streams and of what was asked for is asked of Airflow's own database.
        of_airflow = ("/config", "/seen", "/requests/{run_id}", "/purges/{run_id}")
        if "{platform}" not in route.described or route.described.endswith(of_airflow):
            continue
        path = route.path.replace("yellowlive", away).replace("yellowforensic", away)
        began = time.monotonic()
        answer = client().request(route.method, path, json=route.body)
        assert time.monotonic() - began < SOON
        if "validate" in path or "preview" in path:  # what is wrong with a config itself can be said without it
            assert answer.json()["problems"], answer.text
            continue
        assert answer.status_code == 503, (str(route), answer.text)
        error = answer.json()
        assert error["code"] == MergeStoreError.code
        assert error["where"].startswith("DAGFACTORY")
        assert error["detail"].startswith(error["where"])
        assert error["todo"]
        assert "secretword" not in answer.text


USER = "merge_owner"
SERVER = (USER, "127.0.0.1", "nowhere.invalid")  # users and hosts of the DSNs


def texts_of(client, away: str) -> dict[str, str]:
    """What each way to ask for a platform that is down answers, by its name."""
    found = {
        f"{route.method} {route.described}": client.request(
            route.method, route.path.replace("yellowlive", away).replace("yellowforensic", away), json=route.body
        ).text
        for route in ROUTES
        if "{platform}" in route.described or "{dag_id}" in route.described
    }
    lists = ("platforms", "overview", f"streams?platform={away}", "streams", "status", "runs")
    return found | {path.partition("?")[0]: client.get(f"/api/{path}").text for path in lists}


@pytest.mark.parametrize("user", ["viewer", "narrow", "nobody"])
def test_no_answer_tells_who_may_not_edit_the_platform_which_server_is_away(client, away, user):
    reported = texts_of(client(user), away)
    assert {path: text for path, text in reported.items() if any(part in text for part in SERVER)} == {}
    if user == "viewer":
        assert "DAGFACTORY_" in reported["GET /api/streams/{platform}/{key}"]


@pytest.mark.parametrize("user", ["user", "admin"])
def test_who_may_edit_the_platforms_own_dags_sees_which_server_is_away(client, away, user):
    reported = texts_of(client(user), away)
    for path in ("platforms", "overview", "GET /api/streams/{platform}/{key}"):
        assert f"({USER}@" in reported[path], (path, reported[path])
    assert "secretword" not in str(reported)


def test_the_log_of_the_api_server_names_the_server(client, away, world):
    client("viewer").get(f"/api/streams?platform={away}")
    assert f"({USER}@" in (world.real.home / "api-server.log").read_text(errors="replace")


def test_a_change_by_a_login_that_only_reads_says_which_it_is_and_what_to_do(client, world):
    database = psycopg2.extensions.parse_dsn(world.merge_dsn)["dbname"]
    reader, pages = (names.component_login(database, "yellowlive", duty) for duty in ("reader", "pages"))
    with closing(psycopg2.connect(world.postgres_dsn)) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        cursor.execute(f'REVOKE "{pages}" FROM "{world.web_role}"; GRANT "{reader}" TO "{world.web_role}"')
        try:
            assert client().get("/api/streams?platform=yellowlive").status_code == 200
            answer = client().post("/api/streams/yellowlive/Store1/actions/pause", json={})
        finally:
            cursor.execute(f'REVOKE "{reader}" FROM "{world.web_role}"; GRANT "{pages}" TO "{world.web_role}"')
    assert answer.status_code == 503
    error = answer.json()
    assert error["code"] == MergeStoreError.code
    assert (
        f"yellowlive_airflow_dsg: permission denied for table yellowlive_airflow_dsg ({world.web_role})"
        in error["detail"]
    )
    assert "dagfactory bootstrap --roles" in error["todo"]
    assert "DAGFACTORY_WEB_DSN_YELLOWLIVE" in error["todo"]
    assert client().post("/api/streams/yellowlive/Store1/actions/pause", json={}).status_code == 200


def test_the_other_platforms_are_reported_all_the_same(client, away):
    began = time.monotonic()
    reported = {one["platform"]: one for one in client().get("/api/overview").json()["platforms"]}
    assert time.monotonic() - began < SOON
    assert reported[away]["database"]["ok"] is False
    assert reported[away]["database"]["todo"]
    assert reported["yellowlive"]["database"]["ok"] is True
    assert reported[away]["streams"] is None, "nobody knows, which is not zero"
    assert reported["yellowlive"]["streams"]["total"] > 5
    for path in ("streams", "status"):
        found = client().get(f"/api/{path}").json()
        assert (found["unknown"], found["total"] > 5) == ([away], True)
    assert client().get("/api/streams").json()["total"] > 10
    assert client().get(f"/api/streams?platform={away}").status_code == 503


def test_what_was_away_a_moment_ago_is_not_waited_for_again(client, away):
    client().get(f"/api/streams?platform={away}")
    began = time.monotonic()
    for _ in range(10):
        assert client().get(f"/api/streams?platform={away}").status_code == 503
    assert time.monotonic() - began < SOON  # of which each attempt to connect would take 3


def test_connections_that_the_server_has_cut_are_made_anew(client, world):
    path = "/api/streams/yellowlive/Store1/history"
    assert client().get(path).status_code == 200
    superuser = world.postgres_dsn
    with closing(psycopg2.connect(superuser)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = %s", [world.web_role]
        )
        assert cursor.fetchone()[0] >= 1
    assert client().get(path).status_code == 200
    version = client().get("/api/streams/yellowlive/Store1").json()["version"]
    assert (
        client().post("/api/streams/yellowlive/Store1/rollback", json={"to": 10**9, "version": version}).status_code
        == 404
    )


def test_a_table_that_somebody_holds_is_not_waited_for_forever(client, world):
    with closing(psycopg2.connect(world.merge_dsn)) as connection, connection.cursor() as cursor:
        client().get("/api/streams?platform=yellowforensic")
        cursor.execute("LOCK TABLE yellowforensic_airflow_dsg_history, yellowforensic_airflow_dsg")
        world.let_it_see()
        began = time.monotonic()
        answers = []

        def ask(method, path, body):
            answers.append(client().request(method, path, json=body))

        asked = [
            ("GET", "/api/streams?platform=yellowforensic", None),
            ("GET", "/api/streams?platform=yellowforensic&q=Store1", None),
            ("GET", "/api/streams/yellowforensic/Store1/history", None),
            ("POST", "/api/streams/yellowforensic/Store1/actions/trigger", {}),
        ]
        threads = [threading.Thread(target=ask, args=one) for one in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - began < SOON
        assert [answer.status_code for answer in answers] == [503] * 4
        connection.rollback()
    world.let_it_see()
    assert client().get("/api/streams/yellowforensic/Store1/history").status_code == 200


def test_more_requests_at_once_than_connections_are_all_answered(client, world):
    codes: list[int] = []

    def ask() -> None:
        with world.client("viewer") as one:
            codes.extend(one.get("/api/streams/yellowlive/Store1/batches").status_code for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 60


def test_the_api_servers_role_may_write_no_batches_and_no_other_tables(world):
    asked = """SELECT relname, string_agg(one, ' ' ORDER BY one)
        FROM pg_class, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS one
        WHERE relkind = 'r' AND has_table_privilege(%s, oid, one) GROUP BY 1"""
    rows = {f"{name}_airflow_dsg": "INSERT UPDATE" for name in ("yellowlive", "yellowforensic")}
    history = {f"{table}_history": "INSERT" for table in rows}
    assert dict(world.merge_store(asked, world.web_role)) == rows | history


@pytest.fixture(params=["date", "interval"])
def unforeseen(world, request) -> Iterator[str]:
    """A platform whose table has a column of a type that nobody foresees: no date is judged, no interval is read."""
    change = "ALTER TABLE yellowforensic_airflow_dsg ALTER COLUMN updated_at DROP DEFAULT, ALTER COLUMN updated_at TYPE"
    value = {"date": "updated_at::date", "interval": "interval '100000000 years'"}[request.param]
    world.merge_store(f"{change} {request.param} USING {value}")
    world.let_it_see()
    yield "yellowforensic"
    world.merge_store(f"{change} timestamptz USING now(), ALTER COLUMN updated_at SET DEFAULT statement_timestamp()")
    world.put_back()


def test_an_error_that_nobody_foresaw_is_the_trouble_of_its_platform_only(client, unforeseen, world):
    for path in ("streams", "status"):
        answer = client().get(f"/api/{path}")
        assert (answer.status_code, answer.json()["unknown"]) == (200, [unforeseen])
        assert answer.json()["total"] > 2, "the streams of the other platforms; how many there are, other tests decide"
    for path in ("platforms", "overview"):
        reported = {one["platform"]: one["database"] for one in client().get(f"/api/{path}").json()["platforms"]}
        assert reported["yellowlive"]["ok"] is True
        assert reported[unforeseen]["code"] == PlatformUnread.code
        assert "unforeseen " in reported[unforeseen]["what"]
    assert client().get("/api/runs").json()["total"] > 5
    assert client().get(f"/api/streams?platform={unforeseen}").status_code == 503
    log = world.log()
    assert "yellowforensic_airflow_dsg: unforeseen " in log
    assert "airflow_plugin/web/" in log


def test_a_platform_whose_settings_file_cannot_be_used_is_unknown_and_does_not_vanish(client, world):
    file = world.real.home / "settings" / names.settings_file("brokenlive")
    file.write_text("{")
    try:
        reported = {one["platform"]: one for one in client().get("/api/overview").json()["platforms"]}
        assert client().get("/api/streams").json()["unknown"] == ["brokenlive"]
        alone = client().get("/api/streams?platform=brokenlive")
    finally:
        file.unlink()
    assert reported["brokenlive"]["streams"] is None
    assert reported["brokenlive"]["database"]["what"].startswith("brokenlive.settings.json: this settings file cannot")
    assert alone.status_code == 503


@pytest.fixture
def merge_store_away(world) -> Iterator[None]:
    """The merge store of both platforms refuses all connections."""
    database = psycopg2.extensions.parse_dsn(world.merge_dsn)["dbname"]
    with closing(psycopg2.connect(world.postgres_dsn)) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        cursor.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        try:
            yield
        finally:
            cursor.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
    world.let_it_see(AWAY_SECONDS)


@pytest.mark.usefixtures("merge_store_away")
def test_why_a_run_failed_is_unknown_while_what_recorded_it_is_away(client):
    (run,) = client().get("/api/runs?platform=yellowlive&state=failed").json()["runs"]
    assert (run["result"], run["counts"]) == (None, None)
    assert run["error"]["what"] == "why it failed is unknown while the merge store cannot be read"


@pytest.mark.usefixtures("merge_store_away")
def test_a_list_of_all_streams_says_of_which_platforms_they_are_unknown(client):
    answer = client().get("/api/streams")
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("the streams of yellowforensic, yellowlive are unknown: DAGFACTORY_")
