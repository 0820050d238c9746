"""A first load over several connections is one batch of one snapshot, exact, and leaves nothing when it fails."""

from __future__ import annotations

import re
import subprocess
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import yaml

from config_schema.model import Milestoning
from config_schema.result import ResultCode
from merge_jobs.admin.erase import erase
from merge_jobs.database.pace import Pace
from merge_jobs.errors import DatabaseFailed, KeysRejected, ValuesRejected
from merge_jobs.process.signal_mask import start_without_signals
from merge_jobs.run.job import run
from merge_jobs.stores.postgres import migrations
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.strategies import load_pipes, parallel_load
from merge_jobs.strategies.selection import StrategyOption
from tests.database.merge.test_signals import wait_for

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = """
    CREATE TABLE t (id int PRIMARY KEY, word text, amount numeric, at timestamptz);
    INSERT INTO t SELECT n, repeat('x', n % 300), n / 7.0, now() FROM generate_series(1, 3000) n;
    DELETE FROM t WHERE id BETWEEN 500 AND 900;
    UPDATE t SET word = NULL WHERE id % 50 = 0
"""
LEFT = """SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND (relname LIKE '%staging%' OR relname LIKE '%merge' OR relname LIKE '%Store1%map')"""


@pytest.fixture
def case(merging):
    return merging(TABLE)


def loaded_by(caplog) -> list[int]:
    """By how many connections each table was loaded that was not loaded by one."""
    return [int(number) for number in re.findall(r"rows/s, by (\d+) connections", caplog.text)]


def before(monkeypatch, method: str, first: Any) -> None:
    """Have `first` run before a method of the loading, with its arguments."""
    own = getattr(parallel_load._Loading, method)

    def wrapped(self, *arguments):
        first(self, *arguments)
        return own(self, *arguments)

    monkeypatch.setattr(parallel_load._Loading, method, wrapped)


@pytest.mark.parametrize("kind", Milestoning)
def test_a_load_is_exact_and_the_next_batches_read_only_what_changes(case, caplog, kind):
    result = case.merge(kind, load_connections=3)
    assert loaded_by(caplog) == [3]
    assert result.datasets["t"].strategy == "initial"
    assert re.findall(r": (\d+) of \d+ blocks have changed", caplog.text) == ["0"]
    case.execute("UPDATE t SET word = 'y' WHERE id % 400 = 1; DELETE FROM t WHERE id > 2990; INSERT INTO t VALUES (0)")
    assert case.merge(kind).datasets["t"].strategy == "version_diff"
    audit = case.run(kind, audit_interval=0.000001)
    assert (audit.datasets["t"].strategy, audit.total.changed) == ("full", 0)
    assert "the audit found nothing that version diff would have missed" in caplog.text
    assert case.query("SELECT reloptions FROM pg_class WHERE relname LIKE '%Store1_t_merge'") == [(None,)]


def test_each_connection_reads_the_snapshot_of_the_batch_and_holds_its_tables(case, caplog, monkeypatch):
    truth = case.source_rows(case.datasets[0])

    def change(_):
        case.execute("UPDATE t SET word = 'later'; DELETE FROM t WHERE id < 400; INSERT INTO t VALUES (-1)")
        with closing(case.source.connect()) as other, other.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
            with pytest.raises(Exception, match="lock timeout"):
                cursor.execute("TRUNCATE t")
            other.rollback()
        held = "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessShareLock'"
        assert case.query(held, case.source) == [(4,)]

    before(monkeypatch, "run", change)
    case.run(LIVE, load_connections=3)
    assert loaded_by(caplog) == [3]
    assert case.open_rows(LIVE, case.datasets[0]) == truth
    monkeypatch.undo()
    assert case.merge(LIVE).datasets["t"].strategy == "version_diff"


def test_partitions_and_small_tables_of_one_batch_are_loaded_with_it(merging, caplog):
    case = merging(
        TABLE
        + """;
        CREATE TABLE p (id int PRIMARY KEY, word text) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
        CREATE TABLE other (word text, gone int, id int NOT NULL); ALTER TABLE other DROP COLUMN gone;
        ALTER TABLE p ATTACH PARTITION other FOR VALUES FROM (10) TO (9999);
        CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (10000) TO (10001);
        INSERT INTO p SELECT n, repeat('é', n % 200) FROM generate_series(1, 3000) n;
        CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1)"""
    )
    case.merge(FORENSIC, load_connections=2)
    assert loaded_by(caplog) == [2, 2]
    case.execute("DELETE FROM p WHERE id IN (3, 2000); UPDATE p SET word = 'x' WHERE id IN (4, 2001)")
    assert case.merge(FORENSIC).datasets["p"].strategy == "version_diff"


