"""Waiting for Airflow to store changed rows: what is asked, how often, and when the wait ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from airflow_plugin.airflow_api import AirflowRefused, airflow
from airflow_plugin.health import changed as changed_module
from airflow_plugin.health.changed import NotStored, SeenReport, look, wait_until_stored
from tests.loopback_server import LoopbackServer

WAITING = {"state": "waiting", "what": "Airflow has not parsed the file since the change", "todo": "Wait"}
BLOCKED = {"state": "blocked", "what": "no dag-processor is alive", "todo": "Start one"}


class Pages:
    """The API of the pages: `answers` are given one after the other, the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                pages.asked.append((self.path, body))
                status, said = pages.answers.pop(0) if len(pages.answers) > 1 else pages.answers[0]
                text = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args: object) -> None:
                pass

        self.server = LoopbackServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.api = airflow(f"http://127.0.0.1:{self.server.server_address[1]}", "a-token")

    def unseen(self, *keys: str, why: dict[str, Any] = WAITING, files: tuple[str, ...] = ()) -> None:
        parse = {"files": list(files), "note": None} if files else None
        self.answers.append((200, {"unseen": [{"stream_key": key, **why} for key in keys], "parse": parse}))


@pytest.fixture
def pages(monkeypatch) -> Iterator[Pages]:
    monkeypatch.setattr(changed_module, "POLL_SECONDS", 0.01)
    one = Pages()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_files_are_asked_for_once_and_then_only_what_is_left(pages):
    pages.unseen("A", "B", files=("yellowlive_factory.py",))
    pages.unseen("B")
    pages.unseen()
    seen: list[SeenReport] = []
    wait_until_stored(pages.api, {"yellowlive": {"A": "1" * 12, "B": None, "C": "3" * 12}}, 30, seen.append)
    assert [path for path, _ in pages.asked] == ["/stream_factory/api/platforms/yellowlive/seen"] * 3
    assert [(set(body["streams"]), body["ask"]) for _, body in pages.asked] == [
        ({"A", "B", "C"}, True),
        ({"A", "B"}, False),
        ({"B"}, False),
    ]
    assert pages.asked[0][1]["streams"]["B"] is None
    assert seen[0].files == {"yellowlive_factory.py"}
    assert [sorted(one.unseen) for one in seen] == [["yellowlive/A", "yellowlive/B"], ["yellowlive/B"], []]


def test_ten_thousand_streams_are_asked_for_in_few_requests(pages):
    pages.unseen()
    streams = {f"Store{number}": f"{number:012}" for number in range(10_000)}
    assert look(pages.api, {"yellowlive": streams}, ask=True).unseen == {}
    assert len(pages.asked) == 20
    assert {key: value for _, body in pages.asked for key, value in body["streams"].items()} == streams


def test_the_wait_ends_in_time_with_the_streams_and_reasons(pages):
    pages.unseen(*(f"Store{number}" for number in range(12)))
    streams = {f"Store{number}": "1" * 12 for number in range(12)}
    with pytest.raises(NotStored) as raised:
        wait_until_stored(pages.api, {"yellowlive": streams}, 0.1, lambda found: None)
    error = raised.value
    assert len(error.unseen) == 12
    assert "yellowlive/Store0: Airflow has not parsed" in str(error)
    assert "and 2 more" in str(error)


def test_the_wait_ends_early_where_nothing_that_is_left_comes_by_itself(pages, monkeypatch):
    monkeypatch.setattr(changed_module, "BLOCKED_SECONDS", 0.1)
    pages.unseen("A")
    pages.unseen("A", why=BLOCKED)
    with pytest.raises(NotStored) as raised:
        wait_until_stored(pages.api, {"yellowlive": {"A": "1" * 12}}, 60, lambda found: None)
    assert raised.value.unseen["yellowlive/A"].what == "no dag-processor is alive"
    assert raised.value.seconds < 30


def test_an_airflow_that_is_away_for_a_moment_is_asked_again_for_what_it_did_not_hear(pages):
    pages.answers.append((503, {}))
    pages.unseen("A")
    pages.answers.append((503, {}))
    pages.unseen()
    wait_until_stored(pages.api, {"yellowlive": {"A": "1" * 12}}, 30, lambda found: None)
    assert [body["ask"] for _, body in pages.asked] == [True, True, False, False]


def test_an_airflow_that_is_away_for_longer_is_waited_for_all_the_same(pages, monkeypatch):
    monkeypatch.setattr(changed_module, "BLOCKED_SECONDS", 0.05)
    pages.answers = [(503, {"detail": "starting"})] * 10
    pages.unseen()
    monkeypatch.setattr(changed_module, "POLL_SECONDS", 0.02)
    assert wait_until_stored(pages.api, {"yellowlive": {"Store1": "a"}}, 30, lambda _: None) >= 0.2


def test_an_airflow_without_the_pages_is_named_at_once(pages):
    pages.answers.append((404, {}))
    with pytest.raises(AirflowRefused) as raised:
        wait_until_stored(pages.api, {"yellowlive": {"A": "1" * 12}}, 30, lambda found: None)
    assert "plugin" in raised.value.todo
    assert "a-token" not in str(raised.value)
    assert len(pages.asked) == 1
