"""Migrations as each side runs them: first starts, upgrades that fail or meet, rights, tables of a newer program."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from airflow_plugin.control import migrations as control
from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import StreamTable
from config_schema import names
from config_schema.model import Milestoning
from config_schema.sql import versions
from config_schema.sql.statements import Statement
from config_schema.sql.versions import Migration, Part, State, TablesOfAnother, TablesTooNew, TablesTooOld
from merge_jobs.admin.repair import repair_tables
from merge_jobs.admin.reset import reset_batch
from merge_jobs.admin.trust import trust_again
from merge_jobs.errors import DatabaseFailed
from tests.database.tools.conftest import HOLDING, wait_until

LIVE, SHORT = Milestoning.LIVE, "yellowlive"
VERSIONS = names.schema_version_table(SHORT)
CUSTOMERS = "CREATE TABLE customers (id int PRIMARY KEY, word text); INSERT INTO customers VALUES (1, 'a'), (2, 'b')"
OURS = ", ".join(f"'{table}'" for table in names.platform_tables(SHORT))
SHAPE = f"""
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ({OURS})
    UNION ALL SELECT tablename, indexname, indexdef, NULL, NULL FROM pg_indexes WHERE tablename IN ({OURS})
    UNION ALL SELECT c.relname, k.conname, pg_get_constraintdef(k.oid), NULL, NULL
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.relname IN ({OURS})
    ORDER BY 1, 2, 3"""


@pytest.fixture
def case(merging):
    """A producer and an empty merge store."""
    return merging(CUSTOMERS)


def tables_version(case, part: Part):
    with closing(case.target.connect()) as connection:
        return control.tables_version(ControlSession(connection, SHORT), part)


def run_missing(case, part: Part) -> list[str]:
    with closing(case.target.connect()) as connection:
        found = control.tables_version(ControlSession(connection, SHORT), part)
        return [one.name for one in control.upgrade_part(ControlSession(connection, SHORT), found)]


def first_start(case) -> None:
    with closing(case.target.connect()) as connection, connection:
        StreamTable(ControlSession(connection, SHORT)).create_tables()
    case.run(LIVE)


def recorded(case) -> list[tuple[int, str]]:
    return case.query(f"SELECT number, part FROM {VERSIONS} ORDER BY number")


@pytest.fixture
def next_ones(monkeypatch):
    """Let the program have more migrations, by their SQL: `next_ones("ALTER TABLE ...", part=Part.BATCHES)`."""
    released = versions.migrations()

    def add(*texts: str, part: Part = Part.BATCHES, older_may_run: bool = True) -> None:
        more = [
            Migration(len(released) + n, f"next_{n}", part, older_may_run, Statement("next.sql", f"next_{n}", text))
            for n, text in enumerate(texts, 1)
        ]
        monkeypatch.setattr(versions, "migrations", lambda: (*released, *more))

    yield add
    monkeypatch.undo()


# --- a first start


def test_each_side_makes_its_own_tables_and_records_what_it_ran(case):
    with closing(case.target.connect()) as connection, connection:
        made = StreamTable(ControlSession(connection, SHORT)).create_tables()
    assert made == list(versions.tables(SHORT, Part.STREAMS))
    assert [tables_version(case, part).state for part in Part] == [State.CURRENT, State.ABSENT]
    case.run(LIVE)
    assert [tables_version(case, part).state for part in Part] == [State.CURRENT, State.CURRENT]
    assert recorded(case) == [(one.number, one.part.value) for one in versions.migrations()]


def test_a_job_and_a_sync_that_start_first_and_at_once_both_succeed(case, new_database):
    for _ in range(4):
        case.target = new_database("store")
        barrier = threading.Barrier(3)

        def sync(case=case, barrier=barrier) -> None:
            with closing(case.target.connect()) as connection, connection:
                barrier.wait()
                table = StreamTable(ControlSession(connection, SHORT))
                table.take_sync_lock()
                table.create_tables()

        def job(case=case, barrier=barrier) -> None:
            barrier.wait()
            case.run(LIVE, lock_wait=30)

        with ThreadPoolExecutor(3) as threads:
            for one in [threads.submit(sync), threads.submit(sync), threads.submit(job)]:
                one.result()
        assert [tables_version(case, part).state for part in Part] == [State.CURRENT, State.CURRENT]


def test_a_job_that_finds_its_tables_as_they_should_be_runs_no_migration(case, caplog):
    first_start(case)
    before = case.query(f"SELECT * FROM {VERSIONS}")
    caplog.clear()
    case.run(LIVE)
    assert case.query(f"SELECT * FROM {VERSIONS}") == before
    assert "migration" not in caplog.text


# --- again


def test_all_migrations_run_again_leave_every_table_as_it_was(case):
    first_start(case)
    before = case.query(SHAPE)
    case.execute(f"DROP TABLE {VERSIONS}", on=case.target)
    assert [tables_version(case, part).state for part in Part] == [State.OLD, State.OLD]
    for part in Part:
        assert run_missing(case, part) == [one.name for one in versions.of_part(part)]
    assert case.query(SHAPE) == before


@pytest.mark.parametrize("table", [table for part in Part for table in versions.tables(SHORT, part)])
def test_a_table_that_was_lost_is_made_as_it_was(case, table):
    first_start(case)
    before = case.query(SHAPE)
    case.execute(f"DROP TABLE {table}", on=case.target)
    with closing(case.target.connect()) as connection, connection:
        StreamTable(ControlSession(connection, SHORT)).create_tables()
    case.run(LIVE)
    assert case.query(SHAPE) == before


def test_the_tables_of_an_older_program_get_the_new_name_of_the_index(case):
    first_start(case)
    old, new = names.old_batch_results_index(SHORT), names.batch_results_index(SHORT)
    case.execute(f"ALTER INDEX {new} RENAME TO {old}; DROP TABLE {VERSIONS}", on=case.target)
    oid = "SELECT relname, oid FROM pg_class WHERE relname LIKE 'yellowlive_batch_metrics_%'"
    before = dict(case.query(oid))
    case.run(LIVE)
    after = dict(case.query(oid))
    assert old not in after
    assert after[new] == before[old]  # no index was built


# --- an upgrade that fails


def test_an_upgrade_that_fails_half_way_leaves_the_old_version_working_and_a_second_try_ends_it(
    case, next_ones, monkeypatch
):
    first_start(case)
    metrics = names.batch_metrics_table(SHORT)
    next_ones(
        "ALTER TABLE {schema}.{metrics} ADD COLUMN IF NOT EXISTS one integer",
        "ALTER TABLE {schema}.{metrics} ADD COLUMN IF NOT EXISTS two integer; SELECT 1 / 0",
        "ALTER TABLE {schema}.{metrics} ADD COLUMN IF NOT EXISTS three integer",
    )
    with pytest.raises(MergeStoreError, match="division by zero"):
        run_missing(case, Part.BATCHES)
    columns = f"SELECT attname FROM pg_attribute WHERE attrelid = '{metrics}'::regclass AND attname IN ('one', 'two')"
    assert case.query(columns) == [("one",)]
    assert len(recorded(case)) == len(versions.migrations()) - 2
    program_of_now = versions.read_migrations(versions.FOLDER)
    with monkeypatch.context() as context:
        context.setattr(versions, "migrations", lambda: program_of_now)
        assert tables_version(case, Part.BATCHES).state is State.NEWER
        case.merge(LIVE)
        case.execute("INSERT INTO customers VALUES (3, 'c')")
        assert case.merge(LIVE).total.inserted == 1
    next_ones(
        "ALTER TABLE {schema}.{metrics} ADD COLUMN IF NOT EXISTS one integer",
        "ALTER TABLE {schema}.{metrics} ADD COLUMN IF NOT EXISTS two integer",
        "ALTER TABLE {schema}.{metrics} ADD COLUMN IF NOT EXISTS three integer",
    )
    assert run_missing(case, Part.BATCHES) == ["next_2", "next_3"]
    assert tables_version(case, Part.BATCHES).state is State.CURRENT
    case.merge(LIVE)


def test_an_upgrade_whose_connection_is_killed_has_changed_nothing(case, next_ones):
    first_start(case)
    shape = case.query(SHAPE)
    next_ones("ALTER TABLE {schema}.{metrics} ADD COLUMN IF NOT EXISTS one integer; SELECT pg_sleep(60)")
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run_missing, case, Part.BATCHES)
        killed = []
        while not killed:
            killed = case.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND "
                "pid <> pg_backend_pid() AND datname = current_database()"
            )
        with pytest.raises(MergeStoreError) as raised:
            running.result()
    assert raised.value.retryable
    assert case.query(SHAPE) == shape
    next_ones("ALTER TABLE {schema}.{metrics} ADD COLUMN IF NOT EXISTS one integer")
    assert run_missing(case, Part.BATCHES) == ["next_1"]


def test_a_job_whose_migration_fails_leaves_its_stream_as_it_was(case, next_ones):
    first_start(case)
    next_ones("SELECT 1 / 0")
    batches = case.batch_rows(LIVE)
    case.execute("DELETE FROM customers WHERE id = 1")
    with pytest.raises(DatabaseFailed, match="division_by_zero"):
        case.run(LIVE)
    assert case.batch_rows(LIVE) == batches
    next_ones("SELECT 1")
    assert case.run(LIVE).total.deleted == 1


def test_of_two_upgrades_at_once_each_migration_is_run_by_one(case, next_ones):
    first_start(case)
    next_ones(*["INSERT INTO {schema}.{rejected} VALUES ('k', 1, 'd', 'r', '1', 1); SELECT pg_sleep(0.2)"] * 3)
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda _: run_missing(case, Part.BATCHES), range(2)))
    assert sorted(done[0] + done[1]) == ["next_1", "next_2", "next_3"]
    assert case.query(f"SELECT count(*) FROM {names.rejected_keys_table(SHORT)}") == [(3,)]


def test_an_upgrade_waits_for_a_table_in_short_tries_behind_which_nobody_else_waits_long(case, next_ones, monkeypatch):
    first_start(case)
    metrics = names.batch_metrics_table(SHORT)
    next_ones("ALTER TABLE {schema}.{metrics} ADD COLUMN IF NOT EXISTS one integer")
    with closing(case.target.connect()) as reader, reader.cursor() as cursor, ThreadPoolExecutor(1) as threads:
        cursor.execute(f"SELECT count(*) FROM {metrics}")
        running = threads.submit(run_missing, case, Part.BATCHES)
        for _ in range(3):
            with closing(case.target.connect()) as other, other.cursor() as looking:
                looking.execute(f"SET statement_timeout = '10s'; SELECT count(*) FROM {metrics}, pg_sleep(0.5)")
        assert not running.done()
        reader.rollback()
        assert running.result() == ["next_1"]


# --- rights


@pytest.fixture
def stranger(case, postgres):
    """A login that may read the platform's tables, and no more: its connection."""
    user = f"{case.target.name}_stranger"
    postgres.create_role(user, "pass word's")
    case.execute(f'GRANT CONNECT ON DATABASE {case.target.name} TO "{user}"', on=case.target)
    opened = []

    def connect():
        case.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{user}"', on=case.target)
        opened.append(psycopg2.connect(postgres.dsn(case.target.name, user, "pass word's")))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()
    with closing(psycopg2.connect(postgres.dsn(case.target.name))) as admin, admin, admin.cursor() as cursor:
        cursor.execute(f'DROP OWNED BY "{user}"; DROP ROLE "{user}"')


