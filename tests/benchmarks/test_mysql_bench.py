"""A tiny run of the benchmark of MariaDB: each way of reading is measured, and each target has its row."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.mysql import TARGETS, Measured

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("mariadbd") is None, reason="there is no MariaDB on this machine (mariadbd)")
def test_each_way_of_reading_is_measured(tmp_path):
    found, shown = tmp_path / "new" / "mysql.json", tmp_path / "mysql.md"
    options = ["--rows=200", "--times=1", "--fsync=off", f"--json={found}", f"--markdown={shown}"]
    command = [sys.executable, "-m", "tests.benchmarks.mysql", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(found.read_text())
    strategies = {(row["way"], row["batch"]): row["strategy"] for row in rows if row["kind"] == "measured"}
    assert strategies == {
        **{("values", batch): "full" for batch in ("nothing", "delta", "full")},
        **{("lines", batch): "key_hash_diff" for batch in ("nothing", "delta")},
        **{(way, "first"): "initial" for way in ("values", "lines")},
        ("lines", "full"): "full",
    }
    assert len([row for row in rows if row["kind"] == "target"]) == len(TARGETS)
    assert "| lines |" in shown.read_text()


def test_a_target_is_reached_up_to_its_limit():
    measured = [Measured("lines", "full", "full", 9, seconds, 3.0, 50.0) for seconds in (1.0, 1.1)]
    assert [one["reached"] for row in measured for one in row.targets] == [True, False]
    assert list(Measured("values", "full", "full", 9, 9.0, 3.0, 50.0).targets) == []
