"""What Airflow's side asks of a merge store is answered by PostgreSQL's own functions, whatever other schemas have."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

import airflow_plugin
from airflow_plugin.control import platform_tables
from airflow_plugin.control.batch_table import BatchTables
from airflow_plugin.control.connection import connect, fetch_within
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.doctor.merge_store import merge_store_findings
from airflow_plugin.health.streams import platform_health
from airflow_plugin.rows.reading import read_rows, read_table
from airflow_plugin.web import queries
from config_schema.model import Milestoning
from config_schema.schemas import json_schema
from tests.hostile_names import PATH, add_doubles
from tests.row_settings import settings_of_row

CONFIG = json_schema("stream")["examples"][0]
SETTINGS = settings_of_row(CONFIG)
PINNED = "pg_catalog, pg_temp"
SHOW = "SELECT pg_catalog.current_setting('search_path')"


def asked(connection) -> str:
    with connection.cursor() as cursor:
        cursor.execute(SHOW)
        return cursor.fetchone()[0]


def test_each_transaction_of_a_connection_is_pinned_and_leaves_nothing_behind(new_database):
    with closing(connect(new_database("merge").dsn, "here")) as connection:
        for end in (connection.commit, connection.rollback):
            assert asked(connection) == PINNED
            assert asked(connection) == PINNED
            end()
        with connection.cursor() as cursor:
            psycopg2.extensions.cursor.execute(cursor, SHOW)  # as whoever gets the session from a pooler
            assert cursor.fetchone() == ('"$user", public',)
        connection.rollback()
        connection.set_session(readonly=True)
        assert asked(connection) == PINNED
        connection.rollback()
        connection.autocommit = True
        assert asked(connection) == PINNED


def test_a_query_of_the_parse_is_pinned(new_database):
    assert fetch_within(new_database("merge").dsn, "here", sql.SQL(SHOW), {}, seconds=5) == [(PINNED,)]


def test_no_module_connects_in_another_way():
    """Asynchronous connections, which fetch_within has, begin with statements of their own."""
    found = []
    for path in Path(airflow_plugin.__file__).parent.rglob("*.py"):
        found += [
            f"{path.name}: {call}"
            for call in re.findall(r"psycopg2\.connect\(.*", path.read_text())
            if "cursor_factory=PinnedCursor" not in call
        ]
    assert found == ["connection.py: psycopg2.connect(dsn, **options)"]


@pytest.fixture
def case(merging, monkeypatch, tmp_path):
    """A merge store with a stream that has run, in which all of PostgreSQL's things have doubles that come first."""
    made = merging("CREATE TABLE customers (id int PRIMARY KEY, word text); INSERT INTO customers VALUES (1, 'a')")
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", made.target.dsn)
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path))
    made.run(Milestoning.LIVE, "run-1")
    add_doubles(made.target.superuser_dsn)
    with closing(psycopg2.connect(made.target.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("ALTER ROLE {} SET search_path = " + PATH).format(sql.Identifier(made.target.user)))
    return made


def test_the_tools_and_the_factory_call_nothing_of_another_schema(case):
    change = RowChange("Store1", json.dumps({**CONFIG, "stream_key": "Store1"}), "active", "create")
    with closing(connect(case.target.dsn, "here")) as connection:
        session = ControlSession(connection, "yellowlive")
        table, state = StreamTable(session), ModelState(session)
        table.take_sync_lock()
        assert len(table.create_tables()) == 7
        table.lock_rows()
        table.check_lengths([change])
        table.write([change], changed_by="test")
        state.record_commit("c1", applied_by="test")
        table.prune_history()
        connection.commit()
        assert state.commit() == "c1"
        assert [row.stream_key for row in table.select()] == ["Store1"]
        assert table.gone_streams() == []
        assert table.changes_by_hand().keys() == {"Store1"}
        assert len(table.history("Store1")) == 1
        assert table.recent_changes(["Store1"])[0][:2] == ("Store1", 1)
        assert table.config_limit() is None
        assert BatchTables(session).last_looks(["Store1"])["Store1"].last_batch == 1
        assert BatchTables(session).merge_table_sizes()[0].stream == "Store1"
        assert BatchTables(session).result_of_run("Store1", "run-1").batch_id == 1
        assert len(platform_tables.platform_tables(session).merged) == 2
    assert [row.stream_key for row in read_rows(SETTINGS, ["Store1"])] == ["Store1"]
    assert read_table(SETTINGS) is not None
    assert "cannot" not in platform_health(SETTINGS).fine
    assert [finding.what for finding in merge_store_findings(SETTINGS, None) if finding.area == "connection"]


def test_the_pages_call_nothing_of_another_schema(case):
    with closing(connect(case.target.dsn, "here")) as connection:
        table = StreamTable(ControlSession(connection, "yellowlive"))
        table.create_tables()
        change = RowChange("Store1", json.dumps({**CONFIG, "stream_key": "Store1"}), "active", "create")
        table.write([change], changed_by="test")
        session = ControlSession.of(connection, SETTINGS)
        rows = queries.stored_rows(session, "")
        assert [row.stream_key for row in rows[1]] == ["Store1"]
        assert queries.last_batches(session).keys() == {"Store1"}
        assert len(queries.rows_changed(session)) == 1
        assert len(queries.batches_of_run(session, "Store1", "run-1")) == 1
        assert queries.row_version(session, "Store1") is not None
        queries.note_action(session, "Store1", "reset", "test")
        assert queries.views(session, ["yellowlive_store1_customers"]) == []


def test_an_as_of_function_calls_nothing_of_its_caller_s_search_path(merging):
    """Its body is read with the search_path of who calls it: what another user has made there is not called as them."""
    case = merging("CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'a')")
    case.run(Milestoning.FORENSIC)
    add_doubles(case.target.superuser_dsn)
    for argument in ("1::pg_catalog.int4", "pg_catalog.now()", "pg_catalog.clock_timestamp()"):
        function = f'public."yellowforensic_Store1_t_merge_as_of"({argument})'
        with closing(case.target.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {PATH}")
            cursor.execute(f"SELECT * FROM {function}")
            assert cursor.fetchall() == [(1, "a")]