def test_a_column_that_is_converted_is_as_with_one_connection(case, caplog):
    dataset = case.datasets[0]
    columns = [replace(one, type="text") if one.name == "amount" else one for one in dataset.columns]
    case.datasets = (replace(dataset, columns=tuple(columns)),)
    case.merge(LIVE, load_connections=2)
    assert loaded_by(caplog) == [2]
    assert "column amount is numeric in the source, text in the model" in caplog.text


def test_rows_of_erased_keys_are_left_out_and_so_they_are_by_the_next_batch(case, caplog):
    job = case.job(LIVE, load_connections=2)
    erase(job.store, job.stream, job.stream.datasets[0], [["2"], ["2900"]])
    left = {key: row for key, row in case.source_rows(case.datasets[0]).items() if key not in {("2",), ("2900",)}}
    run(job)
    assert loaded_by(caplog) == [2]
    assert case.open_rows(LIVE, case.datasets[0]) == left
    assert case.run(LIVE).total.changed == 0
    assert " 0 of " in caplog.text


def test_keys_that_repeat_fail_the_batch_and_the_next_one_begins_with_nothing_left(case, caplog):
    case.execute("ALTER TABLE t DROP CONSTRAINT t_pkey; UPDATE t SET id = 7 WHERE id = 3000")
    with pytest.raises(KeysRejected) as caught:
        case.run(LIVE, load_connections=3)
    assert caught.value.rejected.number == 1
    assert case.versions(LIVE, case.datasets[0]) == []
    case.execute("UPDATE t SET id = 3000 WHERE ctid = (SELECT max(ctid) FROM t WHERE id = 7)")
    case.merge(LIVE, load_connections=3)
    assert loaded_by(caplog) == [3, 3]


def test_a_value_that_does_not_fit_ends_all_connections_and_is_counted(case):
    case.execute("UPDATE t SET word = 'far too long a word' WHERE id IN (1, 2999)")
    dataset = case.datasets[0]
    columns = [replace(one, type="varchar(10)") if one.name == "word" else one for one in dataset.columns]
    case.datasets = (replace(dataset, columns=tuple(columns)),)
    case.execute("UPDATE t SET word = left(word, 9) WHERE id NOT IN (1, 2999)")
    with pytest.raises(ValuesRejected) as caught:
        case.run(LIVE, load_connections=3)
    assert "2 rows" in str(caught.value)
    assert case.query(LEFT) == []
    case.execute("UPDATE t SET word = 'fits' WHERE id IN (1, 2999)")
    case.merge(LIVE, load_connections=3)


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_connection_that_is_lost_ends_the_others_which_are_still_at_work(case, monkeypatch, side):
    def at_work(loading, pipe, window):
        first, second, _ = loading.state.reading.pipes
        if pipe is first:  # would go on for ever
            pipe.source.rows("postgres_source.sleep")
        if pipe is second:
            of = case.source if side == "source" else case.target
            session = pipe.source._session if side == "source" else pipe.store.session
            case.query(f"SELECT pg_terminate_backend({session.info.backend_pid}, 10000)", of)

    def rows(source, name, *more):
        if name != "postgres_source.sleep":
            return own(source, name, *more)
        with source._translate_errors(), source._session.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(600)")
        raise AssertionError

    own = load_pipes.PostgresSource.rows
    monkeypatch.setattr(load_pipes.PostgresSource, "rows", rows)
    before(monkeypatch, "_copy", at_work)
    with pytest.raises(DatabaseFailed) as caught:
        case.run(LIVE, load_connections=3)
    assert caught.value.retryable
    assert caught.value.sqlstate in ("57P01", None)
    assert case.query(LEFT) == []
    monkeypatch.undo()
    case.merge(LIVE, load_connections=3)


