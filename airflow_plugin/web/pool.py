"""A few open connections to each merge store; no request can hold or wait for one longer than some seconds."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TypeVar

from psycopg2 import extensions
from psycopg2.extensions import connection as Connection

from airflow_plugin.control.connection import MergeStoreError, connect, translate_db_errors
from airflow_plugin.control.session import ControlSession
from airflow_plugin.settings import PlatformSettings, web_dsn

SIZE = 4
WAIT_SECONDS = 2.0  # for one of them
CONNECT_SECONDS = 3
ANSWER_SECONDS = 5.0
CUT_SECONDS = 7.0
AWAY_SECONDS = 2.0  # what was away is taken to be away so long: many requests are not to wait for it one by one

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Pool:
    """Connections to one merge store; each is used by one thread at a time."""

    def __init__(self, dsn: str, where: str) -> None:
        self._dsn, self._where = dsn, where
        self._free = threading.Semaphore(SIZE)
        self._idle: list[Connection] = []
        self._away: tuple[float, MergeStoreError] | None = None

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` gives for a read-only connection; it is run again if an idle connection was broken.

        Raises StreamFactoryError.
        """
        try:
            with self._lent(readonly=True, fresh=False) as connection:
                return work(connection)
        except MergeStoreError as error:
            if not isinstance(error, _Broken):
                raise
        with self._lent(readonly=True, fresh=True) as connection:
            return work(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Lend a connection that has just worked; roll back what was not committed. Raises StreamFactoryError."""
        self.read(_look)
        with self._lent(readonly=False, fresh=False) as connection:
            yield connection

    @contextmanager
    def _lent(self, *, readonly: bool, fresh: bool) -> Iterator[Connection]:
        if not self._free.acquire(timeout=WAIT_SECONDS):
            what = f"all {SIZE} connections are at work"
            raise MergeStoreError(self._where, what, "Try again in a moment", retryable=True)
        connection, idle = None, False
        try:
            connection, idle = self._taken(fresh)
            with _watched(connection):
                _prepare(connection, self._where, readonly)
                yield connection
        except MergeStoreError as error:
            if idle and connection is not None and connection.closed:
                broken = _Broken(error.where, error.what, error.todo, retryable=True)
                raise broken.with_private(error.private) from error
            raise
        finally:
            if connection is not None:
                self._give_back(connection)
            self._free.release()

    def _taken(self, fresh: bool) -> tuple[Connection, bool]:
        """Return a connection, and whether it lay idle; with `fresh` all idle ones are closed."""
        while (connection := self._pop_idle()) is not None:
            if not fresh:
                return connection, True
            connection.close()
        away = self._away  # once: another thread may find it back meanwhile
        if away is not None and time.monotonic() < away[0]:
            said = away[1]
            # A new one for each thread: raising one error again and again makes its traceback longer each time.
            raise said.reworded(said.what)
        try:
            connection = connect(self._dsn, self._where, timeout=CONNECT_SECONDS)
        except MergeStoreError as error:
            self._away = (time.monotonic() + AWAY_SECONDS, error)
            log.warning("%s", error.in_full())  # answers show the private part to few
            raise
        self._away = None
        return connection, False

    def _pop_idle(self) -> Connection | None:
        # In one step: between a look at the list and pop() another thread may take the last one.
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _give_back(self, connection: Connection) -> None:
        with suppress(Exception):  # whatever is wrong with it, it is closed then, and the next request takes another
            connection.rollback()
            if not connection.closed and connection.status == extensions.STATUS_READY:
                self._idle.append(connection)
                return
        connection.close()


class _Broken(MergeStoreError):
    """An idle connection that was cut off meanwhile."""


def pool(settings: PlatformSettings) -> Pool:
    """Return this process's pool of the platform. Raises StreamFactoryError if no merge store is configured."""
    return _pool(*web_dsn(settings.platform_name))


def read(settings: PlatformSettings, work: Callable[[ControlSession], Result]) -> Result:
    """Return the result of `work` on a session that can only read the platform's tables. Raises StreamFactoryError."""
    return pool(settings).read(lambda connection: work(ControlSession.of(connection, settings)))


@lru_cache
def _pool(dsn: str, where: str) -> Pool:
    return Pool(dsn, where)


def _prepare(connection: Connection, where: str, readonly: bool) -> None:
    with translate_db_errors(where), connection.cursor() as cursor:
        connection.set_session(readonly=readonly)
        milliseconds = f"{ANSWER_SECONDS * 1000:.0f}"
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", (milliseconds,))


def _look(connection: Connection) -> None:
    """Do nothing: preparing the connection has contacted the server already."""


@contextmanager
def _watched(connection: Connection) -> Iterator[None]:
    """Cut the connection if it is not given back in time: a server that has stopped does not know of timeouts."""
    line = socket.socket(fileno=os.dup(connection.fileno()))
    timer = threading.Timer(CUT_SECONDS, _cut, [line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        line.close()


def _cut(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
