"""The sessions that the tests keep: as good as new ones."""

from __future__ import annotations

import psycopg2
import pytest

from tests.kept_sessions import end_sessions, kept_session


def pid(cursor) -> int:
    return cursor.connection.info.backend_pid


def test_a_session_is_kept_and_nothing_of_what_was_done_in_it(new_database):
    dsn = new_database("kept").dsn
    with kept_session(dsn) as cursor:
        first = pid(cursor)
        cursor.execute("CREATE TABLE t (id int); CREATE TEMP TABLE of_session (id int); SET TimeZone = 'Asia/Tokyo'")
        cursor.execute("SELECT pg_advisory_lock(1)")
    with kept_session(dsn) as cursor:
        assert pid(cursor) == first
        cursor.execute(
            """SELECT to_regclass('t'), to_regclass('of_session'), current_setting('TimeZone') = 'Asia/Tokyo',
                      (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"""
        )
        assert cursor.fetchone() == ("t", None, False, 0)


def test_what_fails_is_rolled_back_and_its_session_ended(new_database):
    dsn = new_database("kept").dsn
    with kept_session(dsn) as cursor:
        first = pid(cursor)
    with pytest.raises(psycopg2.errors.DivisionByZero), kept_session(dsn) as cursor:
        cursor.execute("CREATE TABLE t (id int); SELECT 1 / 0")
    with kept_session(dsn) as cursor:
        assert pid(cursor) != first
        cursor.execute("SELECT to_regclass('t')")
        assert cursor.fetchone() == (None,)


def test_who_looks_at_the_same_time_has_another_session(new_database):
    dsn = new_database("kept").dsn
    with kept_session(dsn) as one, kept_session(dsn) as other:
        assert pid(one) != pid(other)


def test_a_session_that_the_server_has_ended_is_not_used_again(new_database):
    database = new_database("kept")
    with kept_session(database.dsn) as cursor:
        first = pid(cursor)
    with kept_session(database.superuser_dsn) as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", (first,))
        assert cursor.fetchone() == (True,)
    with kept_session(database.dsn) as cursor:
        assert pid(cursor) != first


def test_a_database_whose_sessions_are_ended_can_be_copied(new_database, postgres):
    database = new_database("kept")
    with kept_session(database.dsn) as cursor:
        cursor.execute("SELECT 1")
    end_sessions([database.name])
    with kept_session(postgres.dsn(), autocommit=True) as cursor:
        cursor.execute(f"CREATE DATABASE {database.name}_copy TEMPLATE {database.name}")
        cursor.execute(f"DROP DATABASE {database.name}_copy")
