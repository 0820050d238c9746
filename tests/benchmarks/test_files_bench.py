"""A tiny run of the benchmark of files: that each format is loaded, and each target has its row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.files import FORMATS, OF_TARGETS, Measured

ROOT = Path(__file__).parents[2]


def test_each_format_is_loaded_and_compared(tmp_path):
    found, shown = tmp_path / "new" / "files.json", tmp_path / "files.md"
    options = ["--rows=200", "--times=1", "--fsync=off", f"--json={found}", f"--markdown={shown}"]
    command = [sys.executable, "-m", "tests.benchmarks.files", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(found.read_text())
    assert [row["format"] for row in rows if row["kind"] == "measured"] == list(FORMATS)
    assert len([row for row in rows if row["kind"] == "target"]) == 2 * len(OF_TARGETS)
    assert "| csv |" in shown.read_text()


def test_a_target_is_reached_up_to_its_limit():
    reached, missed = Measured("csv", 9, 1.8, 1.0, 200.0), Measured("parquet", 9, 1.9, 1.0, 201.0)
    assert [one["reached"] for row in (reached, missed) for one in row.targets] == [True, True, False, False]
    assert list(Measured("jsonl", 9, 9.0, 1.0, 900.0).targets) == []
