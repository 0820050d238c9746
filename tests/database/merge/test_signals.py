"""A job that is asked to end: it does so within seconds, says so, and what it had committed stays committed."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from config_schema.model import Milestoning
from config_schema.result import Counts, ResultCode
from config_schema.sql.locks import stream_lock

LIVE = Milestoning.LIVE
SECONDS = 10  # a container has 30
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' FROM generate_series(1, 50) n"
CHANGE = "UPDATE t SET word = 'new' WHERE id = 1"
# A view in the place of the table that gives its rows one by one, slowly.
SLOW = """
    ALTER TABLE t RENAME TO t_rows;
    CREATE VIEW t AS SELECT id, word || left(pg_sleep(1)::text, 0) AS word FROM t_rows;
"""
# A statement begins with the comment that explains it.
IN_A_SLOW_COPY = r"SELECT 1 FROM pg_stat_activity WHERE query ~ '(^|\n)COPY ' AND wait_event = 'PgSleep'"


@pytest.fixture
def start(merging, tmp_path):
    children = []

    def begin(case, *flags):
        children.append(case.start_child(LIVE, tmp_path, "signalled", *flags))
        return children[-1]

    yield begin
    for child in children:
        if child.poll() is None:
            child.kill()
            child.communicate()


def ended(case, child, number, read_result):
    """The result of a job that is sent the signal, and its log."""
    child.send_signal(number)
    output, errors = child.communicate(timeout=SECONDS)
    assert errors == ""
    result = read_result(output)
    assert child.returncode == (1 if result.code is ResultCode.ERROR else 0)
    assert sessions(case) == []
    return result


def sessions(case) -> list[str]:
    """What the job's sessions are still at, on both sides."""
    asked = "SELECT query FROM pg_stat_activity WHERE application_name LIKE 'merge-job%' AND datname = '{}'"
    for _ in range(50):
        left = [row[0] for of in (case.source, case.target) for row in case.query(asked.format(of.name), on=of)]
        if not left:
            break
        time.sleep(0.1)
    return left


def wait_for(case, asked, on=None):
    for _ in range(600):
        if case.query(asked, on=on):
            return
        time.sleep(0.05)
    raise AssertionError(f"it did not come to that: {asked}")


def check_ended_in_order(case, result, number, batch_id):
    assert (result.code, result.retryable) == (ResultCode.ERROR, True)
    assert f"ended by {signal.Signals(number).name}" in result.error
    assert case.batch_rows(LIVE)[-1] == (batch_id, "failed", "signalled")
    [(text, retryable)] = case.query(
        f"SELECT error, retryable FROM yellowlive_batch_metrics WHERE batch_id = {batch_id}"
    )
    assert text == result.error
    assert retryable


@SIGNALS
def test_in_a_long_first_copy(merging, start, read_result, number):
    case = merging(TABLE)
    case.execute(SLOW)
    child = start(case)
    wait_for(case, IN_A_SLOW_COPY, case.source)
    result = ended(case, child, number, read_result)
    check_ended_in_order(case, result, number, 1)
    assert case.versions(LIVE, case.datasets[0]) == []
    case.execute("DROP VIEW t; ALTER TABLE t_rows RENAME TO t")
    case.merge(LIVE)


@SIGNALS
def test_in_a_long_copy_of_a_later_batch(merging, start, read_result, number):
    case = merging(TABLE)
    case.merge(LIVE)
    case.execute(SLOW)
    child = start(case, "--strategy=full")
    wait_for(case, IN_A_SLOW_COPY, case.source)
    result = ended(case, child, number, read_result)
    check_ended_in_order(case, result, number, 2)
    assert case.current_batch(LIVE) == 1
    case.execute("DROP VIEW t; ALTER TABLE t_rows RENAME TO t;" + CHANGE)
    assert case.merge(LIVE).datasets["t"].counts == Counts(0, 1, 0, 49, 50)


