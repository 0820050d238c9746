"""What a cutover keeps of itself, and what it meets in folders and at Airflow's address."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from airflow_plugin.airflow_api import AirflowRefused, AirflowUnanswered, airflow
from airflow_plugin.migrate import cutover as steps
from airflow_plugin.migrate.cutover import StaticFileChanged
from airflow_plugin.migrate.cutover_state import (
    Cutover,
    CutoverBusy,
    DagCutover,
    digest,
    exclusive_cutover,
    read_state,
    state_path,
    write_state,
)
from config_schema.errors import FileMalformed, ValueWrong, VariableMissing

DAG = DagCutover("a", "b", "YellowLive", "Store1", "{}", False, "/dags/a.py", ("{}", "retired"))


@pytest.fixture
def begun(tmp_path) -> Cutover:
    file = tmp_path / "a.py"
    file.write_text("dag")
    return Cutover(str(file), digest(file), (DAG, replace(DAG, row_before=None)), ("pause",))


def way(tmp_path):
    return steps.Way(airflow("http://127.0.0.1:9", "t"), tmp_path / "state.json", "me", lambda text: None, 1)


def test_a_state_is_read_as_it_was_written(begun):
    path = state_path(begun.path)
    assert read_state(path) is None
    write_state(path, begun)
    assert read_state(path) == begun
    assert [one.name for one in path.parent.iterdir() if one.suffix == ".new"] == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "dags": []}', '{"format": 1, "dags": [{}]}'])
def test_a_file_that_is_no_state_is_refused_by_name(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(FileMalformed, match=r"state\.json"):
        read_state(tmp_path / "state.json")


def test_two_cutovers_in_a_folder_do_not_mix(tmp_path):
    with exclusive_cutover(tmp_path), pytest.raises(CutoverBusy), exclusive_cutover(tmp_path):
        pass
    with exclusive_cutover(tmp_path):
        pass


def test_a_file_is_moved_aside_and_back_and_each_can_be_done_twice(begun, tmp_path):
    for _ in range(2):
        steps._move(begun, way(tmp_path))
        assert (begun.path.exists(), begun.aside.exists()) == (False, True)
    for _ in range(2):
        steps._move_back(begun, way(tmp_path))
        assert (begun.path.exists(), begun.aside.exists()) == (True, False)
    assert begun.path.read_text() == "dag"


@pytest.mark.parametrize(
    ("file", "aside", "reported"),
    [
        ("dag", "dag", "both it and"),
        (None, None, "neither it nor"),
        ("another", None, "it is not as it was when the cutover began"),
        (None, "another", "it is not as it was when the cutover began"),
    ],
)
def test_a_file_that_somebody_else_has_touched_is_left_as_it_is(begun, tmp_path, file, aside, reported):
    begun.path.unlink()
    for path, text in ((begun.path, file), (begun.aside, aside)):
        if text is not None:
            path.write_text(text)
    before = {one: one.read_text() for one in tmp_path.iterdir()}
    for step in (steps._move, steps._move_back):
        with pytest.raises(StaticFileChanged, match=reported):
            step(begun, way(tmp_path))
    assert {one: one.read_text() for one in tmp_path.iterdir()} == before


def test_an_airflow_that_is_away_is_an_error_that_keeps_the_state(begun, tmp_path):
    with pytest.raises(AirflowUnanswered, match="no answer") as caught:
        steps.carry_out(replace(begun, done=()), way(tmp_path))
    assert caught.value.retryable
    assert read_state(tmp_path / "state.json") == replace(begun, done=())


@pytest.mark.parametrize(
    ("url", "token", "kind", "where"),
    [
        ("localhost:8080", "t", ValueWrong, "--airflow-url"),
        ("http://localhost", None, VariableMissing, "DAGFACTORY_AIRFLOW_TOKEN"),
    ],
)
def test_an_address_and_a_token_are_wanted(url, token, kind, where):
    with pytest.raises(kind) as caught:
        airflow(url, token)
    assert caught.value.where == where


@pytest.fixture
def answering():
    """A server that answers everything in one way; what it was asked is kept."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        code, headers_out = 200, {}

        def do_GET(self):
            asked.append(self.path)
            self.send_response(self.code)
            for name, value in self.headers_out.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps({}).encode())

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Handler, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("code", "reported"), [(401, "a token that is valid"), (403, "may edit DAGs"), (500, "log")])
def test_a_refusal_says_what_to_do_and_not_the_token(answering, code, reported):
    handler, url, _ = answering
    handler.code = code
    with pytest.raises(AirflowRefused, match=reported) as caught:
        airflow(url, "hidden-token").dag("a")
    assert "hidden-token" not in str(caught.value)
    assert caught.value.retryable is (code == 500)


def test_the_token_does_not_follow_a_redirect(answering):
    handler, url, asked = answering
    handler.code, handler.headers_out = 302, {"Location": f"{url}/elsewhere"}
    with pytest.raises(AirflowRefused, match="302"):
        airflow(url, "t").dag("a")
    assert asked == ["/api/v2/dags/a"]
    handler.headers_out = {}
    handler.code = 404
    assert airflow(url, "t").dag("a") is None
