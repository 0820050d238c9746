"""What the demo starts ends with it, whatever it has made of itself meanwhile."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from airflow_plugin.demo.processes import Processes

# Each grandchild ignores TERM, and its parent ends at TERM without a thought for it.
PARENT = """
import pathlib, signal, subprocess, sys
child = [sys.executable, "-c", sys.argv[1]]
options = {"env": {"PATH": ""}, "start_new_session": sys.argv[2] == "own session"}
print(subprocess.Popen(child, **options).pid, flush=True)
signal.pause()
"""
GRANDCHILD = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""
POLITE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print(1, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("session", ["parent's session", "own session"])
def test_a_grandchild_that_hides_its_origin_ends_with_the_demo(tmp_path, session):
    processes = Processes(tmp_path)
    command = [sys.executable, "-c", PARENT, GRANDCHILD, session]
    processes.start("parent", command, dict(os.environ))
    grandchild = psutil.Process(first_number(processes.log_of("parent")))
    processes.end()
    assert not runs(grandchild)


def test_a_child_that_has_time_to_end_is_not_killed(tmp_path):
    processes = Processes(tmp_path)
    polite = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print(1, flush=True); time.sleep(600)"
    )
    child = processes.start("polite", [sys.executable, "-c", polite], dict(os.environ))
    first_number(processes.log_of("polite"))
    processes.end()
    assert child.returncode == 7


def first_number(log: Path) -> int:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        if log.exists() and (text := log.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.05)
    raise AssertionError("the child said nothing")


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
