"""The factory's reading of the stream table: in one round trip, in time whatever the server does, and never half."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from airflow_plugin.control.connection import MergeStoreError, connect, fetch_within
from airflow_plugin.control.session import ControlSession, composed
from airflow_plugin.control.stream_table import StreamTable
from airflow_plugin.rows import reading
from airflow_plugin.rows.reading import (
    STATEMENTS,
    StreamTableRows,
    TableRow,
    read_rows,
    read_table,
)
from airflow_plugin.settings import PlatformSettings
from config_schema import stream
from config_schema.errors import ProblemsFound

SETTINGS = PlatformSettings(original_platform_name="YellowLive")
TABLE = "yellowlive_airflow_dsg"


@pytest.fixture
def merge_store(new_database: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    database = new_database("merge")
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", database.dsn)
    with closing(database.connect()) as connection, connection:
        StreamTable(ControlSession(connection, "yellowlive")).create_tables()
    return database


def change(database: Any, statement: str) -> None:
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def test_all_rows_come_once_and_after_that_only_what_has_changed(merge_store):
    empty = read_table(SETTINGS)
    assert empty.rows == ()
    assert read_table(SETTINGS, empty.token) == StreamTableRows(empty.token, None)

    change(
        merge_store,
        f"INSERT INTO {TABLE} VALUES ('b', '{{}}', 'active'), ('B%s', 'x', 'active'), ('gone', '-', 'retired')",
    )
    first = read_table(SETTINGS, empty.token)
    assert first.rows == (
        TableRow("B%s", "active", "x"),
        TableRow("b", "active", "{}"),
        TableRow("gone", "retired", ""),
    )
    assert read_table(SETTINGS, first.token).rows is None

    # By hand, with updated_at left as it was: still a change.
    for statement in (
        f"UPDATE {TABLE} SET config_json = '{{ }}' WHERE stream_key = 'b'",
        f"UPDATE {TABLE} SET status = 'paused' WHERE stream_key = 'b'",
        f"DELETE FROM {TABLE} WHERE stream_key = 'b'",
    ):
        before = read_table(SETTINGS)
        change(merge_store, statement)
        after = read_table(SETTINGS, before.token)
        assert after.rows is not None
        assert after.rows != before.rows


def test_a_worker_reads_only_the_rows_it_asks_for(merge_store):
    change(
        merge_store,
        f"INSERT INTO {TABLE} VALUES ('a#b', 'x', 'active'), ('a__b', 'y', 'retired'), ('o', 'z', 'active')",
    )
    assert read_rows(SETTINGS, ["a#b", "a__b"]) == [TableRow("a#b", "active", "x"), TableRow("a__b", "retired", "")]


def test_of_a_text_without_bounds_no_more_is_read_than_shows_that_it_is_too_long(merge_store):
    change(merge_store, f"INSERT INTO {TABLE} VALUES ('huge', repeat('x', 50000000), 'active')")
    for (row,) in (read_table(SETTINGS).rows, read_rows(SETTINGS, ["huge"])):
        assert len(row.config_json) == stream.LONGEST + 1
        with pytest.raises(ProblemsFound) as refused:
            stream.stream_config(row.config_json)
        assert [one.code for one in refused.value.problems] == [stream.TEXT_NOT_TOO_LONG.code]


def test_a_table_made_elsewhere_with_other_types_and_nulls_is_read(merge_store):
    change(
        merge_store,
        f"""DROP TABLE {TABLE};
            CREATE TABLE {TABLE} (stream_key text, config_json jsonb, status text, created_at date, updated_at date);
            INSERT INTO {TABLE} VALUES ('a', '{{"k": 1}}', 'active'), ('b', NULL, 'active')""",
    )
    assert read_table(SETTINGS).rows == (TableRow("a", "active", '{"k": 1}'), TableRow("b", "active", ""))


def test_a_server_that_accepts_and_never_answers_is_given_up(merge_store, monkeypatch):
    monkeypatch.setattr(reading, "ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", f"postgresql://u:secret@127.0.0.1:{port}/d")
        began = time.monotonic()
        with pytest.raises(MergeStoreError, match=r"no answer within 0.3 s") as raised:
            read_table(SETTINGS)
    assert time.monotonic() - began < 5
    assert raised.value.retryable
    assert "secret" not in str(raised.value)


@pytest.fixture
def hanging_names(monkeypatch):
    """A resolver that gives no answer for names under `.hangs.example`, as one whose name server is cut off."""
    resolve, end, asked = socket.getaddrinfo, threading.Event(), []

    def getaddrinfo(host, *arguments, **options):
        asked.append(host)
        if host.endswith(".hangs.example"):
            end.wait(60)
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    end.set()


def test_a_host_name_that_does_not_resolve_takes_no_longer_than_the_timeout(merge_store, monkeypatch, hanging_names):
    monkeypatch.setattr(reading, "ANSWER_SECONDS", 0.3)
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", "postgresql://u:secret@db.hangs.example/d")
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(MergeStoreError, match=r"name is not resolved within 0.3 s") as raised:
            read_table(SETTINGS)
        assert time.monotonic() - began < 3
        assert raised.value.retryable
        assert "secret" not in str(raised.value)
    assert hanging_names == ["db.hangs.example"]  # one thread waits, however often it is asked
    with pytest.raises(MergeStoreError, match="name is not resolved within 1 s"):
        connect("host=db2.hangs.example dbname=d", "here", timeout=1)


def test_of_several_hosts_one_that_does_not_resolve_is_passed_over(merge_store, hanging_names):
    parts = psycopg2.extensions.parse_dsn(merge_store.dsn)
    known = {"user": parts["user"], "password": parts["password"], "dbname": parts["dbname"], "port": parts["port"]}
    query = composed(STATEMENTS["read_table"], "yellowlive", "public", {"known": ""})
    for hosts in ("localhost", "db.hangs.example,localhost", "no.such.name.invalid,localhost", "localhost,127.0.0.1"):
        dsn = psycopg2.extensions.make_dsn(host=hosts, **known)
        assert len(fetch_within(dsn, "here", query, {"known": ""}, seconds=4)) == 1, hosts
        with closing(connect(dsn, "here", timeout=4)) as connection:
            assert connection.info.host == "localhost", hosts  # what TLS and password files go by


def test_a_host_name_that_is_not_known_says_so():
    with pytest.raises(MergeStoreError, match="the host is not known"):
        connect("host=no.such.name.invalid dbname=d", "here", timeout=30)


def test_a_table_that_is_locked_is_given_up_and_the_server_stops_waiting_too(merge_store):
    query = composed(STATEMENTS["read_table"], "yellowlive", "public", {"known": ""})
    with closing(merge_store.connect()) as holder, holder.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {TABLE}")
        with pytest.raises(MergeStoreError) as raised:
            fetch_within(merge_store.dsn, "here", query, {"known": ""}, seconds=0.5)
        assert raised.value.retryable
        deadline = time.monotonic() + 10
        while waiting(merge_store):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def waiting(database: Any) -> int:
    with closing(psycopg2.connect(database.superuser_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dagfactory' AND datname = %s AND "
            "state = 'active'",
            (database.name,),
        )
        return cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("change_dsn", "said"),
    [
        (lambda dsn: dsn.replace("pass%20word%27s", "wrong"), "wrong user name or password"),
        (lambda dsn: re.sub("/merge_[0-9]+$", "/nowhere", dsn), "the database does not exist"),
        (lambda dsn: "postgresql://u:se%cret@host/d", "no well-formed DSN"),
    ],
)
def test_a_dsn_that_does_not_lead_there_is_one_clear_error(merge_store, monkeypatch, change_dsn, said):
    dsn = change_dsn(merge_store.dsn)
    assert dsn != merge_store.dsn
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", dsn)
    with pytest.raises(MergeStoreError, match=said) as raised:
        read_table(SETTINGS)
    assert "cret" not in str(raised.value)


def test_a_missing_table_says_what_creates_it(merge_store):
    change(merge_store, f"DROP TABLE {TABLE}")
    with pytest.raises(MergeStoreError, match="Run dagfactory sync or dagfactory db upgrade"):
        read_table(SETTINGS)


def test_reading_cannot_write(merge_store):
    query = composed(STATEMENTS["read_rows"], "yellowlive", "public", {"stream_keys": []})
    change(
        merge_store,
        f"""CREATE TABLE seen (at text);
            CREATE FUNCTION writing() RETURNS text LANGUAGE sql
                AS $$ INSERT INTO public.seen VALUES ('x') RETURNING at $$;
            DROP TABLE {TABLE};
            CREATE VIEW {TABLE} AS SELECT public.writing() AS stream_key, 'active' AS status, 'x' AS config_json""",
    )
    with pytest.raises(MergeStoreError, match="read-only transaction"):
        fetch_within(merge_store.dsn, "here", query, {"stream_keys": ["x"]}, seconds=5)