def test_a_thread_that_cannot_be_started_ends_those_that_are_at_work(case, monkeypatch):
    started = []

    def start(*arguments, **options):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(start_without_signals(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(parallel_load, "start_without_signals", start)
    with pytest.raises(RuntimeError):
        case.run(LIVE, load_connections=3)
    assert not any(thread.is_alive() for thread in started)
    assert case.query(LEFT) == []


def test_a_job_that_is_killed_leaves_nothing_that_anybody_sees_and_the_next_run_drops_the_rest(case, tmp_path):
    job = case.job(LIVE)
    with MergeStore(job.store, job.stream, "one") as store:
        migrations.run_missing_migrations(store)
    with closing(case.target.connect()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE yellowlive_batch_counter IN SHARE MODE")
        child = case.start_child(LIVE, tmp_path, "killed", "--load-connections=3")
        try:
            wait_for(
                case,
                """SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                   AND application_name LIKE 'merge-job%'""",
            )
        finally:
            child.kill()
            child.communicate()
    assert case.versions(LIVE, case.datasets[0]) == []
    assert {(name.rpartition("_")[2],) for (name,) in case.query(LEFT)} == {("staging",), ("map",)}
    case.merge(LIVE, load_connections=3, lock_wait=300)


@pytest.fixture
def slow_case(case):
    """The merge store takes a tenth of a second for each row."""
    case.execute("CREATE DOMAIN slow AS text CHECK (pg_sleep(0.1) IS NOT NULL)", on=case.target)
    dataset = case.datasets[0]
    columns = [replace(one, type="slow") if one.name == "word" else one for one in dataset.columns]
    case.datasets = (replace(dataset, columns=tuple(columns)),)
    return case


def test_a_job_that_is_asked_to_end_ends_all_of_them(slow_case, tmp_path, read_result):
    case = slow_case
    command = case.command(LIVE, tmp_path, "signalled", "--load-connections=3")
    model = yaml.safe_load((tmp_path / "ecosystem.yaml").read_text())
    model["datastores"][0]["types"] = ["slow"]
    (tmp_path / "ecosystem.yaml").write_text(yaml.safe_dump(model))
    child = subprocess.Popen(command, env=case.environment, stdout=subprocess.PIPE, text=True)
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    try:
        wait_for(case, f"SELECT WHERE ({asleep}) > 1")
        child.terminate()
        output, _ = child.communicate(timeout=300)
    finally:
        child.kill()
    result = read_result(output)
    assert (result.code, result.retryable) == (ResultCode.ERROR, True)
    assert "ended by SIGTERM" in result.error
    assert case.query(LEFT) == []


@pytest.mark.parametrize(("most", "used"), [(4, [3]), (3, [2]), (2, []), (1, [])])
def test_the_producers_limit_of_connections_is_kept(case, caplog, monkeypatch, most, used):
    seen = []
    beside = load_pipes.PostgresSource.beside

    def counted(*arguments):
        seen.append(beside(*arguments))
        return seen[-1]

    monkeypatch.setattr(load_pipes.PostgresSource, "beside", counted)
    job = case.job(LIVE, load_connections=3)
    store = replace(job.stream.store, max_source_connections=most)
    run(replace(job, stream=replace(job.stream, store=store)))
    assert loaded_by(caplog) == used
    assert len(seen) == sum(used)
    assert case.open_rows(LIVE, case.datasets[0]) == case.source_rows(case.datasets[0])


def test_it_makes_do_with_the_connections_that_it_gets(case, caplog):
    case.execute(f"ALTER DATABASE {case.source.name} CONNECTION LIMIT 4")  # one of them is the test's, one the batch's
    case.merge(LIVE, load_connections=3)
    assert loaded_by(caplog) == [2]
    because = f"source {case.source.name}: all connections are taken"
    assert f"loads by 2 connections instead of 3, because {because}" in caplog.text


def test_a_dry_run_loads_by_one_connection_and_commits_nothing(case, caplog):
    case.run(LIVE, load_connections=3, dry_run=True)
    assert "loads by one connection instead of 3, because a dry run commits nothing" in caplog.text
    assert loaded_by(caplog) == []
    assert case.query(LEFT) == []


def test_another_server_that_knows_a_snapshot_of_that_name_is_not_read(case, caplog, monkeypatch):
    monkeypatch.setattr(load_pipes.PostgresSource, "export_snapshot", lambda source: (own(source)[0], ("then", "1:1:")))
    case.merge(LIVE, load_connections=3)
    assert "because another session has come to another server than the first" in caplog.text
    assert loaded_by(caplog) == []


own = load_pipes.PostgresSource.export_snapshot


@pytest.mark.parametrize("strategy", [StrategyOption.KEY_HASH_DIFF, StrategyOption.AUTO])
def test_what_has_no_ranges_of_blocks_is_loaded_by_one(case, caplog, strategy):
    if strategy is StrategyOption.AUTO:
        case.execute("ALTER TABLE t RENAME TO rows; CREATE VIEW t AS SELECT * FROM rows")
    case.merge(LIVE, load_connections=3, strategy=strategy)
    assert loaded_by(caplog) == []


@pytest.mark.parametrize("connections", [1, 3])
def test_all_that_is_read_is_read_at_the_pace_of_the_producer(case, monkeypatch, connections):
    read: list[int] = []
    monkeypatch.setattr(Pace, "did", lambda pace, size: read.append(size))
    ((size,),) = case.query("SELECT pg_relation_size('t')", case.source)
    ((width,),) = case.query("SELECT sum(length(t::text)) FROM t", case.source)

    def bytes_of(**options) -> int:
        read.clear()
        job = case.job(LIVE, **options)
        store = replace(job.stream.store, max_source_mb_per_second=0.5)
        run(replace(job, stream=replace(job.stream, store=store)))
        return sum(read)

    assert bytes_of(load_connections=connections) > width / 2  # binary rows, and then their versions
    assert size <= bytes_of() <= 2 * size, "the digests of all blocks, of which little goes through the pipe"
    case.execute("UPDATE t SET word = repeat('z', 400)")
    assert bytes_of() > 2000 * 400
    for strategy in (StrategyOption.FULL, StrategyOption.KEY_HASH_DIFF):
        assert bytes_of(strategy=strategy) > 2000 * 400
