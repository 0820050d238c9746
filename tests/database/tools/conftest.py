"""Operators' commands as they are typed, and streams that are in the state that an operator finds them in."""

from __future__ import annotations

import signal
import time
from contextlib import closing

import pytest

from config_schema import names
from config_schema.model import Milestoning
from tests.database.merge.producers import maria, producer  # noqa: F401
from tests.warm_python import run_module

PLATFORM = {Milestoning.LIVE: "YellowLive", Milestoning.FORENSIC: "YellowForensic"}
SECONDS = 30
WAITING = """SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
             AND application_name LIKE 'merge-job%'"""
HOLDING = """SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'merge-job%'"""


@pytest.fixture
def merge_job(tmp_path):
    """Run `merge-job COMMAND` with the model of a case: `merge_job(case, "status")`."""

    def run(case, command, *flags, environment=None):
        case.command(Milestoning.LIVE, tmp_path, "none")  # writes the model
        given = case.environment if environment is None else environment
        done = run_module("merge_jobs", command, *flags, f"--model={tmp_path}", env=given)
        assert "Traceback" not in done.stderr
        for password in (case.source.password, case.target.password):
            assert password not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def left_ingested(tmp_path):
    """Leave a batch ingested: its job, run `killed`, is killed while it waits for a lock of its last statement."""

    def kill(case, kind, *flags):
        table = names.batch_counter_table(names.platform_name(PLATFORM[kind]))
        with closing(case.target.connect()) as other, other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
            child = case.start_child(kind, tmp_path, "killed", *flags)
            try:
                wait_until(lambda: case.query(WAITING))
            finally:
                child.send_signal(signal.SIGKILL)
                child.communicate(timeout=SECONDS)
        wait_until(lambda: not case.query(HOLDING))  # the server ends its session, which holds the stream

    return kill


def wait_until(true):
    give_up = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.05)