def test_a_login_without_rights_meets_new_tables_without_trying_to_change_them(case, stranger):
    first_start(case)
    with stranger() as connection:
        assert StreamTable(ControlSession(connection, SHORT)).create_tables() == []
        assert control.run_missing_migrations(ControlSession(connection, SHORT), Part.BATCHES) == []


@pytest.mark.parametrize("older", ["versions", "migration", "table"])
def test_a_login_without_rights_gets_an_error_that_names_who_can_upgrade_older_tables(case, stranger, next_ones, older):
    first_start(case)
    match older:
        case "versions":
            case.execute(f"DROP TABLE {VERSIONS}", on=case.target)
        case "migration":
            next_ones("CREATE TABLE IF NOT EXISTS {schema}.{stream_table} ()", part=Part.STREAMS)
            next_ones("ALTER TABLE {schema}.{stream_table} ADD COLUMN IF NOT EXISTS more text", part=Part.STREAMS)
        case "table":
            case.execute("DROP TABLE yellowlive_model_state", on=case.target)
    with stranger() as connection, pytest.raises(TablesTooOld) as raised:
        StreamTable(ControlSession(connection, SHORT)).create_tables()
    assert "this login may not change that" in raised.value.what
    assert "dagfactory db upgrade with the login that owns the tables" in raised.value.todo


