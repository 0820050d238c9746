"""The simulator's sessions with a producer: the same password, and the same man in the middle."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import libpq_version

import merge_jobs
from config_schema.tls import LEAST_LIBPQ
from merge_jobs.errors import ConnectFailed
from merge_jobs.simulator.connect import connector
from tests.middle import PostgresMiddle
from tests.tls_server import WORD, TlsServer

needs_require_auth = pytest.mark.skipif(libpq_version() < LEAST_LIBPQ, reason="this libpq is older than 16")


def at(port: int, user: str = "plain", **more: str) -> dict[str, str | int | None]:
    return {"host": "127.0.0.1", "port": port, "database": "postgres", "user": user, "password": WORD, **more}


@needs_require_auth
@pytest.mark.parametrize("mode", [{}, {"sslmode": "prefer"}], ids=str)
def test_a_man_in_the_middle_who_says_that_there_is_no_tls_gets_no_password(mode):
    with PostgresMiddle().listening() as middle, pytest.raises(ConnectFailed, match="Switch TLS on"):
        connector(at(middle.port, **mode))()
    assert middle.connections
    assert WORD.encode() not in middle.heard


def test_the_man_in_the_middle_would_hear_a_password():
    with PostgresMiddle().listening() as middle, pytest.raises(ConnectFailed):
        connector(at(middle.port, sslmode="disable"))()
    assert WORD.encode() in middle.heard


@pytest.mark.parametrize("user", ["plain", "in_clear"])
def test_a_server_with_tls_is_reached_whatever_way_it_asks_for_the_password(user, tls_server: TlsServer):
    with closing(connector(at(tls_server.port, user))()) as session:
        assert session.info.ssl_in_use


def test_sessions_with_postgresql_begin_where_a_password_in_clear_text_is_refused():
    """Whoever adds another way to connect has to show it to the man in the middle, as the tests of this folder do."""
    product = Path(merge_jobs.__file__).parents[1]
    folders = ("airflow_plugin", "merge_jobs", "config_schema", "dags")
    found = {
        str(file.relative_to(product))
        for folder in folders
        for file in (product / folder).rglob("*.py")
        if re.search(r"psycopg2\.connect\(|psycopg\.connect\(|ConnectionPool\(", file.read_text())
    }
    assert found == {
        "airflow_plugin/control/connection.py",
        "airflow_plugin/demo/postgres.py",  # a server of its own on this machine
        "merge_jobs/database/connections.py",
        "merge_jobs/simulator/connect.py",
    }
