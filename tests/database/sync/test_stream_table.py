"""The stream table itself: which rows are read, what a missing table says, and the history of changes by hand."""

from __future__ import annotations

import threading

import psycopg2
import pytest
from psycopg2 import errorcodes, sql

from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable


@pytest.fixture
def connection(new_database):
    connection = new_database("merge").connect()
    yield connection
    connection.close()


@pytest.fixture
def table(connection):
    streams = StreamTable(ControlSession(connection, "yellowlive"))
    streams.create_tables()
    changes = [
        RowChange(key, "{}", status, "create")
        for key, status in (("b", "active"), ("a", "paused"), ("C", "retired"), ("a%s{b}'\"", "active"))
    ]
    streams.write(changes, changed_by="ann@host", model_commit="c1")
    return connection


def keys(rows) -> list[str]:
    return [row.stream_key for row in rows]


def test_rows_come_in_the_order_of_their_keys_without_the_retired_ones(table):
    streams = StreamTable(ControlSession(table, "yellowlive"))
    assert keys(streams.select()) == ["a", "a%s{b}'\"", "b"]
    assert keys(streams.select(retired=True)) == ["C", "a", "a%s{b}'\"", "b"]


@pytest.mark.parametrize(
    ("asked", "found"), [(["b"], ["b"]), (["b", "a"], ["a", "b"]), (["C"], []), (["none"], []), ([], [])]
)
def test_single_rows_can_be_asked_for(table, asked, found):
    assert keys(StreamTable(ControlSession(table, "yellowlive")).select(stream_keys=asked)) == found


def test_a_missing_table_says_which_and_what_to_do(connection):
    with pytest.raises(MergeStoreError) as caught:
        StreamTable(ControlSession(connection, "yellowlive")).select()
    assert caught.value.pgcode == errorcodes.UNDEFINED_TABLE
    assert 'relation "public.yellowlive_airflow_dsg" does not exist' in str(caught.value)
    assert "dagfactory sync" in caught.value.todo
    assert not caught.value.retryable


def test_who_waited_for_another_sync_finds_the_tables_that_it_made(new_database):
    database = new_database("merge")
    first, second = database.connect(), database.connect()
    of_first, of_second = (StreamTable(ControlSession(one, "yellowlive")) for one in (first, second))
    assert len(of_second.missing_tables()) == 7  # what a plan looks at, and then remembers
    second.rollback()
    of_first.take_sync_lock()
    created: list[list[str]] = []

    def sync() -> None:
        of_second.take_sync_lock()
        created.append(of_second.create_tables())

    waiting = threading.Thread(target=sync)
    waiting.start()
    _wait_until_one_waits(first)
    of_first.create_tables()
    first.commit()
    waiting.join()
    assert created == [[]]
    first.close()
    second.close()


def _wait_until_one_waits(connection) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = " + (
        "(SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with connection.cursor() as cursor:
        while cursor.execute(waiting) or cursor.fetchone() == (0,):
            pass


def test_tables_are_created_once_and_a_missing_one_is_added(connection):
    rows = ["yellowlive_airflow_dsg", "yellowlive_airflow_dsg_history"]
    of_model = ["yellowlive_compiled_model", "yellowlive_airflow_dsg_revision", "yellowlive_job_model"]
    every = [*rows, "yellowlive_model_state", *of_model, "yellowlive_stream_alerts"]
    table = StreamTable(ControlSession(connection, "yellowlive"))
    assert table.create_tables() == every
    assert table.create_tables() == []
    connection.cursor().execute("DROP TABLE yellowlive_airflow_dsg_history")
    assert table.create_tables() == rows[1:]


def test_tables_that_are_there_need_no_right_to_create(postgres, new_database):
    database = new_database("merge")
    with database.connect() as owner, owner.cursor() as cursor:
        StreamTable(ControlSession(owner, "yellowlive")).create_tables()
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        reader = new_database("reader").user
        cursor.execute(f"GRANT CONNECT ON DATABASE {database.name} TO {reader}")
        cursor.execute(f"GRANT SELECT ON yellowlive_schema_version TO {reader}")
    owner.close()

    other = psycopg2.connect(postgres.dsn(database.name, reader, "pass word's"))
    assert StreamTable(ControlSession(other, "yellowlive")).create_tables() == []
    other.close()


@pytest.mark.parametrize("schema", ["Odd name", "50%s off", 'quo"te', "%(table)s", "{stream_table}"])
def test_another_schema_can_hold_the_tables_whatever_its_name(connection, schema):
    connection.cursor().execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    session = ControlSession(connection, "yellowlive", schema)
    assert len(StreamTable(session).create_tables()) == 7
    StreamTable(session).take_sync_lock()
    StreamTable(session).lock_rows()
    StreamTable(session).write([RowChange("b", "{}", "active", "create")], changed_by="x")
    ModelState(session).record_commit("c1", applied_by="x")
    assert keys(StreamTable(session).select()) == ["b"]
    assert ModelState(session).commit() == "c1"
    assert not StreamTable(ControlSession(connection, "yellowlive")).exists()


def test_a_change_by_hand_has_no_commit_in_its_history(table):
    StreamTable(ControlSession(table, "yellowlive")).write(
        [RowChange("b", "{}", "paused", "pause")], changed_by="ops@host"
    )
    cursor = table.cursor()
    cursor.execute(
        "SELECT change, changed_by, model_commit, before_status, after_status "
        "FROM yellowlive_airflow_dsg_history WHERE stream_key = 'b' ORDER BY id"
    )
    assert cursor.fetchall() == [
        ("create", "ann@host", "c1", None, "active"),
        ("pause", "ops@host", None, "active", "paused"),
    ]


def test_before_is_what_the_table_held_even_where_another_has_just_changed_it(table):
    """Whoever writes by hand need not have read the row first."""
    table.commit()

    first, second, pid = psycopg2.connect(table.dsn, password="pass word's"), table, table.info.backend_pid
    of_first, of_second = (StreamTable(ControlSession(one, "yellowlive")) for one in (first, second))
    of_first.write([RowChange("b", '{"by": 1}', "active", "update")], changed_by="first")
    waiting = threading.Thread(
        target=of_second.write,
        args=([RowChange("b", '{"by": 2}', "active", "update")],),
        kwargs={"changed_by": "second"},
    )
    waiting.start()
    cursor = first.cursor()
    while waiting.is_alive():
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'", (pid,))
        if cursor.fetchone():
            break
    first.commit()
    waiting.join(30)
    first.close()
    cursor = table.cursor()
    cursor.execute(
        "SELECT before_config_json, after_config_json FROM yellowlive_airflow_dsg_history "
        "WHERE change = 'update' ORDER BY id"
    )
    assert cursor.fetchall() == [("{}", '{"by": 1}'), ('{"by": 1}', '{"by": 2}')]


def test_an_unknown_status_is_refused_by_the_table(table):
    with pytest.raises(MergeStoreError) as caught:
        StreamTable(ControlSession(table, "yellowlive")).write(
            [RowChange("x", '{"secret": 1}', "on", "create")], changed_by="x"
        )
    assert caught.value.pgcode == errorcodes.CHECK_VIOLATION
    assert "secret" not in str(caught.value)