def test_a_second_owner_is_asked_to_become_a_member_of_the_first_and_then_makes_its_own_part(case, postgres):
    first, second = case.target.user, f"{case.target.name}_second"
    postgres.create_role(second, "word")
    case.execute(f'GRANT CREATE, USAGE ON SCHEMA public TO "{second}"', on=case.target)
    case.execute(f'GRANT CONNECT ON DATABASE {case.target.name} TO "{second}"', on=case.target)
    with closing(case.target.connect()) as connection, connection:
        StreamTable(ControlSession(connection, SHORT)).create_tables()
    for then in (f'GRANT SELECT, INSERT ON {VERSIONS} TO "{second}"', f'GRANT "{first}" TO "{second}"'):
        with closing(psycopg2.connect(postgres.dsn(case.target.name, second, "word"))) as jobs:
            with pytest.raises(TablesOfAnother) as raised:
                control.run_missing_migrations(ControlSession(jobs, SHORT), Part.BATCHES)
            assert raised.value.tables == (VERSIONS,)
            assert "make the login a member of that role" in raised.value.todo
        with closing(psycopg2.connect(postgres.dsn(case.target.name))) as admin, admin, admin.cursor() as cursor:
            cursor.execute(then)
    with closing(psycopg2.connect(postgres.dsn(case.target.name, second, "word"))) as jobs, jobs:
        assert control.run_missing_migrations(ControlSession(jobs, SHORT), Part.BATCHES) != []
    with closing(psycopg2.connect(postgres.dsn(case.target.name))) as admin, admin, admin.cursor() as cursor:
        cursor.execute(f'DROP OWNED BY "{second}"; DROP ROLE "{second}"')


