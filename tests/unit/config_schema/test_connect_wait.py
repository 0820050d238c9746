"""The wait for first connections: again what may become better, at once what will not, and once for each server."""

from __future__ import annotations

import logging

import pytest

from config_schema.connect_wait import LONGEST_PAUSE, MOST_SECONDS, FirstConnections
from config_schema.errors import StreamFactoryError


class Refused(StreamFactoryError):
    code = "DF0000"
    retryable = True


class WrongPassword(Refused):
    code = "DF0000"
    retryable = False


class Server:
    """Refuses so many times; time passes only in pauses."""

    def __init__(self, monkeypatch, refusals: int, error: type[StreamFactoryError] = Refused) -> None:
        self.refusals, self.error, self.now, self.tries = refusals, error, 0.0, 0
        self.pauses: list[float] = []
        monkeypatch.setattr("time.monotonic", lambda: self.now)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def connect(self) -> str:
        self.tries += 1
        if self.tries <= self.refusals:
            raise self.error("store", "nobody listens", "Start it")
        return "connected"


@pytest.fixture
def waiting():
    def make(server: Server, seconds: float = 15) -> FirstConnections:
        made = FirstConnections()
        made.set_wait(seconds, server.pause)
        return made

    return make


def test_a_server_that_refuses_at_first_is_reached_and_the_log_says_so(waiting, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    server = Server(monkeypatch, 3)
    assert waiting(server).reach("store", server.connect) == "connected"
    assert server.tries == 4
    assert server.now < 3
    assert len([line for line in caplog.messages if "nobody listens" in line]) == 3
    assert caplog.messages[-1] == "connected after 3 failed tries"


def test_the_wait_ends_and_pauses_stay_short(waiting, monkeypatch):
    server = Server(monkeypatch, 1000)
    with pytest.raises(Refused):
        waiting(server).reach("store", server.connect)
    assert server.now == 15
    assert max(server.pauses) == LONGEST_PAUSE


def test_what_no_retry_helps_is_raised_at_once(waiting, monkeypatch, caplog):
    server = Server(monkeypatch, 1000, WrongPassword)
    with pytest.raises(WrongPassword):
        waiting(server).reach("store", server.connect)
    assert (server.tries, server.now, caplog.messages) == (1, 0, [])


@pytest.mark.parametrize("refusals", [0, 1000], ids=["reached", "waited for"])
def test_a_server_is_waited_for_once(waiting, monkeypatch, refusals):
    server = Server(monkeypatch, refusals)
    connections = waiting(server)
    for _ in range(2):
        try:
            connections.reach("store", server.connect)
        except Refused:
            continue
        server.refusals = 1000
    assert server.now == (15 if refusals else 0)


def test_each_server_is_waited_for(waiting, monkeypatch):
    server = Server(monkeypatch, 1)
    connections = waiting(server)
    assert connections.reach("store", server.connect) == "connected"
    server.tries = 0
    assert connections.reach("producer", server.connect) == "connected"


def test_without_a_wait_nothing_is_tried_again(monkeypatch):
    server = Server(monkeypatch, 1)
    with pytest.raises(Refused):
        FirstConnections().reach("store", server.connect)
    assert server.tries == 1


def test_no_wait_is_longer_than_the_most(waiting, monkeypatch):
    server = Server(monkeypatch, 10**6)
    with pytest.raises(Refused):
        waiting(server, 1e9).reach("store", server.connect)
    assert server.now == MOST_SECONDS


def test_a_pause_that_raises_ends_the_wait(monkeypatch):
    server = Server(monkeypatch, 5)
    connections = FirstConnections()

    def ended(_: float) -> None:
        raise KeyboardInterrupt

    connections.set_wait(15, ended)
    with pytest.raises(KeyboardInterrupt):
        connections.reach("store", server.connect)
    assert server.tries == 1
