"""Opens a session with a producer that is not on PostgreSQL: by its driver, within a time limit, with its settings."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from config_schema.errors import PackageMissing
from config_schema.model import SourceKind
from merge_jobs.database.connections import CONNECT_SECONDS, KEEPALIVE, ConnectionInfo
from merge_jobs.errors import ConnectFailed
from merge_jobs.process.signal_mask import start_without_signals
from merge_jobs.sources.sql.dialects import DIALECTS
from merge_jobs.sources.sql.sqlite_file import check_side_files, open_file
from merge_jobs.sources.sql.tls import driver_arguments

# For all of a login: a host may have several addresses, and each is tried for as long as the driver waits for one.
LOGIN_SECONDS = 3.0 * CONNECT_SECONDS
CONNECT_ARGUMENTS: dict[SourceKind, dict[str, object]] = {SourceKind.MYSQL: {"charset": "utf8mb4"}}


def source_engine(place: ConnectionInfo, where: str) -> sa.Engine:
    """Return an engine for a database that is not PostgreSQL; its sessions have the settings of its dialect.

    Raises StreamFactoryError if its driver is not installed. Its sessions raise ConnectFailed for a silent server.
    """
    dialect = DIALECTS[place.kind]
    try:
        if place.kind is SourceKind.SQLITE:
            engine = sa.create_engine("sqlite://", poolclass=NullPool, creator=lambda: open_file(place.database, where))
        else:
            address = URL.create(dialect.driver, place.user, place.password, place.host, place.port, place.database)
            arguments = CONNECT_ARGUMENTS.get(place.kind, {}) | driver_arguments(place, where)
            engine = sa.create_engine(address, poolclass=NullPool, connect_args=arguments)
    except ModuleNotFoundError as error:
        todo = f"Install airflow-stream-factory[{place.kind.value}], or that driver, into the merge-job image"
        raise PackageMissing(where, str(error.name), todo) from None

    # A file has no login, and SQLite's sessions stay in their thread.
    if place.kind is not SourceKind.SQLITE:

        @sa.event.listens_for(engine, "do_connect")
        def connect(of: sa.Dialect, _: object, by_place: tuple[Any, ...], by_name: dict[str, Any]) -> Any:
            return _within_time(lambda: of.connect(*by_place, **by_name), where)

    # Before SQLAlchemy looks at the session: by sql_mode it decides how names are quoted.
    @sa.event.listens_for(engine, "connect", insert=True)
    def configure(session: Any, _: object) -> None:
        _watch(getattr(session, "_sock", None))
        with contextlib.closing(session.cursor()) as cursor:
            for statement in dialect.session:
                cursor.execute(statement)

    return engine


def _within_time(login: Callable[[], Any], where: str) -> Any:
    """Return the result of `login`. Raises ConnectFailed if the server takes too long: not every driver has a limit."""
    made: Future[Any] = Future()

    def run() -> None:
        try:
            made.set_result(login())
        except BaseException as error:
            made.set_exception(error)

    start_without_signals(run, "login")
    try:
        return made.result(LOGIN_SECONDS)
    except TimeoutError:
        what = f"the server has not completed the login within {LOGIN_SECONDS:.0f} seconds"
        todo = "Check that host and port are those of the database, and that the server is not overloaded"
        raise ConnectFailed(where, what, todo, retryable=True, sqlstate=None) from None


def _watch(connected: socket.socket | None) -> None:
    """Let the operating system detect a dead server within a minute; PyMySQL's socket would take hours."""
    if connected is None:
        return
    for name, seconds in {"KEEPIDLE": "idle", "KEEPINTVL": "interval", "KEEPCNT": "count"}.items():
        option = getattr(socket, f"TCP_{name}", None)
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, KEEPALIVE[f"keepalives_{seconds}"])


def take_snapshot(session: sa.Connection, place: ConnectionInfo, where: str) -> None:
    """Begin the transaction in which everything is read. Raises the driver's errors, and StreamFactoryError."""
    for statement in DIALECTS[place.kind].snapshot:
        session.exec_driver_sql(statement)
    if place.kind is SourceKind.SQLITE:
        check_side_files(place.database, where)
