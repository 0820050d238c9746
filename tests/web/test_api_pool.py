"""The pool of connections before a server that stops in the middle of things, as a machine that hangs does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import psycopg2
import pytest

from airflow_plugin.merge_store import MergeStoreError, worded
from airflow_plugin.web import pool
from airflow_plugin.web.pool import Pool


class Line:
    """A proxy before PostgreSQL that can stop passing on what comes."""

    def __init__(self, port: int) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self._to = self.server.getsockname()[1], port
        self.open = threading.Event()
        self.open.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with source, sink:
            try:
                while data := source.recv(65536):
                    self.open.wait()
                    sink.sendall(data)
            except OSError:
                return


@pytest.fixture
def line(postgres) -> Iterator[Line]:
    line = Line(urlsplit(postgres.dsn()).port or 5432)
    yield line
    line.open.set()
    line.server.close()


def one(connection):
    with worded("here"), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()[0]


def test_a_server_that_stops_is_given_up_and_found_again(postgres, line, monkeypatch):
    monkeypatch.setattr(pool, "CUT_SECONDS", 0.5)
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(pool, "AWAY_SECONDS", 0.0)
    own = Pool(postgres.dsn().replace(f":{line._to}/", f":{line.port}/"), "here")
    assert own.read(one) == 1
    line.open.clear()
    with pytest.raises(MergeStoreError):
        own.read(one)
    line.open.set()
    assert own.read(one) == 1


def test_when_all_connections_are_at_work_it_is_said(postgres, monkeypatch):
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.1)
    own = Pool(postgres.dsn(), "here")

    def nested(depth):
        return lambda connection: own.read(nested(depth - 1)) if depth else one(connection)

    assert own.read(nested(pool.SIZE - 1)) == 1
    with pytest.raises(MergeStoreError, match="all 4 connections are at work"):
        own.read(nested(pool.SIZE))
    assert own.read(one) == 1


def test_what_reads_cannot_write(postgres):
    own = Pool(postgres.dsn(), "here")

    def create(connection):
        with worded("here"), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE written (id int)")

    with pytest.raises(MergeStoreError, match="read-only"):
        own.read(create)


def test_what_is_not_committed_is_rolled_back_and_the_connection_used_again(postgres):
    own = Pool(postgres.dsn(), "here")
    with suppress(ZeroDivisionError), own.write() as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE half_written (id int)")
        raise ZeroDivisionError
    connection = psycopg2.connect(postgres.dsn())
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('half_written')")
        assert cursor.fetchone() == (None,)
    connection.close()
    assert own.read(one) == 1
