"""What happens to a producer's server as a whole: restarts, crashes, backups put back, standbys promoted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema.model import Milestoning
from merge_jobs.admin.reset import reset_batch
from merge_jobs.errors import DatabaseFailed, SourceBehind
from merge_jobs.sources.postgres import position
from tests.conftest import FreshDatabase, binaries
from tests.server_copy import copy_of
from tests.server_folder import server_folder

TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' || n FROM generate_series(1, 300) n"
)
CHANGE = "UPDATE t SET word = 'new' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (301, 'x')"
RESTARTED = "the source was restarted"
CRASHED = "the source has crashed, or its statistics were reset"
LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC


@pytest.fixture
def folder() -> Iterator[Path]:
    with server_folder() as made:
        yield made


@pytest.fixture
def source(folder) -> Iterator[EmbeddedPostgres]:
    """A producer's server of its own, as careless about commits as producers may be."""
    with EmbeddedPostgres(folder / "source", options={"synchronous_commit": "off"}, binaries=binaries()) as server:
        yield server


@pytest.fixture
def case(merging, new_database, source):
    source.create_role("producer", "word")
    source.create_database("shop", "producer")
    made = merging("SELECT")
    made.source = FreshDatabase(source, "shop", "producer", "word")
    made.execute(f"SET synchronous_commit = on; {TABLE}")  # a crash is to lose changes, not the table
    made.describe()
    return made


def then_full(case, reason: str, kind: Milestoning = FORENSIC) -> None:
    done = case.merge(kind).datasets["t"]
    assert (done.strategy, done.reason.partition(" since ")[0]) == ("full", reason)
    case.execute("UPDATE t SET word = word || '.' WHERE id = 9")
    assert case.merge(kind).datasets["t"].strategy == "version_diff"


def test_a_restart(case, source):
    case.merge(FORENSIC)
    source.stop()
    source.start()
    then_full(case, RESTARTED)


def test_a_crash_of_the_server(case, source):
    case.merge(FORENSIC)
    case.execute(CHANGE)
    source.stop("immediate")
    source.start()
    then_full(case, RESTARTED)


def test_one_backend_that_is_killed_restarts_the_server_without_a_new_start_time(case, source):
    case.merge(FORENSIC)
    case.execute(CHANGE)
    started = case.query("SELECT pg_postmaster_start_time()", on=case.source)
    with closing(case.source.connect()) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        wait_until_it_answers_again(case)
    assert case.query("SELECT pg_postmaster_start_time()", on=case.source) == started
    then_full(case, CRASHED)


def test_a_backup_that_is_put_back(case, source, folder):
    """The merge tables know rows that the producer has lost."""
    source.stop()
    data, backup = folder / "source" / "data", folder / "backup"
    copied(data, backup)
    source.start()
    case.merge(FORENSIC)
    case.execute(CHANGE)
    case.merge(FORENSIC)
    source.stop()
    shutil.rmtree(data)
    copied(backup, data)
    source.start()
    case.execute("INSERT INTO t VALUES (302, 'after')")  # with transactions' numbers that were used before
    with pytest.raises(SourceBehind) as caught:
        case.run(FORENSIC)
    assert "the source is behind batch 2: it is at " in caught.value.what
    assert "dagfactory runs reset" in caught.value.todo
    assert not caught.value.retryable
    accept(case)
    then_full(case, RESTARTED)


def accept(case) -> None:
    job = case.job(FORENSIC)
    assert reset_batch(job.store, job.stream) is not None


def test_a_source_that_was_accepted_and_has_the_same_rows_is_not_refused_again(case, source, folder):
    source.stop()
    data, backup = folder / "source" / "data", folder / "backup"
    copied(data, backup)
    source.start()
    case.merge(FORENSIC)
    case.execute("CREATE TABLE other AS SELECT generate_series(1, 10000)")
    case.execute("UPDATE t SET word = 'new' WHERE id = 1")
    case.merge(FORENSIC)
    source.stop()
    shutil.rmtree(data)
    copied(backup, data)
    source.start()
    case.execute("UPDATE t SET word = 'new' WHERE id = 1")
    with pytest.raises(SourceBehind):
        case.run(FORENSIC)
    accept(case)
    assert case.run(FORENSIC).total.changed == 0
    assert case.run(FORENSIC).total.changed == 0


@pytest.fixture
def standby(case, source, folder) -> Iterator[EmbeddedPostgres]:
    """A standby that follows the producer, and answers under its own address."""
    with copy_of(source, folder / "standby", {"hot_standby": "on"}, "-R") as server:
        yield server


