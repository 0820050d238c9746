"""A crash at any stage: the last committed batch stays as it was, and the next run reports what it should.

The job is a child process that is killed while it waits for a lock that the test holds, so each stage is met for sure.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace

import pytest

from config_schema.errors import StreamFactoryError
from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.errors import DatabaseFailed
from merge_jobs.run.job import run
from tests.database.conftest import IN_BOTH

TABLES = """
    CREATE TABLE a (id int PRIMARY KEY, word text); INSERT INTO a SELECT n, 'a' || n FROM generate_series(1, 50) n;
    CREATE TABLE b (id int PRIMARY KEY, word text); INSERT INTO b SELECT n, 'b' || n FROM generate_series(1, 50) n;
"""
CHANGES = """
    UPDATE a SET word = 'new' WHERE id < 6; DELETE FROM b WHERE id = 7; INSERT INTO b VALUES (100, 'x'), (101, 'y')
"""
EXPECTED = {"a": Counts(0, 5, 0, 45, 50), "b": Counts(2, 0, 1, 49, 51)}
PLATFORM = {Milestoning.LIVE: "yellowlive", Milestoning.FORENSIC: "yellowforensic"}

# Where the job is killed: the lock that it waits for then, in which database, and the batch's status that it leaves.
STAGES = {
    "started, before the source is read": ("source", "LOCK TABLE a IN ACCESS EXCLUSIVE MODE", "started"),
    "ingested, before the merge": ("target", 'LOCK TABLE "{p}_Store1_a_merge" IN SHARE MODE', "ingested"),
    "merging the second dataset": ("target", 'LOCK TABLE "{p}_Store1_b_merge" IN SHARE MODE', "ingested"),
    "all merged, not committed": ("target", "LOCK TABLE {p}_batch_counter IN SHARE MODE", "ingested"),
}


# The same where the rows are in a lake: files of a dataset are written, and its table does not name them yet.
IN_LAKE = {
    "the first files written": ("target", "LOCK TABLE iceberg_tables IN SHARE MODE", "ingested"),
    "closings of the first dataset written": (
        "target",
        "SELECT 1 FROM iceberg_tables WHERE (table_namespace, table_name) = ('{p}', 'store1_a_closings') FOR UPDATE",
        "ingested",
    ),
    "the second dataset's versions written": (
        "target",
        "SELECT 1 FROM iceberg_tables WHERE (table_namespace, table_name) = ('{p}', 'store1_b_versions') FOR UPDATE",
        "ingested",
    ),
    "all written, not committed": STAGES["all merged, not committed"],
}


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
def test_a_killed_job_is_gone_on_with(merging, tmp_path, kind, stage):
    is_gone_on_with(merging(TABLES), tmp_path, kind, stage)


@pytest.mark.parametrize("stage", IN_LAKE.values(), ids=IN_LAKE.keys())
def test_a_job_killed_with_a_lake_is_gone_on_with(merging, tmp_path, stage):
    case = merging(TABLES, warehouse=tmp_path / "lake")
    is_gone_on_with(case, tmp_path, Milestoning.FORENSIC, stage)


def is_gone_on_with(case, tmp_path, kind, stage):
    side, lock, status = stage
    case.merge(kind)
    before = {dataset.name: sorted(case.versions(kind, dataset)) for dataset in case.datasets}
    case.execute(CHANGES)
    killed_while_waiting(case, kind, tmp_path, side, lock)
    assert case.batch_rows(kind)[-1] == (2, status, "killed")
    assert {dataset.name: sorted(case.versions(kind, dataset)) for dataset in case.datasets} == before
    assert case.current_batch(kind) == 1

    result = case.merge(kind, lock_wait=30)
    assert {name: of.counts for name, of in result.datasets.items()} == EXPECTED
    assert case.batch_rows(kind)[-1][0] == 2


@IN_BOTH
@pytest.mark.parametrize("kind", Milestoning)
def test_a_job_killed_in_its_first_load_leaves_no_table(merging, tmp_path, kind):
    case = merging(TABLES)
    case.execute("CREATE TABLE c (id int PRIMARY KEY)")
    case.describe()
    killed_while_waiting(case, kind, tmp_path, "source", "LOCK TABLE c IN ACCESS EXCLUSIVE MODE")
    assert all(case.versions(kind, dataset) == [] for dataset in case.datasets)
    assert case.merge(kind, lock_wait=30).total.inserted == 100


def test_the_killed_run_may_be_asked_again_by_its_id(merging, tmp_path):
    case = merging(TABLES)
    case.merge(Milestoning.LIVE)
    case.execute(CHANGES)
    killed_while_waiting(case, Milestoning.LIVE, tmp_path, *STAGES["all merged, not committed"][:2])
    result = case.merge(Milestoning.LIVE, run_id="killed", lock_wait=30)
    assert {name: of.counts for name, of in result.datasets.items()} == EXPECTED


def test_what_is_ingested_is_the_snapshot_of_the_killed_job(merging, tmp_path, caplog):
    case = merging(TABLES)
    case.merge(Milestoning.FORENSIC)
    case.execute(CHANGES)
    killed_while_waiting(case, Milestoning.FORENSIC, tmp_path, *STAGES["ingested, before the merge"][:2])
    truth = {dataset.name: case.source_rows(dataset) for dataset in case.datasets}
    [(taken,)] = case.query("SELECT max(source_snapshot_time) FROM yellowforensic_batch_metrics")
    case.execute("DELETE FROM a")
    result = case.run(Milestoning.FORENSIC, lock_wait=30)
    assert "going on from what run killed has ingested" in caplog.text
    assert result.source_snapshot_time == taken.isoformat().replace("Z", "+00:00")
    assert {dataset.name: case.open_rows(Milestoning.FORENSIC, dataset) for dataset in case.datasets} == truth
    assert case.merge(Milestoning.FORENSIC).datasets["a"].counts.deleted == 50


@pytest.mark.parametrize(
    ("meanwhile", "because"),
    [
        ('TRUNCATE "yellowlive_Store1_a_staging"', "the staging of a has other rows"),
        ('DROP TABLE "yellowlive_Store1_b_staging"', "the staging of b is gone"),
        (
            """UPDATE yellowlive_batch_metrics
               SET state = jsonb_set(state, '{store_stats_reset}', '"2001-01-01T00:00:00+00:00"')""",
            "the merge store has crashed since",
        ),
    ],
)
def test_staging_that_cannot_be_trusted_is_read_again(merging, tmp_path, caplog, meanwhile, because):
    case = merging(TABLES)
    case.merge(Milestoning.LIVE)
    case.execute(CHANGES)
    killed_while_waiting(case, Milestoning.LIVE, tmp_path, *STAGES["ingested, before the merge"][:2])
    case.execute(meanwhile, on=case.target)
    result = case.merge(Milestoning.LIVE, lock_wait=30)
    assert because in caplog.text
    assert {name: of.counts for name, of in result.datasets.items()} == EXPECTED


def test_staging_of_another_model_is_read_again(merging, tmp_path, caplog):
    case = merging(TABLES)
    case.merge(Milestoning.LIVE)
    case.execute(CHANGES)
    killed_while_waiting(case, Milestoning.LIVE, tmp_path, *STAGES["ingested, before the merge"][:2])
    case.execute("ALTER TABLE a ADD age int; UPDATE a SET age = 40 WHERE id = 20")
    case.describe()
    result = case.merge(Milestoning.LIVE, lock_wait=30)
    assert "the model has changed" in caplog.text
    assert result.datasets["a"].counts == Counts(0, 6, 0, 44, 50)


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
def test_a_job_killed_with_a_changed_model_leaves_the_tables_of_the_last_batch(merging, tmp_path, kind, stage):
    side, lock, status = stage
    case = merging(TABLES)
    case.merge(kind)
    before = merge_table_columns(case, kind)
    case.execute(CHANGES + "; ALTER TABLE a ADD age int; UPDATE a SET age = 40 WHERE id = 20")
    case.execute("ALTER TABLE b ALTER id TYPE bigint")
    case.describe()
    killed_while_waiting(case, kind, tmp_path, side, lock)
    assert case.batch_rows(kind)[-1] == (2, status, "killed")
    assert merge_table_columns(case, kind) == before
    result = case.merge(kind, lock_wait=30)
    assert {name: of.counts for name, of in result.datasets.items()} == {**EXPECTED, "a": Counts(0, 6, 0, 44, 50)}
    changed = {("a", "age", "integer"), ("b", "id", "bigint")}
    assert merge_table_columns(case, kind) - before == changed


@pytest.mark.parametrize("kind", Milestoning)
def test_a_server_that_ends_the_session_fails_the_batch_for_a_retry(merging, kind):
    case = merging(TABLES)
    case.merge(kind)
    case.execute(CHANGES)
    table = f"{PLATFORM[kind]}_Store1_b_merge"
    with closing(case.target.connect()) as other, other.cursor() as cursor:
        cursor.execute(f'LOCK TABLE "{table}" IN SHARE MODE')
        failures = []
        job = threading.Thread(target=lambda: failures.append(_failure(case, kind)))
        job.start()
        _wait_until_blocked(case.target)
        cursor.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
        job.join()
    (error,) = failures
    assert error.retryable
    assert case.batch_rows(kind)[-1][1] == "failed"
    result = case.merge(kind)
    assert {name: of.counts for name, of in result.datasets.items()} == EXPECTED


@IN_BOTH
@pytest.mark.parametrize("answered", [True, False], ids=["COMMIT was done", "COMMIT never arrived"])
def test_a_connection_cut_at_commit_is_found_out(merging, answered):
    case = merging(TABLES)
    case.merge(Milestoning.LIVE)
    case.execute(CHANGES)
    job = case.job(Milestoning.LIVE)
    with Cut(job.store.host, job.store.port, forward=answered) as cut:
        through = replace(job, store=replace(job.store, port=cut.port))
        if answered:
            result = run(through)
            assert {name: of.counts for name, of in result.datasets.items()} == EXPECTED
            assert cut.cuts == 1
        else:
            with pytest.raises(DatabaseFailed) as caught:
                run(through)
            assert caught.value.retryable
            assert cut.cuts == 1
            result = case.merge(Milestoning.LIVE)
            assert {name: of.counts for name, of in result.datasets.items()} == EXPECTED
    case.check_that_a_second_run_changes_nothing(Milestoning.LIVE)


class Cut:
    """A proxy before a server that drops the connection at the COMMIT of a batch, once, with or without passing it on.

    A batch's COMMIT is known by the counter having been moved before it on the same connection.
    """

    def __init__(self, host, port, *, forward):
        self._server, self._forward = (host, port), forward
        self._sockets, self._threads = [], []
        self.cuts = 0

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets.append(self._listener)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        for each in self._sockets:
            _shut(each)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _start(self, target, *args):
        self._threads.append(threading.Thread(target=target, args=args))
        self._threads[-1].start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            self._start(self._up, client, server)
            self._start(self._down, server, client)

    def _up(self, client, server):
        moved = False
        while data := _received(client):
            moved = moved or (b"last_checked_at" in data and b"INSERT" in data)
            if moved and data.endswith(b"COMMIT\0") and self.cuts == 0:
                self.cuts += 1
                _shut(client)
                if self._forward:
                    _pass_on(data, server)
                    time.sleep(0.5)  # the server ends a COMMIT that it has begun, but reads it only while connected
                break
            _pass_on(data, server)
        _shut(server)

    def _down(self, server, client):
        while data := _received(server):
            _pass_on(data, client)
        _shut(client)


def _shut(connection) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _pass_on(data: bytes, to) -> None:
    with suppress(OSError):
        to.sendall(data)


def _received(from_) -> bytes:
    try:
        return from_.recv(1 << 16)
    except OSError:
        return b""


def killed_while_waiting(case, kind, folder, side, lock):
    """Start the job, wait until it waits for `lock`, which the test holds, and kill it."""
    database = getattr(case, side)
    with closing(database.connect()) as other, other.cursor() as cursor:
        cursor.execute(lock.format(p=PLATFORM[kind]))
        child = case.start_child(kind, folder, "killed")
        try:
            _wait_until_blocked(database)
        finally:
            child.send_signal(signal.SIGKILL)
            output, _ = child.communicate(timeout=30)
    assert "DATASURFACE_RESULT=" not in output


def merge_table_columns(case, kind) -> set[tuple[str, str, str]]:
    return {
        (table, *column)
        for table in ("a", "b")
        for column in case.query(
            f"""SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
                WHERE attrelid = '"{PLATFORM[kind]}_Store1_{table}_merge"'::regclass AND attnum > 0"""
        )
    }


def _wait_until_blocked(database):
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in range(600):
            cursor.execute(
                """SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                   AND application_name LIKE 'merge-job%'"""
            )
            if cursor.fetchone():
                return
            time.sleep(0.05)
    raise AssertionError("the job did not come to wait")


def _failure(case, kind):
    try:
        return case.run(kind)
    except StreamFactoryError as error:
        return error
