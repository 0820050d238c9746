"""`merge-job archive`: tables of retired streams go aside whole, come back whole, and are dropped on a second word."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg2
import pytest

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from config_schema import names
from config_schema.model import Consistency, Milestoning
from config_schema.sql.locks import stream_lock

TABLES = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word' FROM generate_series(1, 10) n;
    CREATE TABLE orders (id int PRIMARY KEY, customer int);
    INSERT INTO orders SELECT n, 1 FROM generate_series(1, 10) n;
"""
SHORT, ARCHIVE = "yellowforensic", "yellowforensic_archive"
CUSTOMERS, ORDERS = "yellowforensic_Store1_customers_merge", "yellowforensic_Store1_orders_merge"
PLATFORM = "--platform=YellowForensic"


@pytest.fixture
def case(merging):
    """Two streams of a dataset each, of which the first has had two batches."""
    made = merging(TABLES)
    made.consistency = Consistency.SINGLE_DATASET
    for dataset in ("customers", "orders"):
        made.run(Milestoning.FORENSIC, dataset=dataset)
    made.execute("UPDATE customers SET word = 'other' WHERE id < 4")
    made.run(Milestoning.FORENSIC, dataset="customers")
    with closing(made.target.connect()) as connection:
        table = StreamTable(ControlSession(connection, SHORT))
        table.create_tables()
        rows = [RowChange(f"Store1#{name}", "{}", "active", "create") for name in ("customers", "orders")]
        table.write(rows, changed_by="test")
        connection.commit()
    return made


def set_status(case, status, key="Store1#customers", days=0):
    execute(
        case,
        f"UPDATE {names.stream_table(SHORT)} SET status = '{status}', updated_at = now() - interval '{days} days' "
        f"WHERE stream_key = '{key}'",
    )


