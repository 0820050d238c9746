"""Batches of a stream: run ids, time slices, the stream's lock, datasets together, one snapshot for all of them."""

from __future__ import annotations

import re
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from config_schema.model import Consistency, Milestoning
from config_schema.result import Counts, ResultCode
from merge_jobs.errors import ConnectFailed, KeysRejected, SourceTableMissing, StreamBusy
from merge_jobs.run.job import Run, run
from merge_jobs.strategies.selection import StrategyOption
from tests.database.conftest import IN_BOTH

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TWO = """
    CREATE TABLE customers (id int PRIMARY KEY, word text);
    INSERT INTO customers SELECT n, 'word ' || n FROM generate_series(1, 10) n;
    CREATE TABLE orders (id int PRIMARY KEY, customer int);
    INSERT INTO orders SELECT n, n % 10 + 1 FROM generate_series(1, 30) n;
"""
METRICS = """SELECT batch_id, batch_status, records_inserted, records_updated, records_deleted, total_records,
                    strategy, run_id FROM yellowlive_batch_metrics ORDER BY batch_id"""


# --- run ids


def test_a_run_that_is_committed_gives_its_result_again_and_does_nothing(merging):
    case = merging(TWO)
    first = case.run(LIVE, "the-run")
    case.execute("DELETE FROM orders WHERE id = 1")
    assert case.run(LIVE, "the-run") == first
    assert case.current_batch(LIVE) == 1
    assert case.merge(LIVE).total.deleted == 1
    assert case.run(LIVE, "the-run") == first, "also when later runs have moved the counter"


def test_a_run_that_found_nothing_gives_its_result_again(merging):
    case = merging(TWO)
    case.merge(LIVE)
    nothing = case.run(LIVE, "the-run")
    case.execute("DELETE FROM orders WHERE id = 1")
    assert case.run(LIVE, "the-run") == nothing
    assert nothing.total == Counts(0, 0, 0, 40, 40)
    assert (nothing.batches, nothing.batch_id) == (0, 1)


def test_a_run_that_failed_is_done_when_asked_again(merging):
    case = merging(TWO)
    job = case.job(LIVE, "the-run")
    with pytest.raises(ConnectFailed):
        run(replace(job, source=replace(job.source, port=1)))
    assert run(job).total.inserted == 40


def test_a_stream_may_have_the_run_id_of_another(merging):
    case = merging(TWO)
    assert case.run(LIVE, "the-run").total.inserted == 40
    assert case.run(FORENSIC, "the-run").total.inserted == 40


# --- rows of the batch tables


@IN_BOTH
def test_a_batch_row_tells_what_its_batch_did(merging):
    case = merging(TWO)
    case.run(LIVE, "one")
    case.execute("UPDATE orders SET customer = 0 WHERE id < 3; DELETE FROM customers WHERE id = 1")
    case.run(LIVE, "two")
    case.run(LIVE, "three")
    assert case.query(METRICS) == [
        (1, "committed", 40, 0, 0, 40, "initial", "one"),
        (2, "committed", 0, 2, 1, 39, "version_diff", "two"),
    ]
    [(current, last_run, moved)] = case.query(
        """SELECT current_batch, last_run_id,
                  last_checked_at > (SELECT max(batch_end_time) FROM yellowlive_batch_metrics)
           FROM yellowlive_batch_counter"""
    )
    assert (current, last_run, moved) == (2, "three", True)


def test_the_snapshot_s_time_is_in_result_and_row(merging):
    case = merging(TWO)
    result = case.merge(FORENSIC)
    [(reported, stored)] = case.query(
        f"""SELECT '{result.source_snapshot_time}'::timestamptz, source_snapshot_time
            FROM yellowforensic_batch_metrics"""
    )
    assert reported == stored
    assert result.source_snapshot_time.endswith("+00:00")


def test_a_batch_left_started_is_begun_anew_under_its_id(merging):
    case = merging(TWO)
    case.merge(LIVE)
    case.execute(
        """INSERT INTO yellowlive_batch_metrics (key, batch_id, batch_start_time, batch_status, state, run_id)
           VALUES ('Store1', 2, now(), 'started', '{"attempt": "of a dead job"}', 'dead')""",
        on=case.target,
    )
    case.execute("DELETE FROM orders WHERE id = 1")
    assert case.merge(LIVE).batch_id == 2


# --- the lock


