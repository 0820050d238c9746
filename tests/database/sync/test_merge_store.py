"""Connecting: what goes wrong is said in our words, and no part of a DSN that could be a password is shown."""

from __future__ import annotations

import psycopg2
import pytest

from airflow_plugin.control.connection import (
    MergeStoreError,
    connect,
    identity,
    place,
    translate_db_errors,
)

WORD = "hunter2"


@pytest.mark.parametrize(
    ("dsn", "what", "retryable"),
    [
        ("postgresql://{user}:hunter2@{host}:{port}/{name}", "wrong user name or password", False),
        ("postgresql://{user}@{host}:{port}/{name}", "no password was given", False),
        ("postgresql://{user}:{password}@{host}:{port}/hunter2-not", "the database does not exist", False),
        ("postgresql://{user}:{password}@{host}:1/{name}", "nobody listens there", True),
        ("postgresql://{user}:{password}@no-such-host.invalid:{port}/{name}", "the host is not known", True),
        ("postgresql://{user}:hunter2@{host}:{port}/postgres?sslmode=require", "TLS", False),
        # libpq's own text would show a part of the password for each of these.
        ("postgresql://{user}:hunter2/x@{host}:{port}/{name}", "no well-formed DSN", False),
        ("postgresql://{user}:x@hunter2@{host}:{port}/{name}", "no well-formed DSN", False),
        ("postgresql://{user}:hunter2%zz@{host}:{port}/{name}", "no well-formed DSN", False),
        ("host={host} password=x hunter2 user={user}", "no well-formed DSN", False),
        ("hunter2", "no well-formed DSN", False),
    ],
)
def test_a_dsn_that_leads_nowhere_is_worded_without_its_password(new_database, dsn, what, retryable):
    database = new_database("merge")
    parts = {"host": database.server.host, "port": database.server.port, "user": database.user, "name": database.name}
    with pytest.raises(MergeStoreError) as caught:
        connect(dsn.format(**parts, password="pass%20word%27s"), "DAGFACTORY_YELLOWLIVE_DSN", timeout=5)
    error = caught.value
    assert (what in error.what, error.where, error.retryable) == (True, "DAGFACTORY_YELLOWLIVE_DSN", retryable)
    assert error.todo
    assert "hunter2@" not in str(error)
    assert "hunter2" not in str(error) or "hunter2-not" in dsn
    assert not any(part in str(error) for part in (database.user, database.server.host, "no-such-host"))
    assert "well-formed" in what or error.private.startswith(f"{database.user}@"), error.private
    assert error.private in error.in_full()
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_role_without_the_right_to_connect_gets_that_error(new_database):
    database, other = new_database("merge"), new_database("other")
    with pytest.raises(MergeStoreError, match="the user may not connect to the database"):
        connect(other.server.dsn(database.name, other.user, other.password), "X")


def test_what_a_pooler_passes_on_of_a_login_that_failed_is_private(new_database):
    said = 'password authentication failed for user "keeper" at 10.1.2.3'
    for state in ("28P01", "28000", "08006", "08P01"):
        with (
            new_database("merge").connect() as connection,
            pytest.raises(MergeStoreError) as caught,
            translate_db_errors("there"),
        ):
            connection.cursor().execute(f"DO $$ BEGIN RAISE '{said}' USING ERRCODE = '{state}'; END $$")
        assert "keeper" not in str(caught.value)
        assert "wrong user name or password" in str(caught.value)
        assert said in caught.value.in_full()
        connection.close()


def test_a_statements_error_keeps_its_code_and_drops_detail_and_hint(new_database):
    connection = new_database("merge").connect()
    with pytest.raises(MergeStoreError) as caught, translate_db_errors("there"):
        connection.cursor().execute(
            f"DO $$ BEGIN RAISE 'said' USING DETAIL = '{WORD}', HINT = '{WORD}', ERRCODE = '40001'; END $$"
        )
    assert (str(caught.value), caught.value.pgcode) == ("there: said. See the server's log for more [DF2001]", "40001")
    assert caught.value.retryable
    connection.close()


def test_a_connection_that_was_lost_is_worth_a_retry(new_database):
    database = new_database("merge")
    connection = database.connect()
    with psycopg2.connect(database.superuser_dsn) as killer:
        killer.cursor().execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    killer.close()
    for _ in range(2):  # first the server's farewell, then a connection that is closed
        with pytest.raises(MergeStoreError) as caught, translate_db_errors("there"):
            connection.cursor().execute("SELECT 1")
        assert caught.value.retryable
    connection.close()


def test_two_ways_of_writing_a_dsn_are_one_store():
    url = "postgresql://ann:x@pg-data/db"
    assert identity(url, "a") == identity("host=pg-data port=5432 user=ann dbname=db password=y", "b")
    assert identity(url, "a") != identity("postgresql://bob:x@pg-data/db", "b")
    assert place(url) == "ann@pg-data:5432/db"