def execute(case, statement):
    with closing(case.target.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def where_tables_are(case) -> dict[str, str]:
    found = case.query(
        "SELECT c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relname LIKE '%merge' AND c.relkind = 'r'"
    )
    return dict(found)


def versions(case, schema) -> list[tuple]:
    return case.query(f'SELECT * FROM {schema}."{CUSTOMERS}" ORDER BY id, ds_batch_in')


def test_only_retired_streams_go_aside_after_their_days_and_come_back_as_they_were(case, merge_job):
    before = versions(case, "public")
    nothing = merge_job(case, "archive", PLATFORM)
    assert nothing.stdout == "0 tables with 0.0 MB archived\n"
    set_status(case, "retired", days=10)
    assert "0 tables" in merge_job(case, "archive", PLATFORM, "--retired-days=11").stdout
    shown = merge_job(case, "archive", PLATFORM, "--dry-run")
    assert "Store1#customers: would be archived: yellowforensic_Store1_customers_" in shown.stdout
    assert set(where_tables_are(case).values()) == {"public"}

    done = merge_job(case, "archive", PLATFORM, "--retired-days=9")
    assert (done.returncode, done.stderr) == (0, "")
    assert where_tables_are(case) == {CUSTOMERS: ARCHIVE, ORDERS: "public"}
    assert versions(case, ARCHIVE) == before
    assert "0 tables" in merge_job(case, "archive", PLATFORM).stdout

    set_status(case, "active")
    back = merge_job(case, "archive", PLATFORM, "--restore", "--stream=Store1#customers")
    assert back.returncode == 0
    assert versions(case, "public") == before
    case.execute("DELETE FROM customers WHERE id = 1")
    assert case.run(Milestoning.FORENSIC, dataset="customers").total.deleted == 1
    assert len(versions(case, "public")) == len(before)
    assert case.query(f'SELECT count(*) FROM "{names.as_of_function(CUSTOMERS)}"(1)') == [(10,)]


def test_a_stream_that_came_back_without_its_tables_gets_new_ones_and_the_old_are_kept(case, merge_job):
    before = versions(case, "public")
    set_status(case, "retired")
    merge_job(case, "archive", PLATFORM)
    set_status(case, "active")
    assert case.run(Milestoning.FORENSIC, dataset="customers").total.inserted == 10
    assert versions(case, ARCHIVE) == before
    refused = merge_job(case, "archive", PLATFORM, "--restore")
    assert refused.returncode == 1
    assert "schema public has a table of that name already. Restore or drop the older one" in refused.stderr
    set_status(case, "retired")
    refused = merge_job(case, "archive", PLATFORM)
    assert (refused.returncode, refused.stdout) == (1, "0 tables with 0.0 MB archived\n")
    assert f"schema {ARCHIVE} has a table of that name already" in refused.stderr
    assert versions(case, ARCHIVE) == before


def test_archived_tables_are_dropped_only_on_the_platform_s_name_and_only_of_retired_streams(case, merge_job):
    set_status(case, "retired")
    merge_job(case, "archive", PLATFORM)
    wrong = merge_job(case, "archive", PLATFORM, "--drop=YellowLive")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "To drop what is archived: --drop YellowForensic" in wrong.stderr
    assert where_tables_are(case)[CUSTOMERS] == ARCHIVE
    set_status(case, "active")
    assert "0 tables" in merge_job(case, "archive", PLATFORM, "--drop=YellowForensic").stdout
    set_status(case, "retired")
    dropped = merge_job(case, "archive", PLATFORM, "--drop=YellowForensic")
    assert "Store1#customers: dropped: " in dropped.stdout
    assert CUSTOMERS not in where_tables_are(case)


def test_what_others_built_on_an_archived_table_goes_on_and_is_not_dropped_with_it(case, merge_job):
    set_status(case, "retired")
    execute(case, f'CREATE VIEW theirs AS SELECT * FROM public."{CUSTOMERS}"')
    merge_job(case, "archive", PLATFORM)
    assert len(case.query("SELECT * FROM theirs")) == len(versions(case, ARCHIVE))
    refused = merge_job(case, "archive", PLATFORM, "--drop=YellowForensic")
    assert refused.returncode == 1
    assert "0 tables with 0.0 MB dropped" in refused.stdout
    assert "dependent_objects_still_exist" in refused.stderr
    assert len(case.query("SELECT * FROM theirs")) == len(versions(case, ARCHIVE))


def test_a_stream_that_a_job_works_on_is_left_and_the_others_are_done(case, merge_job):
    for key in ("Store1#customers", "Store1#orders"):
        set_status(case, "retired", key)
    with closing(psycopg2.connect(case.target.dsn)) as job, job.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (stream_lock("public", SHORT, "Store1#customers"),))
        done = merge_job(case, "archive", PLATFORM)
    assert done.returncode == 1
    assert "a job is running on the stream. Do it again when that has ended" in done.stderr
    assert where_tables_are(case) == {CUSTOMERS: "public", ORDERS: ARCHIVE}
    assert merge_job(case, "archive", PLATFORM).returncode == 0


@pytest.mark.parametrize("mark", [None, {"kind": "archive", "platform": SHORT}], ids=["unmarked", "of another role"])
def test_a_schema_of_somebody_else_s_is_not_taken(case, merge_job, mark):
    set_status(case, "retired")
    dsn = case.target.superuser_dsn if mark else case.target.dsn
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {ARCHIVE}; COMMENT ON SCHEMA {ARCHIVE} IS %s", [mark and json.dumps(mark)])
        cursor.execute(f"GRANT ALL ON SCHEMA {ARCHIVE} TO PUBLIC")
    refused = merge_job(case, "archive", PLATFORM)
    assert refused.returncode == 1
    assert f"schema {ARCHIVE}: it is there, and it is another role's, or its comment" in refused.stderr
    assert where_tables_are(case)[CUSTOMERS] == "public"


@pytest.mark.parametrize(
    ("flags", "reported"),
    [
        (["--stream=Store1#customers"], "there is no retired stream 'Store1#customers'"),
        (["--restore", "--stream=Store1"], "there is no archived stream 'Store1'"),
        (["--restore", "--drop=YellowForensic"], "it is given together with --restore. Give one of them"),
        (["--platform=YellowLive"], "there is no table yellowlive_airflow_dsg in schema public"),
        (["--platform=Yellow"], "there is no platform 'Yellow' in the model"),
    ],
)
def test_what_cannot_be_done_is_an_error_that_says_what_to_do(case, merge_job, flags, reported):
    done = merge_job(case, "archive", PLATFORM, *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert reported in done.stderr