# --- programs of two versions


@pytest.fixture
def changed_by_a_newer_program(case):
    """The tables of both parts, with a migration of tomorrow: `changed_by_a_newer_program(older_may_run=False)`."""

    def change(*, older_may_run: bool) -> None:
        first_start(case)
        for number, part in enumerate(Part, 9000):
            case.execute(
                f"INSERT INTO {VERSIONS} (number, part, name, checksum, older_may_run) "
                f"VALUES ({number}, '{part.value}', 'of_tomorrow', 'x', {older_may_run})",
                on=case.target,
            )

    return change


def test_an_older_program_goes_on_where_the_newer_one_said_that_it_may(case, changed_by_a_newer_program):
    changed_by_a_newer_program(older_may_run=True)
    case.execute("INSERT INTO customers VALUES (3, 'c')")
    assert case.merge(LIVE).total.inserted == 1
    with closing(case.target.connect()) as connection, connection:
        assert StreamTable(ControlSession(connection, SHORT)).create_tables() == []


def test_an_older_program_refuses_tables_that_it_would_do_harm_to(case, changed_by_a_newer_program):
    changed_by_a_newer_program(older_may_run=False)
    batches = case.batch_rows(LIVE)
    job = case.job(LIVE)
    with pytest.raises(TablesTooNew) as refused:
        case.run(LIVE)
    assert [str(one) for one in refused.value.tables_version.stopping] == ["9001 of_tomorrow"]
    for by_hand in (
        lambda: reset_batch(job.store, job.stream),
        lambda: trust_again(job.store, job.stream, job.stream.datasets),
    ):
        with pytest.raises(TablesTooNew):
            by_hand()
    wait_until(lambda: not case.query(HOLDING))  # the server ends their sessions, which hold the stream
    [kept] = repair_tables(job.store, case.ecosystem, "YellowLive", ["Store1"])
    assert isinstance(kept.failed, TablesTooNew)
    with (
        closing(case.target.connect()) as connection,
        connection,
        pytest.raises(TablesTooNew, match="9000 of_tomorrow"),
    ):
        StreamTable(ControlSession(connection, SHORT)).create_tables()
    assert case.batch_rows(LIVE) == batches


def test_a_migration_that_was_changed_after_it_had_been_run_is_seen(case):
    first_start(case)
    case.execute(f"UPDATE {VERSIONS} SET checksum = 'x' WHERE number = 2", on=case.target)
    found = tables_version(case, Part.BATCHES)
    assert found.state is State.CHANGED
    assert [replace(one, checksum="x") for one in found.changed] == list(found.changed)
    case.run(LIVE)  # the tables are as they are
