"""The pool of connections before a server that stops in the middle of things, as a machine that hangs does."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import psycopg2
import pytest

from airflow_plugin.control.connection import MergeStoreError, translate_db_errors
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
    with translate_db_errors("here"), connection.cursor() as cursor:
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
        with translate_db_errors("here"), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE written (id int)")

    with pytest.raises(MergeStoreError, match="read-only"):
        own.read(create)


def test_what_is_not_committed_is_rolled_back_and_the_connection_used_again(postgres):
    own = Pool(postgres.dsn(), "here")
    with suppress(ZeroDivisionError), own.write() as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE public.half_written (id int)")
        raise ZeroDivisionError
    connection = psycopg2.connect(postgres.dsn())
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.half_written')")
        assert cursor.fetchone() == (None,)
    connection.close()
    assert own.read(one) == 1


def in_lockstep(*works) -> list[BaseException | object]:
    """Do each work in a thread of its own, all line by line of the pool's code at once; give back what came of each."""
    together, came = threading.Barrier(len(works)), []

    def trace(frame, _event, _argument):
        if frame.f_code.co_filename != pool.__file__:
            return None
        with suppress(threading.BrokenBarrierError):  # one of them has come to its end
            together.wait(10)
        return trace

    def do(work):
        sys.settrace(trace)
        try:
            came.append(work())
        except BaseException as error:
            came.append(error)
        finally:
            sys.settrace(None)
            together.abort()

    threads = [threading.Thread(target=do, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return came


@pytest.mark.parametrize("fresh", [False, True])
def test_two_threads_that_look_at_one_idle_connection_both_get_an_answer(postgres, fresh):
    own = Pool(postgres.dsn(), "here")
    assert own.read(one) == 1

    def read():
        with own._lent(readonly=True, fresh=fresh) as connection:
            return one(connection)

    assert in_lockstep(read, read) == [1, 1]


def test_a_store_that_is_away_is_reported_to_each_thread_by_an_error_of_its_own(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    own, errors = Pool(f"postgresql://u:p@127.0.0.1:{port}/d", "here"), []
    for _ in range(3):
        with pytest.raises(MergeStoreError, match="nobody listens there") as raised:
            own.read(one)
        errors.append(raised.value)
    assert len(set(map(id, errors))) == 3
    assert all(error.retryable for error in errors)
