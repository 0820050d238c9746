"""`merge-job tables`: what runs rely on is checked and repaired, and what cannot be repaired is reported."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from config_schema import names
from config_schema.model import Milestoning
from config_schema.sql.locks import stream_lock
from merge_jobs.stores.postgres.tables import MergeTableBroken

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
PLATFORM = {LIVE: "YellowLive", FORENSIC: "YellowForensic"}
TABLE = "CREATE TABLE customers (id int PRIMARY KEY, word text); INSERT INTO customers SELECT generate_series(1, 10)"
OF_BOTH = ("Store1", "Store1__shadow")
LOOKED = "1 streams with 1 merge tables looked at\n"


@pytest.fixture
def case(merging):
    made = merging(TABLE)
    made.merge_both()
    return made


def execute(case, statement):
    with closing(case.target.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def table(kind) -> str:
    return names.merge_table(names.platform_name(PLATFORM[kind]), "Store1", "customers")


@pytest.mark.parametrize("kind", Milestoning)
def test_where_all_is_well_nothing_is_made(case, merge_job, kind):
    done = merge_job(case, "tables", f"--platform={PLATFORM[kind]}")
    assert (done.returncode, done.stdout, done.stderr) == (0, LOOKED, "")


@pytest.mark.parametrize("kind", Milestoning)
def test_an_index_that_is_gone_is_made_again_and_runs_go_on(case, merge_job, kind):
    index = names.merge_key_index(table(kind))
    execute(case, f'DROP INDEX "{index}"')
    case.execute("DELETE FROM customers WHERE id = 1")
    with pytest.raises(MergeTableBroken, match=r"its unique index .* is missing"):
        case.run(kind)
    flag = f"--platform={PLATFORM[kind]}"
    assert f"Store1: index {index} would be made" in merge_job(case, "tables", flag, "--dry-run").stdout
    assert f"Store1: index {index} made" in merge_job(case, "tables", flag).stdout
    assert merge_job(case, "tables", flag).stdout == LOOKED
    assert case.merge(kind).total.deleted == 1


def test_an_index_that_is_not_unique_is_made_anew(case, merge_job):
    index = names.merge_key_index(table(LIVE))
    execute(case, f'DROP INDEX "{index}"; CREATE INDEX "{index}" ON "{table(LIVE)}" (id)')
    assert f"index {index} made" in merge_job(case, "tables", "--platform=YellowLive").stdout
    assert merge_job(case, "tables", "--platform=YellowLive").stdout == LOOKED


def test_rows_with_the_same_key_are_reported_and_left(case, merge_job):
    index = names.merge_key_index(table(LIVE))
    execute(case, f'DROP INDEX "{index}"; INSERT INTO "{table(LIVE)}" SELECT * FROM "{table(LIVE)}" WHERE id = 7')
    done = merge_job(case, "tables", "--platform=YellowLive")
    assert done.returncode == 1
    assert "its unique index is gone, and it has rows with the same key. Move the table away" in done.stderr
    assert "7" not in done.stderr
    assert case.query(f'SELECT count(*) FROM "{table(LIVE)}"') == [(11,)]


def test_functions_of_a_forensic_table_that_are_gone_are_made_again(case, merge_job):
    function = names.as_of_function(table(FORENSIC))
    execute(case, f'DROP FUNCTION "{function}"(integer)')
    assert f"function {function} made" in merge_job(case, "tables", "--platform=YellowForensic").stdout
    assert case.query(f'SELECT count(*) FROM "{function}"(1)') == [(10,)]


def test_a_table_that_is_somebody_else_s_is_reported(case, merge_job):
    execute(case, f'COMMENT ON TABLE "{table(LIVE)}" IS NULL')
    done = merge_job(case, "tables", "--platform=YellowLive")
    assert done.returncode == 1
    assert "its comment does not say that it is ours" in done.stderr


def test_a_stream_that_a_job_holds_is_left(case, merge_job):
    with closing(psycopg2.connect(case.target.dsn)) as job, job.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (stream_lock("public", "yellowlive", "Store1"),))
        done = merge_job(case, "tables", "--platform=YellowLive")
    assert done.returncode == 0
    assert "Store1: a job is running on it, and looks itself" in done.stdout


def test_a_column_that_is_new_is_left_to_the_next_batch(case, merge_job):
    case.execute("ALTER TABLE customers ADD age int")
    case.describe()
    assert merge_job(case, "tables", "--platform=YellowForensic").stdout == LOOKED
    assert case.merge(FORENSIC).shape_changed


def test_a_row_map_that_is_gone_is_reported_and_the_next_batch_makes_it(case, merge_job):
    execute(case, 'DROP TABLE "yellowlive_Store1_customers_map"')
    gone = "Store1: the row map of customers is gone: the next batch reads all rows and makes a new one\n"
    assert merge_job(case, "tables", "--platform=YellowLive", "--dry-run").stdout == gone + LOOKED
    assert "customers: its row map is gone" in merge_job(case, "status", "--platform=YellowLive").stdout
    assert merge_job(case, "tables", "--platform=YellowLive").stdout == gone + LOOKED
    assert merge_job(case, "tables", "--platform=YellowLive").stdout == LOOKED
    assert case.run(LIVE).datasets["customers"].strategy == "full"
    assert case.run(LIVE).datasets["customers"].strategy == "version_diff"


def test_a_shadow_is_repaired_as_a_stream_and_a_stream_that_is_broken_stops_no_other(case, merge_job):
    merge_job(case, "merge", "--platform=YellowLive", "--store=Store1", "--run-id=trial", "--tables=shadow")
    index, of_shadow = (names.merge_key_index(names.merge_table("yellowlive", of, "customers")) for of in OF_BOTH)
    execute(
        case,
        f"""CREATE TABLE yellowlive_airflow_dsg (stream_key text, status text);
            INSERT INTO yellowlive_airflow_dsg
            SELECT unnest(ARRAY['A#b', 'Nowhere__shadow', 'Store1', 'Store1__shadow']), 'active';
            DROP INDEX "{index}"; DROP INDEX "{of_shadow}" """,
    )
    done = merge_job(case, "tables", "--platform=YellowLive")
    assert done.returncode == 1
    made = [f"Store1: index {index} made", f"Store1__shadow: index {of_shadow} made"]
    assert done.stdout.splitlines() == [*made, "4 streams with 2 merge tables looked at"]
    assert done.stderr == (
        "error: stream A#b: --store: there is no datastore 'A'. Choose from: Store1 [DF1003]\n"
        "error: stream Nowhere__shadow: --store: there is no datastore 'Nowhere'. Choose from: Store1 [DF1003]\n"
    )
