"""What a stranger has made under the name of a table of ours is read by no command, page or job.

Its functions would run with the rights of whoever reads it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import make_dsn

from airflow_plugin.control import platform_tables
from airflow_plugin.control.batch_table import BatchTables
from airflow_plugin.control.connection import MergeStoreError, connect, fetch_within
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_changes import all_query
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.doctor.merge_store import merge_store_findings
from airflow_plugin.health.streams import platform_health
from airflow_plugin.rows.reading import read_table
from airflow_plugin.web import queries
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import Milestoning
from config_schema.sql import versions
from config_schema.sql.known_tables import KnownTables
from config_schema.sql.versions import Part, TablesOfAnother
from merge_jobs.admin.archive import ArchiveAction, change_archive
from merge_jobs.admin.diff import compare
from merge_jobs.admin.repair import repair_tables
from merge_jobs.admin.reset import reset_batch
from merge_jobs.admin.status import platform_status
from merge_jobs.admin.trust import trust_again
from merge_jobs.database import connections
from merge_jobs.database.connections import place_of
from merge_jobs.run.model_source import recorded_commit
from tests.altering_relay import AlteringRelay
from tests.database.merge_store.test_names_in_our_sessions import CONFIG, SETTINGS

LIVE, SHORT, STREAM = Milestoning.LIVE, "yellowlive", "Store1"
CONFIG_TEXT = json.dumps({**CONFIG, "stream_key": STREAM})
TABLES = (
    *(table for part in Part for table in versions.tables(SHORT, part)),
    names.schema_version_table(SHORT),
    *(names.merge_table(SHORT, STREAM, "t"), names.row_map_table(SHORT, STREAM, "t")),
)
# The stranger's view gives what the table gave, its comment included, and notes down that it is read.
TRAP = """
    ALTER TABLE {table} RENAME TO moved;
    CREATE SEQUENCE calls;
    GRANT ALL ON calls TO PUBLIC;
    CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT nextval('public.calls') $$;
    CREATE TABLE made AS SELECT * FROM moved;
    ALTER TABLE made OWNER TO {stranger};
    CREATE VIEW {table} AS SELECT * FROM made WHERE spy() > 0;
    ALTER VIEW {table} OWNER TO {stranger};
    GRANT ALL ON made, {table} TO PUBLIC;
"""


@pytest.fixture
def case(merging, monkeypatch, tmp_path):
    """A platform whose tables are all there, in a schema in which everybody may create."""
    made = merging("CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'a')")
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", made.target.dsn)
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(tmp_path))
    made.run(LIVE, "run-1")
    with closing(connect(made.target.dsn, "here")) as connection, connection:
        session = ControlSession(connection, SHORT)
        table = StreamTable(session)
        table.create_tables()
        table.write([RowChange(STREAM, CONFIG_TEXT, "active", "create")], changed_by="test")
        ModelState(session).record_commit("a" * 40, applied_by="test")
    with closing(psycopg2.connect(made.target.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE ROLE a_stranger")
    yield made
    with closing(psycopg2.connect(made.target.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP OWNED BY a_stranger CASCADE; DROP ROLE a_stranger")


def uses(case) -> Mapping[str, Callable[[], Any]]:
    """What reads or writes tables of a platform with the login of their owner."""
    store = place_of(case.ecosystem.platforms[0].merge_store, None, case.secrets)
    job = case.job(LIVE, "run-2")

    def on_session(work: Callable[[ControlSession], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with closing(connect(case.target.dsn, "here")) as connection:
                return work(ControlSession(connection, SHORT))

        return run

    change = [RowChange(STREAM, CONFIG_TEXT, "paused", "pause")]
    of_pages = {
        "rows": lambda session: queries.stored_rows(session, ""),
        "last batches": queries.last_batches,
        "batches of a run": lambda session: queries.batches_of_run(session, STREAM, "run-1"),
        "rows changed": queries.rows_changed,
        "row version": lambda session: queries.row_version(session, STREAM),
        "note action": lambda session: queries.note_action(session, STREAM, "reset", "test"),
    }
    of_tools = {
        "select": lambda session: StreamTable(session).select(),
        "gone": lambda session: StreamTable(session).gone_streams(),
        "history": lambda session: StreamTable(session).history(STREAM),
        "by hand": lambda session: StreamTable(session).changes_by_hand(),
        "recent": lambda session: StreamTable(session).recent_changes([STREAM]),
        "write": lambda session: StreamTable(session).write(change, changed_by="test"),
        "prune": lambda session: StreamTable(session).prune_history(),
        "make": lambda session: StreamTable(session).create_tables(),
        "commit": lambda session: ModelState(session).commit(),
        "record": lambda session: ModelState(session).record_commit("b" * 40, applied_by="test"),
        "last looks": lambda session: BatchTables(session).last_looks([STREAM]),
        "result": lambda session: BatchTables(session).result_of_run(STREAM, "run-1"),
        "retire": lambda session: platform_tables.drop(session, platform_tables.platform_tables(session)),
    }
    changes = all_query(SHORT, "public", None)
    return {
        **{f"pages: {name}": on_session(work) for name, work in of_pages.items()},
        **{f"tools: {name}": on_session(work) for name, work in of_tools.items()},
        "parse": lambda: read_table(SETTINGS),
        "bundle": lambda: fetch_within(case.target.dsn, "here", *changes, seconds=30),
        "health": lambda: platform_health(SETTINGS),
        "doctor": lambda: list(merge_store_findings(SETTINGS, None)),
        "job": lambda: case.run(LIVE, "run-2"),
        "status": lambda: platform_status(store, "YellowLive", (STREAM,)),
        "tables": lambda: list(repair_tables(store, case.ecosystem, "YellowLive", [STREAM])),
        "archive": lambda: list(change_archive(ArchiveAction.ARCHIVE, store, SHORT, dry_run=True)),
        "reset": lambda: reset_batch(store, job.stream, dry_run=True),
        "diff": lambda: compare(store, job.source, job.stream, job.stream.datasets, 1),
        "trust": lambda: trust_again(store, job.stream, job.stream.datasets),
        "commit of the model": lambda: recorded_commit(store, "YellowLive"),
    }


def replaced(case, table: str) -> None:
    parts = {"table": sql.Identifier("public", table), "stranger": sql.Identifier("a_stranger")}
    with closing(psycopg2.connect(case.target.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL(TRAP).format(**parts))


def is_called(case) -> bool:
    return bool(case.query("SELECT is_called FROM public.calls")[0][0])


def readers(case) -> list[str]:
    """The first of them that reads the stranger's view."""
    for name, use in uses(case).items():
        with contextlib.suppress(StreamFactoryError, psycopg2.Error):
            use()
        if is_called(case):
            return [name]
    return []


