"""Sessions that read the merge store for hours, as pg_dump does: batches go on, and nothing is left for ever."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager

import pytest
from psycopg2 import sql

from config_schema.model import Milestoning
from merge_jobs import schema_change
from merge_jobs.errors import TablesHeld, TooManyDeletes
from merge_jobs.stores.postgres import locks
from merge_jobs.stores.postgres.leftovers import MOST
from merge_jobs.strategies.selection import StrategyOption

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'a' FROM generate_series(1, 200) n"
OURS = """SELECT c.relname FROM pg_class c WHERE c.relkind = 'r'
          AND obj_description(c.oid, 'pg_class') LIKE '{"kind": %' ORDER BY 1"""
USUAL = ["yellowlive_Store1_t_map", "yellowlive_Store1_t_merge"]
LINE = "SELECT kind, guard -> 'map' FROM yellowlive_row_maps"


@contextmanager
def read_by_another_session(case):
    """Hold the locks that pg_dump takes at its beginning: on each table that there is by then."""
    with closing(case.target.connect()) as other, other.cursor() as cursor:
        cursor.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(table)))
        yield other


def tables(case):
    return [name for (name,) in case.query(OURS)]


def leave_staging(case):
    """Let a batch fail when all is staged."""
    case.execute("DELETE FROM t WHERE id > 50")
    with pytest.raises(TooManyDeletes):
        case.run(LIVE, strategy=StrategyOption.FULL)
    case.execute("INSERT INTO t SELECT n, 'a' FROM generate_series(51, 200) n")
    assert "yellowlive_Store1_t_staging" in tables(case)


@pytest.mark.parametrize("strategy", [StrategyOption.FULL, StrategyOption.VERSION_DIFF, StrategyOption.KEY_HASH_DIFF])
def test_batches_go_on_beside_a_dump_that_began_before_them(merging, strategy):
    case = merging(TABLE)
    case.merge(LIVE)
    leave_staging(case)
    with read_by_another_session(case):
        for number in range(3):
            case.execute(
                f"UPDATE t SET word = 'b{number}' WHERE id = {number}; DELETE FROM t WHERE id = 100 + {number}"
            )
            truth = case.source_rows(case.datasets[0])
            result = case.run(LIVE, strategy=strategy)
            assert (result.total.deleted, result.total.total) == (1, 199 - number)
            assert case.open_rows(LIVE, case.datasets[0]) == truth
        assert len(tables(case)) <= 5, "the held staging, its map and the held map, with one of each that is in use"
    case.merge(LIVE, strategy=strategy)
    assert tables(case) == USUAL
    assert case.query(LINE)[0][1] is None


def test_a_dump_that_began_between_staging_and_merging_is_not_waited_for(merging):
    case = merging(TABLE)
    case.merge(FORENSIC)
    leave_ingested(case)
    with read_by_another_session(case):
        assert case.run(FORENSIC, max_delete_fraction=1).total.deleted == 150
    case.merge(FORENSIC)
    assert not [name for name in tables(case) if "staging" in name]


def leave_ingested(case):
    """As a job leaves a batch that is killed before it merges."""
    case.execute("DELETE FROM t WHERE id > 50")
    with pytest.raises(TooManyDeletes):
        case.run(FORENSIC, strategy=StrategyOption.FULL)
    case.execute(
        "UPDATE yellowforensic_batch_metrics SET batch_status = 'ingested', error = NULL WHERE batch_status = 'failed'",
        on=case.target,
    )
    case.execute("INSERT INTO t SELECT n, 'a' FROM generate_series(51, 200) n")


def test_a_first_load_again_needs_no_lock_on_the_map_of_the_table_that_was_moved_away(merging):
    case = merging(TABLE)
    case.merge(LIVE)
    case.execute('CREATE SCHEMA away; ALTER TABLE "yellowlive_Store1_t_merge" SET SCHEMA away', on=case.target)
    with read_by_another_session(case):
        assert case.run(LIVE).datasets["t"].strategy == "initial"
        assert case.query(LINE)[0][1] == {"kind": "version_diff", "table": "yellowlive_Store1_t_map_staging"}
        case.execute("DELETE FROM t WHERE id = 1")
        assert case.run(LIVE).datasets["t"].strategy == "version_diff"
    case.execute("DROP SCHEMA away CASCADE", on=case.target)
    case.merge(LIVE)
    assert tables(case) == USUAL


def test_a_job_of_an_older_version_finds_no_map_under_another_name_and_ours_goes_on_with_the_one_it_makes(merging):
    case = merging(TABLE)
    case.merge(LIVE)
    with read_by_another_session(case):
        case.run(LIVE, strategy=StrategyOption.FULL)
    kind, named = case.query(LINE)[0]
    assert (kind, named["kind"]) == (None, "version_diff"), "by the kind an older job knows whether there is a map"
    # What an older job does: it drops the map under the usual name, renames its own to it, and writes kind and guard.
    case.execute(
        f"""DROP TABLE "yellowlive_Store1_t_map"; CREATE TABLE "yellowlive_Store1_t_map" AS TABLE "{named["table"]}";
            COMMENT ON TABLE "yellowlive_Store1_t_map" IS '{json.dumps(comment(case, named["table"]))}';
            UPDATE yellowlive_row_maps SET kind = 'version_diff', guard = guard - 'map'""",
        on=case.target,
    )
    case.execute("DELETE FROM t WHERE id = 1")
    result = case.merge(LIVE)
    assert (result.datasets["t"].strategy, result.total.deleted) == ("version_diff", 1)
    assert tables(case) == USUAL


def comment(case, table):
    return json.loads(case.query(f"""SELECT obj_description('"{table}"'::regclass)""")[0][0])


def test_an_ingested_batch_with_names_of_its_own_is_begun_anew_by_an_older_job(merging):
    case = merging(TABLE)
    case.merge(FORENSIC)
    leave_ingested(case)
    [(usual,)] = case.query("SELECT state FROM yellowforensic_batch_metrics WHERE batch_status = 'ingested'")
    assert "staging" not in usual
    case.execute("UPDATE yellowforensic_batch_metrics SET batch_status = 'started' WHERE batch_id = 2", on=case.target)
    with read_by_another_session(case):
        leave_ingested(case)
    [(state,)] = case.query("SELECT state FROM yellowforensic_batch_metrics WHERE batch_status = 'ingested'")
    assert state["staging"]["tables"]["t"]["staging"] == "yellowforensic_Store1_t_staging_2"
    assert state["store_stats_reset"] != usual["store_stats_reset"], "an older job compares it with the server's"
    result = case.run(FORENSIC, max_delete_fraction=1)
    assert result.total.deleted == 150, "a job of this version goes on with what is staged"


def test_tables_that_are_read_for_ever_are_bounded_and_their_reader_is_named(merging):
    case = merging(TABLE)
    case.merge(LIVE)
    readers = []
    try:
        for _ in range(MOST):
            leave_staging(case)
            reader = read_by_another_session(case)
            reader.__enter__()
            readers.append(reader)
        with pytest.raises(TablesHeld, match=r"held by pid \d+") as caught:
            case.run(LIVE)
        usual = "yellowlive_Store1_t_staging"
        assert caught.value.tables == (usual, *(f"{usual}_{number}" for number in range(2, MOST + 1)))
        assert caught.value.retryable
    finally:
        for reader in readers:
            reader.__exit__(None, None, None)
    case.merge(LIVE)
    assert tables(case) == USUAL


def test_a_map_that_was_dropped_makes_the_next_batch_full(merging):
    case = merging(TABLE)
    case.merge(LIVE)
    case.execute('DROP TABLE "yellowlive_Store1_t_map"', on=case.target)
    result = case.merge(LIVE)
    assert (result.datasets["t"].strategy, result.datasets["t"].reason) == ("full", "the map of its rows is gone")
    assert tables(case) == USUAL


def test_a_view_that_a_person_built_on_staging_hinders_no_batch(merging):
    case = merging(TABLE)
    case.merge(LIVE)
    leave_staging(case)
    case.execute('CREATE VIEW mine AS SELECT * FROM "yellowlive_Store1_t_staging"', on=case.target)
    case.execute("DELETE FROM t WHERE id = 1")
    assert case.run(LIVE).total.deleted == 1
    case.execute("DROP VIEW mine", on=case.target)
    case.merge(LIVE)
    assert tables(case) == USUAL


def test_other_readers_do_not_wait_behind_a_changed_model(merging, monkeypatch):
    """One session reads for long: the job tries again and again, and in between everybody else reads on."""
    case = merging(TABLE + "; CREATE TABLE u (id int PRIMARY KEY)")
    case.merge(LIVE)
    case.execute("ALTER TABLE t ADD age int; ALTER TABLE u ADD age int")
    case.describe()
    reads = []

    def read_while_the_job_pauses(seconds):
        assert seconds == locks.PAUSE_SECONDS
        with closing(case.target.connect()) as other, other.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
            cursor.execute('SELECT count(*) FROM "yellowlive_Store1_t_merge", "yellowlive_Store1_u_merge"')
            reads.append(cursor.fetchone())
        if len(reads) == 3:
            reader.rollback()
        return True

    monkeypatch.setattr(locks.shutdown, "pause", read_while_the_job_pauses)
    with closing(case.target.connect()) as reader, reader.cursor() as cursor:
        cursor.execute('LOCK TABLE "yellowlive_Store1_u_merge" IN ACCESS SHARE MODE')
        assert case.run(LIVE).shape_changed
    assert len(reads) == 3
    case.merge(LIVE)


def test_a_changed_model_whose_table_is_read_for_ever_names_the_reader(merging, monkeypatch):
    case = merging(TABLE)
    case.merge(LIVE)
    case.execute("ALTER TABLE t ADD age int")
    case.describe()
    monkeypatch.setattr(schema_change, "lock_tries", lambda _: [(10, False), (10, True)])
    with closing(case.target.connect()) as reader, reader.cursor() as cursor:
        cursor.execute('LOCK TABLE "yellowlive_Store1_t_merge" IN ACCESS SHARE MODE')
        with pytest.raises(TablesHeld, match=rf"in use for 60 s: by .*pid {reader.info.backend_pid} ") as caught:
            case.run(LIVE)
    assert (caught.value.tables, caught.value.retryable) == (("yellowlive_Store1_t_merge",), True)
    assert case.merge(LIVE).total.total == 200
