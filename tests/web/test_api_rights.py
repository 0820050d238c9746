"""Every route of the app: without a login, without the right, and from another site.

ROUTES is held against what the app describes, so that a new route cannot be without these tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.airflow.conftest import config

STREAM = "/api/streams/yellowlive/Store2"
CONFIG = config("YellowLive", "Forbidden")
ANY, READ, EDIT, CREATE = "any", "read", "edit", "create"
WITHOUT = {READ: ["nobody", "narrow"], EDIT: ["nobody", "narrow", "viewer"], CREATE: ["nobody", "viewer", "user"]}


@dataclass(frozen=True)
class Route:
    """A route with an example of its path and of a sound body; `right` is what it needs."""

    method: str
    described: str
    path: str
    right: str
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.described}"

    def ask(self, client: httpx.Client, **more: Any) -> httpx.Response:
        return client.request(self.method, self.path, json=self.body, **more)


def action(name: str, right: str = EDIT) -> Route:
    return Route("POST", "/api/streams/{platform}/{key}/actions/{action}", f"{STREAM}/actions/{name}", right, {})


SEEN = {"streams": {"Store1": None}, "ask": True}
TOGETHER = {"stream_keys": ["Store2", "Failing"]}
TOGETHER_PATHS = [f"/api/platforms/yellowlive/actions/{name}" for name in ("pause", "resume", "retire")]
ROUTES = [
    Route("GET", "/api/me", "/api/me", ANY),
    Route("GET", "/api/platforms", "/api/platforms", ANY),
    Route("GET", "/api/overview", "/api/overview", ANY),
    Route("GET", "/api/streams", "/api/streams", ANY),
    Route("GET", "/api/status", "/api/status", ANY),
    Route("GET", "/api/runs", "/api/runs", ANY),
    Route("GET", "/api/schema/stream", "/api/schema/stream", ANY),
    Route("GET", "/api/streams/{platform}/{key}", STREAM, READ),
    Route("GET", "/api/streams/{platform}/{key}/history", f"{STREAM}/history", READ),
    Route("GET", "/api/streams/{platform}/{key}/diff", f"{STREAM}/diff?from=1", READ),
    Route("GET", "/api/streams/{platform}/{key}/batches", f"{STREAM}/batches", READ),
    Route("GET", "/api/streams/{platform}/{key}/source", f"{STREAM}/source", READ),
    Route("GET", "/api/streams/{platform}/{key}/schema", f"{STREAM}/schema", READ),
    Route("GET", "/api/runs/{dag_id}/{run_id}", "/api/runs/yellowlive__Store2_ingestion/run_Store2_1", READ),
    Route("GET", "/api/streams/{platform}/{key}/requests/{run_id}", f"{STREAM}/requests/manual_1", READ),
    Route("POST", "/api/validate/{platform}", "/api/validate/yellowforensic", READ, {"config": CONFIG}),
    Route("POST", "/api/preview/{platform}", "/api/preview/yellowforensic", READ, {"config": CONFIG}),
    Route("POST", "/api/platforms/{platform}/seen", "/api/platforms/yellowforensic/seen", READ, SEEN),
    Route("GET", "/api/platforms/{platform}/config", "/api/platforms/yellowlive/config", CREATE),
    Route("GET", "/api/platforms/{platform}/catalogue", "/api/platforms/yellowforensic/catalogue", READ),
    Route("POST", "/api/streams/{platform}", "/api/streams/yellowlive", CREATE, {"config": CONFIG}),
    Route("PUT", "/api/streams/{platform}/{key}", STREAM, EDIT, {"config": CONFIG, "version": 1}),
    Route("DELETE", "/api/streams/{platform}/{key}", STREAM, EDIT),
    Route("POST", "/api/streams/{platform}/{key}/rollback", f"{STREAM}/rollback", EDIT, {"to": 1, "version": 1}),
    *map(action, ("trigger", "pause", "resume", "retire", "reset_batch", "approve_delete", "allow_deletes", "trust")),
    action("check_source"),
    action("show_changes"),
    Route("GET", "/api/streams/{platform}/{key}/batches/{batch}/changes", f"{STREAM}/batches/1/changes", READ),
    Route("POST", "/api/streams/{platform}/{key}/batches/{batch}/values", f"{STREAM}/batches/1/values", EDIT, {}),
    action("purge", CREATE),
    Route(
        *("POST", "/api/platforms/{platform}/purges", "/api/platforms/yellowlive/purges", CREATE),
        {**TOGETHER, "confirm": 2},
    ),
    Route("GET", "/api/platforms/{platform}/purges/{run_id}", "/api/platforms/yellowforensic/purges/manual_1", READ),
    *(Route("POST", "/api/platforms/{platform}/actions/{action}", path, EDIT, TOGETHER) for path in TOGETHER_PATHS),
]
CHANGING = [route for route in ROUTES if route.method != "GET"]
OF_A_RIGHT = [route for route in ROUTES if route.right != ANY]


def named(routes: list[Route]) -> Any:
    return pytest.mark.parametrize("route", routes, ids=lambda route: f"{route.method} {route.path}")


def refused(answer: httpx.Response, status: int) -> dict[str, str]:
    """Return the problem details (RFC 9457) of an answer, which have everything that is to be in them."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    reported = answer.json()
    assert reported["status"] == status
    assert re.fullmatch(r"DF\d{4}", reported["code"])
    assert reported["type"] == f"tag:airflow-stream-factory,2026:{reported['code']}"
    assert reported["title"]
    assert reported["detail"]
    assert reported["todo"]
    assert reported["error"] == {
        "what": reported["detail"],
        "todo": reported["todo"],
    }  # for clients of the last release
    return reported["error"]