def test_a_second_job_on_a_stream_gives_up_and_names_the_holder(merging):
    case = merging(TWO)
    with closing(case.source.connect()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        holder = threading.Thread(target=case.run, args=(LIVE, "the-holder"))
        holder.start()
        _wait_for(case, "SELECT 1 FROM yellowlive_batch_metrics")
        with pytest.raises(StreamBusy) as caught:
            case.run(LIVE, "second")
        assert re.fullmatch(r"pid \d+ \(merge-job yellowlive Store1 the-holder\)", caught.value.holder)
        assert caught.value.retryable
    holder.join()
    assert case.batch_rows(LIVE) == [(1, "committed", "the-holder")]


def test_a_second_job_may_wait_for_the_first(merging):
    case = merging(TWO)
    with closing(case.source.connect()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        holder = threading.Thread(target=case.run, args=(LIVE, "the-holder"))
        holder.start()
        _wait_for(case, "SELECT 1 FROM yellowlive_batch_metrics")
        results = []
        second = threading.Thread(target=lambda: results.append(case.run(LIVE, "second", lock_wait=30)))
        second.start()
        other.rollback()
        holder.join()
        second.join()
    assert [(result.batches, result.total.unchanged) for result in results] == [(0, 40)]


def test_two_streams_that_start_at_once_make_the_tables_once(merging):
    case = merging(TWO, consistency=Consistency.SINGLE_DATASET)
    jobs = [case.job(LIVE, dataset=dataset.name) for dataset in case.datasets]
    results = []
    threads = [threading.Thread(target=lambda job=job: results.append(run(job))) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((result.stream_key, result.total.inserted) for result in results) == [
        ("Store1#customers", 10),
        ("Store1#orders", 30),
    ]


# --- datasets together


@pytest.mark.parametrize("strategy", StrategyOption)
def test_all_datasets_come_from_one_snapshot(merging, strategy):
    """While the first table is copied, a change of both is committed: neither or both may show it."""
    case = merging(TWO)
    case.merge(LIVE, strategy=strategy)
    case.run(LIVE, strategy=strategy)  # has the map that it wants from now on
    case.execute("UPDATE customers SET word = 'before'; UPDATE orders SET customer = 77")
    truth = {dataset.name: case.source_rows(dataset) for dataset in case.datasets}

    copied = threading.Event()
    changed = threading.Event()
    from merge_jobs.sources.postgres.source import PostgresSource

    copy_query = PostgresSource.copy_query

    def slow(self, statement, into, *names):
        if "'orders'" in repr(statement):
            copied.set()
            assert changed.wait(30)
        return copy_query(self, statement, into, *names)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresSource, "copy_query", slow)
        job = threading.Thread(target=case.run, args=(LIVE,), kwargs={"strategy": strategy})
        job.start()
        assert copied.wait(30)
        case.execute("UPDATE customers SET word = 'after'; UPDATE orders SET customer = 88; DELETE FROM orders")
        changed.set()
        job.join()
    assert {dataset.name: case.open_rows(LIVE, dataset) for dataset in case.datasets} == truth
    case.merge(LIVE)


def test_a_table_truncated_and_reloaded_meanwhile_is_not_seen_empty(merging):
    """A snapshot that is older than TRUNCATE sees an empty table: it must be taken behind the lock."""
    case = merging(TWO)
    case.merge(LIVE)
    results = []
    with closing(case.source.connect()) as other, other.cursor() as cursor:
        cursor.execute("TRUNCATE customers; INSERT INTO customers SELECT n, 'new' FROM generate_series(1, 10) n")
        job = threading.Thread(target=lambda: results.append(case.run(LIVE)))
        job.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        _wait_for(case, waiting, on=case.source)
        other.commit()
        job.join()
    assert results[0].datasets["customers"].counts == Counts(0, 10, 0, 0, 10)


@pytest.mark.parametrize("kind", Milestoning)
def test_datasets_commit_together_or_not_at_all(merging, kind):
    case = merging(TWO.replace("orders (id int PRIMARY KEY", "orders (id int"))
    customers, orders = case.datasets
    case.datasets = (customers, replace(orders, primary_key=("id",)))
    case.merge(kind)
    case.execute("DELETE FROM customers WHERE id = 1; INSERT INTO orders VALUES (1, 1)")
    with pytest.raises(KeysRejected) as rejected:
        case.run(kind)
    assert (rejected.value.rejected.dataset, rejected.value.rejected.reason) == ("orders", "duplicate")
    assert len(case.open_rows(kind, customers)) == 10
    case.execute("DELETE FROM orders WHERE id = 1")
    result = case.merge(kind)
    assert (result.datasets["customers"].counts.deleted, result.datasets["orders"].counts.deleted) == (1, 1)


@pytest.mark.parametrize("kind", Milestoning)
def test_a_dataset_added_later_is_first_loaded_within_a_batch_of_the_others(merging, kind):
    case = merging(TWO)
    both = case.datasets
    case.datasets = both[:1]
    case.merge(kind)
    case.execute("UPDATE customers SET word = 'x' WHERE id = 3")
    case.datasets = both
    result = case.merge(kind)
    assert result.batch_id == 2
    assert result.datasets["customers"].counts == Counts(0, 1, 0, 9, 10)
    assert result.datasets["orders"].counts == Counts(30, 0, 0, 0, 30)
    assert (result.datasets["orders"].strategy, result.datasets["orders"].reason) == (
        "initial",
        "there is no merge table yet",
    )
    assert case.query("SELECT 1 FROM pg_class WHERE relname LIKE '%staging'") == []


def test_only_the_assigned_datasets_are_merged(merging):
    from merge_jobs.stream import stream_of

    case = merging(TWO)
    job = case.job(LIVE)
    stream = stream_of(case.ecosystem, "YellowLive", "Store1", datasets=["orders"])
    assert set(run(replace(job, stream=stream)).datasets) == {"orders"}


# --- time slices


def test_a_time_slice_repeats_batches_and_sums_them(merging):
    case = merging(TWO)
    results = []
    job = case.job(LIVE, "the-slice", time_slice_seconds=8)
    slice_ = threading.Thread(target=lambda: results.append(run(job)))
    slice_.start()
    _wait_for(case, "SELECT 1 FROM yellowlive_batch_counter WHERE current_batch = 1")
    case.execute("DELETE FROM orders WHERE id < 4")
    _wait_for(case, "SELECT 1 FROM yellowlive_batch_counter WHERE current_batch = 2")
    case.execute("UPDATE customers SET word = NULL WHERE id < 3")
    slice_.join()
    (result,) = results
    assert result.code is ResultCode.DONE, "the last look found nothing"
    assert (result.batches, result.batch_id) == (3, 3)
    assert result.datasets["orders"].counts == Counts(30, 0, 3, 27, 27)
    assert result.datasets["customers"].counts == Counts(10, 2, 0, 10, 10)
    assert case.run(LIVE, "the-slice") == result
    assert case.query(METRICS) == [(3, "committed", 40, 2, 3, 37, "version_diff", "the-slice")], "one row a run"


def test_a_slice_that_ends_with_changes_asks_to_be_run_again(merging):
    result = merging(TWO).run(LIVE, time_slice_seconds=0.001)
    assert (result.code, result.batches) == (ResultCode.KEEP_WORKING, 1)


def test_a_slice_killed_after_a_batch_tells_at_its_retry_what_it_did(merging, monkeypatch):
    case = merging(TWO)

    def killed(seconds):
        raise KeyboardInterrupt

    case.run(LIVE, "first", time_slice_seconds=0.001)
    case.execute("DELETE FROM orders WHERE id = 1")
    monkeypatch.setattr("merge_jobs.run.job.shutdown.pause", killed)
    with pytest.raises(KeyboardInterrupt):
        case.run(LIVE, "the-slice", time_slice_seconds=60)
    monkeypatch.undo()
    result = case.run(LIVE, "the-slice", time_slice_seconds=60)
    assert (result.total.deleted, result.batches, result.batch_id) == (1, 1, 2)


def test_a_failure_late_in_a_slice_still_tells_what_was_committed(merging, monkeypatch):
    case = merging(TWO)
    job = Run(case.job(LIVE, time_slice_seconds=60))
    monkeypatch.setattr("merge_jobs.run.job.LEAST_PAUSE_SECONDS", 0.01)

    def renamed(seconds):
        case.execute("ALTER TABLE orders RENAME TO gone")
        return True

    monkeypatch.setattr("merge_jobs.run.job.shutdown.pause", renamed)
    with pytest.raises(SourceTableMissing) as missing:
        job.perform()
    assert missing.value.table == "orders"
    assert (job.so_far.batches, job.so_far.batch_id, job.so_far.total.inserted) == (1, 1, 40)


def _wait_for(case, statement: str, on=None) -> None:
    for _ in range(600):
        try:
            if case.query(statement, on):
                return
        except Exception as error:
            if "does not exist" not in str(error):
                raise
        time.sleep(0.05)
    raise AssertionError(f"nothing came of: {statement}")