@SIGNALS
@pytest.mark.parametrize(
    ("side", "lock"),
    [
        ("source", "LOCK TABLE t IN ACCESS EXCLUSIVE MODE"),
        ("target", 'LOCK TABLE "yellowlive_Store1_t_merge" IN SHARE MODE'),
        ("target", "LOCK TABLE yellowlive_batch_counter IN SHARE MODE"),
    ],
    ids=["before the snapshot", "in the merge", "all merged"],
)
def test_while_another_session_holds_a_lock(merging, start, read_result, number, side, lock):
    case = merging(TABLE)
    case.merge(LIVE)
    case.execute(CHANGE)
    database = getattr(case, side)
    blocked = """SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                 AND application_name LIKE 'merge-job%'"""
    with closing(database.connect()) as other, other.cursor() as cursor:
        cursor.execute(lock)
        child = start(case)
        wait_for(case, blocked, database)
        result = ended(case, child, number, read_result)
    check_ended_in_order(case, result, number, 2)
    assert case.merge(LIVE).datasets["t"].counts == Counts(0, 1, 0, 49, 50)


@SIGNALS
def test_in_the_pause_of_a_time_slice_what_was_committed_is_the_result(merging, start, read_result, number):
    case = merging(TABLE)
    child = start(case, "--time-slice-seconds=600")
    wait_for(case, "SELECT to_regclass('yellowlive_batch_metrics') WHERE to_regclass('yellowlive_batch_metrics') > 0")
    wait_for(case, "SELECT 1 FROM yellowlive_batch_counter WHERE last_result_json ->> 'code' = '0'")
    time.sleep(0.2)
    result = ended(case, child, number, read_result)
    assert (result.code, result.batches, result.error) == (ResultCode.DONE, 1, None)
    assert case.batch_rows(LIVE) == [(1, "committed", "signalled")]


def test_while_another_job_holds_the_stream(merging, start, read_result):
    case = merging(TABLE)
    case.merge(LIVE)
    with closing(case.target.connect()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (stream_lock("public", "yellowlive", "Store1"),))
        child = start(case, "--lock-wait=600")
        wait_for(case, "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'merge-job%signalled'")
        time.sleep(0.5)
        result = ended(case, child, signal.SIGTERM, read_result)
    assert (result.code, result.retryable) == (ResultCode.ERROR, True)
    assert "ended by SIGTERM" in result.error
    assert case.batch_rows(LIVE) == [(1, "committed", "run-1")]


def waits_for_signals(child) -> bool:
    """Whether the process has come so far that a signal to it waits."""
    status = Path(f"/proc/{child.pid}/status").read_text()
    blocked = int(re.search(r"^SigBlk:\s*(\w+)", status, re.MULTILINE)[1], 16)
    return all(blocked >> (number - 1) & 1 for number in (signal.SIGTERM, signal.SIGINT))


def begun(child) -> None:
    while not waits_for_signals(child):
        assert child.poll() is None
        time.sleep(0.001)


@SIGNALS
def test_at_the_very_start_it_waits_until_the_job_can_say_so(merging, start, read_result, number):
    case = merging(TABLE)
    child = start(case)
    begun(child)
    result = ended(case, child, number, read_result)
    assert (result.code, result.retryable) == (ResultCode.ERROR, True)
    assert f"ended by {signal.Signals(number).name}" in result.error
    assert case.batch_rows(LIVE) == []


@SIGNALS
def test_after_the_result_it_is_too_late(merging, tmp_path, number):
    case = merging(TABLE)
    (tmp_path / "sitecustomize.py").write_text("import atexit, time\natexit.register(time.sleep, 1)\n")
    slow_to_end = {**case.environment, "PYTHONPATH": str(tmp_path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(case.command(LIVE, tmp_path, "signalled"), env=slow_to_end, **pipes) as child:
        for line in child.stdout:
            if "DATASURFACE_RESULT_CODE" in line:
                child.send_signal(number)
        assert child.stderr.read() == ""
    assert child.returncode == 0


def test_at_any_moment_between_them_there_is_a_result(merging, start, read_result):
    case = merging(TABLE)
    began, child = time.monotonic(), start(case)
    begun(child)
    of_the_start = time.monotonic() - began
    child.communicate(timeout=SECONDS)
    in_all = time.monotonic() - began - of_the_start
    codes = []
    for moment in range(8):
        case.execute("UPDATE t SET word = word || '.' WHERE id = 1")
        child = start(case)
        begun(child)
        time.sleep(in_all * moment / 7)
        codes.append(ended(case, child, signal.SIGTERM, read_result).code)
    assert codes[0] is ResultCode.ERROR
    case.merge(LIVE)