@pytest.fixture(autouse=True)
def nothing_is_changed(world) -> Iterator[None]:
    """Whatever is refused here has changed nothing."""
    asked = "SELECT md5(string_agg(s::text, '' ORDER BY stream_key)) FROM yellowlive_airflow_dsg s"
    runs = "SELECT count(*) FROM dag_run"
    before = world.merge_store(asked), world.real.query(runs)
    yield
    assert (world.merge_store(asked), world.real.query(runs)) == before


def test_every_route_of_the_app_is_tested_here(client):
    paths = client().get("/api/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(route.method, route.described) for route in ROUTES}


@named(ROUTES)
def test_without_a_login_there_is_nothing(client, route):
    refused(route.ask(client(None)), 401)
    refused(route.ask(client(None), headers={"Authorization": "Bearer not.a.token"}), 401)
    refused(route.ask(client(None), headers={"Cookie": "_token=not.a.token"}), 401)
    refused(route.ask(client(None), headers={"Authorization": "Basic YWRtaW46YWRtaW4="}), 401)


@pytest.mark.parametrize(
    "path", ["/static/main.js", "/api/openapi.json", "/api/none", "/", "/docs", "/static/../app.py"]
)
def test_without_a_login_there_are_no_files_and_no_unknown_paths_either(client, path):
    refused(client(None).get(path), 401)


@named(OF_A_RIGHT)
def test_without_the_right_a_route_is_forbidden(client, route):
    for user in WITHOUT[route.right]:
        refused(route.ask(client(user)), 403)


@named(OF_A_RIGHT)
def test_a_stream_that_is_not_there_is_forbidden_too(client, route):
    """Or else one could ask which streams there are."""
    path = route.path.replace("Store2", "NotThere")
    refused(client("nobody").request(route.method, path, json=route.body), 403)


@named(CHANGING)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "http://127.0.0.1:99999"},
        {"Origin": "http://["},
        {},
    ],
    ids=lambda headers: headers.get("Origin", "no origin"),
)
def test_a_page_of_another_site_changes_nothing_with_the_users_cookie(client, world, route, headers):
    cookie = {"Cookie": f"_token={world.token('admin')}"}
    assert "site" in refused(route.ask(client(None), headers=cookie | headers), 403)["what"]


@named(CHANGING)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_of_another_site_can_send_is_refused(client, route, kind):
    answer = route.ask(client("admin"), headers={"Content-Type": kind})
    assert "JSON" in refused(answer, 403)["what"]


def test_airflows_own_pages_may_change_with_the_cookie(client, world):
    headers = {"Cookie": f"_token={world.token('viewer')}", "Origin": world.address}
    answer = client(None).post("/api/validate/yellowlive", json={"config": CONFIG}, headers=headers)
    assert answer.status_code == 200


@named(CHANGING)
def test_a_body_that_is_too_long_is_refused_before_it_is_read(client, route):
    long = b'{"config": {"owner": "' + b"x" * (256 * 1024) + b'"}}'
    refused(client("admin").request(route.method, route.path, content=long), 413)
    refused(client("admin").request(route.method, route.path, content=iter([long[:1000], long[1000:]])), 413)
    refused(client(None).request(route.method, route.path, content=long), 401)


def test_a_user_with_rights_on_one_stream_may_change_that_one(client):
    path = "/api/streams/yellowlive/Store1"
    assert client("narrow").get(path).json()["can_edit"] is True
    answer = client("narrow").put(path, json={"config": {}, "version": 0})
    assert answer.status_code == 409


def test_who_may_edit_a_dag_but_not_trigger_it_may_not_trigger_it_here(client):
    path = "/api/streams/yellowlive/Store2"
    before = client().get(f"{path}/history").json()
    for action in ("trigger", "reset_batch", "approve_delete", "allow_deletes", "trust"):
        refused(client("editor").post(f"{path}/actions/{action}", json={}), 403)
    assert client("editor").post(f"{path}/actions/resume", json={}).json()["what"] == "Store2 is active already"
    assert client().get(f"{path}/history").json() == before


def test_answers_are_not_kept_nor_guessed_at(client):
    headers = client("viewer").get("/api/streams").headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "application/json"
    for refusal in (client(None).get("/api/streams"), client("admin").post("/api/validate/x", content="x" * 300_000)):
        assert refusal.headers["cache-control"] == "no-store"
        assert refusal.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["streams/static/x", "runs/static/x", "platforms/static/config"])
def test_an_answer_is_not_kept_because_a_name_in_its_path_is_that_of_the_files(client, path):
    assert client("admin").get(f"/api/{path}").headers["cache-control"] == "no-store"
    assert client("admin").get("/static/api.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/api/me", "/static/api.js", "/"])
def test_a_websocket_is_closed_before_anything_is_looked_at(client, world, path):
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    before = len(world.whole_log())
    assert client(None).get(path, headers=headers).status_code == 403
    assert "Traceback" not in world.whole_log()[before:]
