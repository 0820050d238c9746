"""A tiny run of the benchmark of first loads: that each number of connections has its row, and its targets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.load import CONNECTIONS, Loaded
from tests.benchmarks.quotas import Quotas

ROOT = Path(__file__).parents[2]


def test_each_number_of_connections_is_measured(tmp_path):
    found, shown = tmp_path / "new" / "load.json", tmp_path / "load.md"
    options = ["--rows=2000", "--quota=0", "--settings=as they come", "--fsync=off", f"--json={found}"]
    command = [sys.executable, "-m", "tests.benchmarks.load", *options, f"--markdown={shown}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(found.read_text())
    assert [row["connections"] for row in rows if row["kind"] == "measured"] == list(CONNECTIONS)
    assert all(row["content_ok"] for row in rows if row["kind"] == "measured")
    assert len([row for row in rows if row["kind"] == "target"]) == 2
    assert "| as they come | 4 |" in shown.read_text()


def test_a_target_is_reached_up_to_its_limit():
    reached = Loaded("as they come", 4, 9, 0.4, 2.0, 1.0, 80.0, True)
    missed = Loaded("as they come", 4, 9, 0.5, 2.0, 1.0, 81.0, True)
    assert [one["reached"] for row in (reached, missed) for one in row.targets] == [True, True, False, False]
    assert list(Loaded("as they come", 1, 9, 9.0, 9.0, 1.0, 900.0, True).targets) == []


def test_a_process_gets_the_part_of_a_core_that_it_is_given():
    if not Quotas(0.125).works:
        pytest.skip("control groups cannot be made here")
    quotas = Quotas(0.125)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with quotas.of_server(os.getpid()):
            quotas.limit(child.pid, quotas.quota)
            (group,) = quotas.made
            assert str(child.pid) in (group / "cgroup.procs").read_text().split()
            child.communicate(b"\n", timeout=300)
        assert not group.exists()
    finally:
        child.kill()