@pytest.fixture
def of_standby(case, standby):
    """The case, read from the standby; its `changed` runs SQL on the producer and waits until the standby has it."""
    producer, case.source = case.source, FreshDatabase(standby, "shop", "producer", "word")

    def changed(statements: str) -> None:
        case.execute(statements, on=producer)
        [(position,)] = case.query("SELECT pg_current_wal_insert_lsn()", on=producer)
        caught_up = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        give_up = time.monotonic() + 30
        while not case.query(caught_up, on=case.source)[0][0]:
            assert time.monotonic() < give_up
            time.sleep(0.05)

    case.producer, case.changed = producer, changed
    return case


def test_a_standby_is_read_and_noticed_when_it_is_promoted(of_standby, standby):
    case = of_standby
    case.merge(FORENSIC)
    case.changed(CHANGE)
    assert case.merge(FORENSIC).datasets["t"].strategy == "version_diff"
    check_a_conflict_with_recovery(case, standby)
    as_superuser(standby, "SELECT pg_promote()")
    case.execute("UPDATE t SET word = 'promoted' WHERE id = 5")
    then_full(case, "the source was promoted or restored")


def test_a_standby_that_lags_is_waited_for_and_then_refused(of_standby, standby, monkeypatch, caplog):
    case = of_standby
    behind, case.source = case.source, case.producer
    case.merge(FORENSIC)
    as_superuser(standby, "SELECT pg_wal_replay_pause()")
    case.execute(f"SET synchronous_commit = on; {CHANGE}")
    case.merge(FORENSIC)
    case.source = behind
    monkeypatch.setattr(position, "WAIT_SECONDS", 1.0)
    with pytest.raises(SourceBehind) as caught:
        case.run(FORENSIC)
    assert "the source is behind batch 2: it is at " in caught.value.what
    assert caught.value.retryable
    assert case.query("SELECT batch_status FROM yellowforensic_batch_metrics WHERE batch_id = 3") == [("failed",)]
    monkeypatch.setattr(position, "WAIT_SECONDS", 60.0)
    caplog.clear()
    going_on = threading.Timer(1, as_superuser, (standby, "SELECT pg_wal_replay_resume()"))
    going_on.start()
    assert case.run(FORENSIC).total.changed == 0
    going_on.join()
    assert "the standby is at" in caplog.text
    as_superuser(standby, "SELECT pg_promote()")
    case.execute("UPDATE t SET word = 'promoted' WHERE id = 5")
    assert case.merge(FORENSIC).total.updated == 1
    case.source = case.producer  # the primary of before, to which somebody still writes
    case.execute("CREATE TABLE other AS SELECT generate_series(1, 10000)")
    with pytest.raises(SourceBehind) as caught:
        case.run(FORENSIC)
    assert not caught.value.retryable
    assert "the present primary" in caught.value.todo


def check_a_conflict_with_recovery(case, standby) -> None:
    """A batch that the standby ends, as it can keep no snapshot against the log, fails so that a retry can help."""
    as_superuser(standby, "ALTER SYSTEM SET max_standby_streaming_delay = 0", "SELECT pg_reload_conf()")
    slow = "CREATE VIEW t AS SELECT id, word || left(pg_sleep(0.06)::text, 0) AS word FROM rows"
    case.changed(f"ALTER TABLE t RENAME TO rows; {slow}")
    over = threading.Event()
    cleaning = threading.Thread(target=clean_while_copied, args=(case, over))
    cleaning.start()
    try:
        with pytest.raises(DatabaseFailed) as caught:
            case.run(FORENSIC)
    finally:
        over.set()
        cleaning.join()
    assert "conflict with recovery" in caught.value.what
    assert "hot_standby_feedback" in caught.value.todo
    assert (caught.value.sqlstate, caught.value.retryable) == ("40001", True)
    as_superuser(standby, "ALTER SYSTEM RESET max_standby_streaming_delay", "SELECT pg_reload_conf()")
    case.changed("DROP VIEW t; ALTER TABLE rows RENAME TO t; UPDATE t SET word = 'later' WHERE id = 6")
    assert case.merge(FORENSIC).total.updated == 1


def clean_while_copied(case, over: threading.Event) -> None:
    """Not before: a session that is between two statements is ended without a word."""
    copying = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND state = 'active'"
    while not case.query(copying, on=case.source) and not over.wait(0.05):
        pass
    with closing(case.producer.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        while not over.wait(0.1):
            cursor.execute("UPDATE rows SET word = word WHERE id = 7")
            cursor.execute("VACUUM rows")


def as_superuser(server: EmbeddedPostgres, *statements: str) -> None:
    with closing(psycopg2.connect(server.dsn())) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)


def copied(one: Path, other: Path) -> None:
    subprocess.run(["cp", "-a", one, other], check=True)


def wait_until_it_answers_again(case) -> None:
    give_up = time.monotonic() + 30
    while True:
        time.sleep(0.2)
        try:
            case.query("SELECT 1", on=case.source)
            return
        except psycopg2.OperationalError:
            assert time.monotonic() < give_up
