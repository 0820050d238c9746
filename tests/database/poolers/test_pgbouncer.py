"""Behind a pooler a batch has the settings that it relies on, or is refused clearly; nothing of it stays there."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from config_schema.model import Milestoning
from config_schema.result import ResultCode
from merge_jobs.database.connections import connect as job_session
from merge_jobs.errors import DatabaseFailed, PoolingRefused, SettingRefused
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.strategies.selection import StrategyOption
from tests.database.poolers.conftest import connect

LIVE = Milestoning.LIVE
HOSTILE = """SET extra_float_digits = -15; SET "DateStyle" = 'SQL, DMY'; SET "IntervalStyle" = 'sql_standard';
    SET "TimeZone" = 'Asia/Tokyo'; SET array_nulls = off; SET bytea_output = 'escape'; SET row_security = on;
    SET xmlbinary = 'hex'; SET transform_null_equals = on; SET quote_all_identifiers = on; SET search_path = nowhere;
    SET default_transaction_isolation = 'serializable'; SET default_transaction_read_only = on"""
DDL = """CREATE TABLE t (id int PRIMARY KEY, f double precision, w timestamptz, a text[], i interval, b bytea);
    CREATE FUNCTION twice(double precision) RETURNS double precision LANGUAGE plpgsql AS
        'BEGIN RETURN (SELECT $1 + f FROM t WHERE id = 1); END';
    INSERT INTO t SELECT n, random() / 3, now(), ARRAY[NULL, 'NULL'], interval '1 day -2 hours', 'x\\000'
        FROM generate_series(1, 300) n;
    CREATE VIEW v AS SELECT id, twice(f) AS f, w, a, i, b FROM t"""


@pytest.fixture
def case(merging):
    made = merging(DDL)
    (table,) = made.datasets
    made.datasets = (table, type(table)("v", table.columns, table.primary_key))
    return made


@pytest.fixture
def busy():
    """`busy(database)`: other clients of a pool, who use its server processes and leave settings there."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def client(database: Any) -> None:
        with closing(connect(database)) as connection, connection.cursor() as cursor:
            while not over.is_set():
                cursor.execute(HOSTILE)
                cursor.execute("SELECT pg_sleep(0.002)")

    def start(database: Any) -> None:
        for _ in range(3):
            threads.append(threading.Thread(target=client, args=(database,)))
            threads[-1].start()

    yield start
    over.set()
    for one in threads:
        one.join()


@pytest.mark.parametrize("strategy", [StrategyOption.AUTO, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
def test_a_source_behind_a_busy_pool_of_transactions_is_read_exactly(case, pooler, busy, strategy):
    direct = case.source
    (pooled,) = pooler("transaction", direct)
    busy(pooled)
    for change in ("SELECT", "UPDATE t SET f = f / 7 WHERE id % 3 = 0"):
        case.execute(change)
        case.source = pooled
        result = case.run(LIVE, strategy=strategy)
        case.source = direct
        assert result.code is ResultCode.DONE
        for dataset in case.datasets:
            assert case.open_rows(LIVE, dataset) == case.source_rows(dataset)
    assert result.datasets["t"].counts.updated == 100


def test_rows_that_a_policy_hides_are_refused_behind_a_pool_too(case, pooler, busy):
    case.run(LIVE)
    case.execute(
        """ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
           CREATE POLICY two_thirds ON t USING (id % 3 <> 0)"""
    )
    (pooled,) = pooler("transaction", case.source)
    busy(pooled)
    case.source = pooled
    with pytest.raises(DatabaseFailed, match="row-level security"):
        case.run(LIVE)


@pytest.mark.parametrize("options", [{"pool_mode": "transaction"}, {"pool_mode": "session", "server_reset_query": ""}])
def test_a_merge_store_behind_a_pool_that_keeps_no_locks_is_refused_and_no_lock_stays(case, pooler, options):
    direct = case.target
    mode = options["pool_mode"]
    (case.target,) = pooler(mode, direct, **options)
    with pytest.raises(PoolingRefused, match="a pooler stands between") as refused:
        case.run(LIVE)
    assert not refused.value.retryable
    assert "pool_mode = session" in refused.value.todo
    assert case.query("SELECT * FROM pg_locks WHERE locktype = 'advisory'", direct) == []


def test_a_merge_store_behind_a_pool_of_sessions_works_and_no_lock_stays(case, pooler):
    direct = case.target
    (pooled,) = pooler("session", direct)
    for change in ("SELECT", "DELETE FROM t WHERE id < 10"):
        case.execute(change)
        case.target = pooled
        assert case.run(LIVE).code is ResultCode.DONE
        case.target = direct
        assert case.open_rows(LIVE, case.datasets[0]) == case.source_rows(case.datasets[0])
    assert case.query("SELECT * FROM pg_locks WHERE locktype = 'advisory'", direct) == []


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_pool_of_statements_is_refused_for_good(case, pooler, side):
    (pooled,) = pooler("statement", getattr(case, side))
    setattr(case, side, pooled)
    with pytest.raises(PoolingRefused, match="each statement another server process") as refused:
        case.run(LIVE)
    assert not refused.value.retryable


def test_a_lock_on_a_process_that_a_busy_pool_gave_to_somebody_else_is_noticed_and_taken_away(
    case, pooler, monkeypatch
):
    direct = case.target
    (case.target,) = pooler("transaction", direct)
    # As if other clients had hidden from the look how the pool works.
    monkeypatch.setattr(MergeStore, "_check_pool", lambda store: None)
    job = case.job(LIVE)
    with MergeStore(job.store, job.stream, "one") as store:
        store.lock_stream(0)
        with closing(connect(case.target)) as other, other.cursor() as cursor:
            cursor.execute("BEGIN; SELECT 1")  # takes the process that holds the lock
            with pytest.raises(PoolingRefused, match="has changed, from"):
                store.value("batches.store_stats_reset")
            cursor.execute("ROLLBACK")
            store.close()
    assert case.query("SELECT * FROM pg_locks WHERE locktype = 'advisory'", direct) == []


def test_a_transaction_that_lost_its_settings_is_refused(case):
    place = case.job(LIVE).store
    with closing(job_session(place, "test", "here", 1)) as session, session.cursor() as cursor:
        cursor.execute("SELECT set_config('extra_float_digits', '-3', true)")
        with pytest.raises(SettingRefused, match="extra_float_digits is -3"):
            session.check()


def test_a_transaction_that_somebody_else_ended_is_noticed(case):
    place = case.job(LIVE).store
    with closing(job_session(place, "test", "here", 1)) as session, session.cursor() as cursor:
        cursor.execute("SELECT 1")
        with psycopg2.extensions.cursor(session) as behind:
            behind.execute("ROLLBACK")
        with pytest.raises(PoolingRefused, match="the transaction is gone"):
            cursor.execute("SELECT 1")


@pytest.mark.parametrize("side", ["source", "target"])
def test_behind_a_pool_a_first_load_is_of_one_connection_and_says_so(case, pooler, caplog, side):
    direct = getattr(case, side)
    (pooled,) = pooler("session", direct)
    setattr(case, side, pooled)
    assert case.run(LIVE, load_connections=3).code is ResultCode.DONE
    setattr(case, side, direct)
    which = "source" if side == "source" else "merge store"
    assert f"loads by one connection instead of 3, because a pooler stands before the {which}" in caplog.text
    assert case.open_rows(LIVE, case.datasets[0]) == case.source_rows(case.datasets[0])
