"""Errors of MySQL and SQLite: in words, by dataset, retryable where trying again can help, and never with a value."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import pytest

from config_schema.errors import StreamFactoryError
from config_schema.model import Column, Database, Dataset, Milestoning, SourceKind
from config_schema.tls import Tls
from merge_jobs.database.connections import ConnectionInfo, place_of
from merge_jobs.errors import ConnectFailed, DatabaseFailed, KeysRejected, SettingRefused, SourceMismatch
from merge_jobs.sources.opening import open_source
from merge_jobs.sources.sql import dialects
from merge_jobs.sources.sql.source import SqlAlchemySource
from tests.database.merge.producers import SqliteProducer, execute, read_from

LIVE = Milestoning.LIVE
T = Dataset("t", (Column("id", "integer", nullable=False), Column("w", "text")), ("id",))
V = replace(T, name="v")


def session(producer):
    """Open a source as a job does."""
    secrets = {"PRODUCER_USERNAME": "producer", "PRODUCER_PASSWORD": "geheim"}
    return open_source(place_of(producer.database(), None, secrets), "t")


def read(source, *datasets: Dataset) -> None:
    """Read the datasets in one snapshot to nowhere."""
    source.begin(datasets)
    for dataset in datasets:
        copy(source, dataset)


def copy(source, dataset: Dataset) -> None:
    types = {column.name: column.type for column in dataset.columns}
    with open(os.devnull, "wb") as nowhere:
        source.copy_out(dataset, types, False, nowhere)


def failed(producer, *datasets: Dataset) -> StreamFactoryError:
    with pytest.raises(DatabaseFailed) as caught, session(producer) as source:
        read(source, *datasets)
    assert isinstance(caught.value, DatabaseFailed | SourceMismatch)
    assert "log of the database server" not in str(caught.value)
    return caught.value


@pytest.fixture
def mysql(producer):
    execute(producer, "CREATE TABLE t (id INT PRIMARY KEY, w TEXT); INSERT INTO t VALUES (1, 'secret'), (2, 'b')")
    return producer


of_mariadb = pytest.mark.parametrize("producer", ["mariadb"], indirect=True)


# --- MySQL


@of_mariadb
def test_a_lock_in_mysql_is_given_up_on_and_worth_a_retry(mysql, monkeypatch):
    short = [one.replace("_timeout = 10", "_timeout = 1") for one in dialects.MYSQL_SESSION]
    assert short != list(dialects.MYSQL_SESSION)
    quick = replace(dialects.DIALECTS[SourceKind.MYSQL], session=tuple(short))
    monkeypatch.setitem(dialects.DIALECTS, SourceKind.MYSQL, quick)
    with closing(mysql.connect()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES t WRITE")
        error = failed(mysql, T)
    assert error.retryable
    assert "dataset t: a lock is held by another session" in str(error)


@of_mariadb
def test_a_table_that_changes_after_the_snapshot_is_named_and_worth_a_retry(mysql):
    with session(mysql) as source:
        source.begin([T])
        execute(mysql, "ALTER TABLE t FORCE")
        with pytest.raises(DatabaseFailed, match="dataset t: the table's definition was changed") as caught:
            copy(source, T)
    assert caught.value.retryable


@of_mariadb
@pytest.mark.parametrize(("kill", "what"), [("QUERY", "the server ended the statement"), ("CONNECTION", "")])
def test_a_statement_that_an_operator_kills_is_worth_a_retry(mysql, kill, what):
    execute(mysql, "CREATE VIEW slow AS SELECT id, sleep(20) AS w FROM t")
    with session(mysql) as source, closing(mysql.connect()) as other, other.cursor() as cursor:
        number = source._session.exec_driver_sql("SELECT connection_id()").scalar()
        source._session.rollback()
        source.begin([replace(T, name="slow")])
        reading = _Reading(source, replace(T, name="slow"))
        # Not any statement that names the view: one before the COPY has ended when it is killed.
        at_it = "SELECT 1 FROM information_schema.processlist WHERE id = %s AND state = 'User sleep'"
        while not cursor.execute(at_it, (number,)):
            assert reading.thread.is_alive()
        cursor.execute(f"KILL {kill} {number}")
        error = reading.error()
    assert error.retryable
    assert "dataset slow" in str(error)
    assert what in str(error)


class _Reading:
    """A copy in a thread of its own."""

    def __init__(self, source, dataset: Dataset) -> None:
        self._raised: list[BaseException] = []

        def read() -> None:
            try:
                copy(source, dataset)
            except BaseException as error:
                self._raised.append(error)

        self.thread = threading.Thread(target=read, daemon=True)
        self.thread.start()

    def error(self) -> StreamFactoryError:
        self.thread.join(30)
        (raised,) = self._raised
        assert isinstance(raised, StreamFactoryError), raised
        return raised


VIEWS = {
    "a missing table": (
        "CREATE TABLE gone (id INT, w TEXT); CREATE VIEW v AS SELECT * FROM gone; DROP TABLE gone",
        "the view refers to a table, a column or rights that are not there",
    ),
    "a number out of range": (
        "CREATE VIEW v AS SELECT id, 9223372036854775807 + id AS w FROM t",
        "a view computes a value that has no result",
    ),
    "more than one row": (
        "CREATE VIEW v AS SELECT id, (SELECT w FROM t) AS w FROM t",
        "a view computes a value that has no result",
    ),
    "a function that writes": (
        "CREATE FUNCTION f() RETURNS INT BEGIN INSERT INTO t VALUES (9, 'x') ; RETURN 1 ; END | "
        "CREATE VIEW v AS SELECT id, f() AS w FROM t",
        "the view calls a function that writes, which a read-only transaction refuses",
    ),
}


@of_mariadb
@pytest.mark.parametrize("of_view", VIEWS.values(), ids=VIEWS.keys())
def test_what_is_wrong_with_a_view_is_said_and_not_retried(mysql, of_view):
    statements, what = of_view
    with closing(mysql.connect()) as connection, connection.cursor() as cursor:
        for statement in statements.split("|") if "|" in statements else statements.split(";"):
            cursor.execute(statement)
    error = failed(mysql, V)
    assert f"dataset v: {what}" in str(error)
    assert not error.retryable
    assert "secret" not in str(error)


@of_mariadb
def test_a_table_that_may_not_be_read_is_named(mysql):
    with closing(mysql.connect()) as connection, connection.cursor() as cursor:
        user = f"reader_{os.urandom(3).hex()}"
        cursor.execute(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'x'")
        cursor.execute(f"GRANT SELECT (id) ON {mysql.name}.t TO {user}@'127.0.0.1'")
    place = place_of(mysql.database(), None, {"PRODUCER_USERNAME": user, "PRODUCER_PASSWORD": "x"})
    with (
        pytest.raises(DatabaseFailed, match=r"dataset t: the user may not read it\. Grant") as caught,
        open_source(place, "t") as source,
    ):
        read(source, T)
    assert not caught.value.retryable


# --- SQLite


@pytest.fixture
def sqlite(tmp_path):
    made = SqliteProducer(tmp_path)
    execute(made, "CREATE TABLE t (id INTEGER PRIMARY KEY, w TEXT); INSERT INTO t VALUES (1, 'secret')")
    return made


def test_a_file_that_is_locked_is_worth_a_retry(sqlite, monkeypatch):
    monkeypatch.setattr("merge_jobs.sources.sql.sqlite_file.LOCK_SECONDS", 0.1)
    with closing(sqlite.connect()) as other:
        other.execute("BEGIN EXCLUSIVE")
        error = failed(sqlite, T)
    assert error.retryable
    assert "the file is locked by another process" in str(error)


FILES = {
    "no database": (lambda path: path.write_bytes(b"id,w\n1,secret\n" * 100), "the file is no SQLite database"),
    "damaged": (lambda path: _damage(path), "the file is damaged"),
    "not there": (lambda path: path.unlink(), "the file cannot be opened"),
}


def _damage(path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, "secret" * 500) for n in range(2, 200)])
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\x7f" * (len(raw) - 4096)
    path.write_bytes(raw)


@pytest.mark.parametrize("of_file", FILES.values(), ids=FILES.keys())
def test_what_is_wrong_with_a_file_is_said(sqlite, of_file):
    spoil, what = of_file
    spoil(sqlite.path)
    with pytest.raises(DatabaseFailed, match=what) as caught, session(sqlite) as source:
        read(source, T)
    assert not caught.value.retryable
    assert "secret" not in str(caught.value)


def test_a_view_of_what_is_not_there_is_said(sqlite):
    execute(sqlite, "CREATE VIEW v AS SELECT id, gone AS w FROM t")
    assert "dataset v: SQLite cannot run the statement: a view refers to" in str(failed(sqlite, V))


def test_a_server_that_is_not_there_or_not_known_is_said(monkeypatch):
    pytest.importorskip("pymysql")
    for host, what in (("127.0.0.1", "no server answers"), ("nowhere.invalid", "no server answers|host is not known")):
        place = place_of(
            Database(host, "d", "producer", 1, kind=SourceKind.MYSQL),
            None,
            {"PRODUCER_USERNAME": "u", "PRODUCER_PASSWORD": "p"},
        )
        with pytest.raises(ConnectFailed, match=what) as caught:
            SqlAlchemySource(place)
        assert caught.value.retryable


@pytest.mark.parametrize("tls", [None, Tls.REQUIRE])
@pytest.mark.parametrize("kind", [SourceKind.MYSQL, SourceKind.ORACLE])
def test_a_server_that_takes_a_connection_and_says_nothing_is_given_up_on(monkeypatch, kind, tls):
    pytest.importorskip({SourceKind.MYSQL: "pymysql", SourceKind.ORACLE: "oracledb"}[kind])
    monkeypatch.setattr("merge_jobs.sources.sql.engine.LOGIN_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = ConnectionInfo("127.0.0.1", silent.getsockname()[1], "d", "public", "u", "geheim", kind, tls)
        with pytest.raises(ConnectFailed, match="the server has not completed the login within 0 seconds") as caught:
            open_source(place, "t")
    assert caught.value.retryable
    assert "geheim" not in caught.value.in_full()


SETTINGS = {
    "time_zone": "SET SESSION time_zone = '+05:00'",
    "character_set_results": "SET SESSION character_set_results = 'latin1'",
    "sql_select_limit": "SET SESSION sql_select_limit = 1",
    "lc_time_names": "SET SESSION lc_time_names = 'de_CH'",
}


@of_mariadb
@pytest.mark.parametrize("name", SETTINGS)
def test_a_function_that_changes_the_session_is_refused(mysql, name):
    execute(
        mysql,
        "CREATE TABLE w (id INT PRIMARY KEY, seen TIMESTAMP);INSERT INTO w VALUES (1, '2026-01-02'), (2, '2026-01-02')",
    )
    with closing(mysql.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE FUNCTION changed() RETURNS INT BEGIN {SETTINGS[name]}; RETURN 0; END")
        cursor.execute("CREATE VIEW v AS SELECT id + changed() AS id, seen AS w FROM w")
    with session(mysql) as source, pytest.raises(SettingRefused, match="dataset v: ") as refused:
        read(source, V)
    assert refused.value.settings == (name,)


# --- keys


@pytest.mark.parametrize("kind", ["text", "citext"])
def test_the_statement_that_finds_bad_keys_finds_them_in_the_source(merging, producer, kind):
    case = merging("SELECT 1")
    read_from(case, producer)
    _with_citext(case)
    execute(
        producer,
        "CREATE TABLE `keys of` (`the id` VARCHAR(9), n INTEGER); INSERT INTO `keys of` VALUES "
        "('a', 1), ('b', 1), ('B', 1), ('c', 1), ('c', 1)",
    )
    columns = (Column("the id", kind, nullable=False), Column("n", "integer", nullable=False))
    case.datasets = (Dataset("k", columns, ("the id", "n"), table="keys of"),)
    found = {"text": {("c",)}, "citext": {("b",), ("c",)}}[kind]
    assert _keys_found(case, producer) == found
    execute(producer, "DELETE FROM `keys of`; INSERT INTO `keys of` VALUES (NULL, 1), ('a', 1)")
    assert _keys_found(case, producer) == {(None,)}


def _with_citext(case) -> None:
    import psycopg2

    with closing(psycopg2.connect(case.target.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION citext")


def _keys_found(case, producer) -> set[tuple[str | None]]:
    with pytest.raises(KeysRejected) as caught:
        case.run(LIVE)
    statement = caught.value.todo.rpartition("find them in the source: ")[2]
    with closing(producer.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return {(_text(row[0]),) for row in cursor.fetchall()}


def _text(value) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