@pytest.mark.parametrize("table", TABLES)
def test_nothing_reads_what_stands_in_the_place_of_a_table_of_ours(case, table):
    case.query(f'SELECT 1 FROM "{table}" LIMIT 1')  # it is there
    replaced(case, table)
    assert readers(case) == []


def test_who_would_read_it_without_asking_is_found(case, monkeypatch):
    """So that the test above can fail."""
    monkeypatch.setattr(KnownTables, "check", lambda *_, **__: None)
    replaced(case, names.batch_metrics_table(SHORT))
    assert readers(case) != []


def test_the_error_says_whose_table_it_is_and_what_to_do(case):
    replaced(case, names.batch_metrics_table(SHORT))
    store = place_of(case.ecosystem.platforms[0].merge_store, None, case.secrets)
    with pytest.raises(TablesOfAnother) as refused:
        platform_status(store, "YellowLive", (STREAM,))
    assert refused.value.tables == ("yellowlive_batch_metrics",)


def test_a_login_that_was_only_given_the_right_to_read_goes_on_where_everybody_may_create(case, postgres):
    """As in databases that PostgreSQL 14 has made: it owns nothing, and knows no owner from a stranger."""
    reader = f"{case.target.name}_reader"
    postgres.create_role(reader, "word")
    try:
        with (
            closing(psycopg2.connect(case.target.superuser_dsn)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f'GRANT CONNECT ON DATABASE {case.target.name} TO "{reader}"')
            cursor.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{reader}"')
        with closing(connect(postgres.dsn(case.target.name, reader, "word"), "here")) as connection:
            session = ControlSession(connection, SHORT)
            assert [row.stream_key for row in StreamTable(session).select()] == [STREAM]
            assert BatchTables(session).last_looks([STREAM])[STREAM].last_batch == 1
    finally:
        with (
            closing(psycopg2.connect(case.target.superuser_dsn)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f'DROP OWNED BY "{reader}"; DROP ROLE "{reader}"')


# --- a table that is not there yet


LATER = "later"  # a platform without tables
COUNTER = names.batch_counter_table(LATER)
READ = f'SELECT * FROM "public"."{COUNTER}"'


def by_tool(case, port: int) -> None:
    with closing(connect(make_dsn(case.target.dsn, port=port), "here")) as connection:
        ControlSession(connection, LATER).execute(READ)


def by_parse(case, port: int) -> None:
    fetch_within(make_dsn(case.target.dsn, port=port), "here", sql.SQL(READ), {}, seconds=20)


def by_job(case, port: int) -> None:
    place = place_of(case.ecosystem.platforms[0].merge_store, None, case.secrets)
    with closing(connections.connect(replace(place, port=port), "test", "here", 1)) as session:
        session.cursor().execute(READ)


@pytest.mark.parametrize("way", [by_tool, by_parse, by_job])
def test_a_table_that_is_not_there_is_an_error_of_the_server(case, way):
    with pytest.raises((MergeStoreError, psycopg2.errors.UndefinedTable), match=f"{COUNTER}. does not exist"):
        way(case, case.target.server.port)


@pytest.mark.parametrize("way", [by_tool, by_parse, by_job])
def test_what_a_stranger_makes_between_the_question_and_the_statement_is_not_read(case, way):
    with closing(psycopg2.connect(case.target.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE SEQUENCE calls; GRANT ALL ON calls TO PUBLIC;"
            "CREATE FUNCTION spy() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('public.calls') $$"
        )
    waiting = [f"CREATE VIEW {COUNTER} AS SELECT spy(); ALTER VIEW {COUNTER} OWNER TO a_stranger"]
    columns = b""

    def plant_after_the_answer(kind: bytes, body: bytes) -> bytes:
        """Wait for the answer that there is no such table."""
        nonlocal columns
        columns = body if kind == b"T" else columns
        if (kind, body) == (b"C", b"SELECT 0\0") and b"relname" in columns and waiting:
            with closing(psycopg2.connect(case.target.superuser_dsn)) as other, other, other.cursor() as planting:
                planting.execute(f"{waiting.pop()}; GRANT ALL ON {COUNTER} TO PUBLIC")
        return body

    relay = AlteringRelay(case.target.server.port, plant_after_the_answer)
    try:
        with pytest.raises(TablesOfAnother):
            way(case, relay.port)
    finally:
        relay.close()
    assert waiting == []
    assert case.query("SELECT is_called FROM calls") == [(False,)]
