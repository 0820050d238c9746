"""A tiny run of the benchmark of APIs: that both sides are run, and each target has its row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.rest import Load

ROOT = Path(__file__).parents[2]


def test_an_api_is_loaded_and_compared_with_dlts_extraction(tmp_path):
    found, shown = tmp_path / "new" / "rest.json", tmp_path / "rest.md"
    options = ["--records=2500", "--times=1", "--fsync=off", f"--json={found}", f"--markdown={shown}"]
    command = [sys.executable, "-m", "tests.benchmarks.rest", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(found.read_text())
    assert [(row["what"], row["records"]) for row in rows if row["kind"] == "measured"] == [
        ("ours", 2500),
        ("dlt extract", 2500),
    ]
    assert len([row for row in rows if row["kind"] == "target"]) == 2
    assert "| ours |" in shown.read_text()


def test_a_target_is_reached_up_to_its_limit():
    reached, missed = Load("ours", 9, 1.3, 1.0, 1.0, 200.0), Load("ours", 9, 1.4, 1.0, 1.0, 201.0)
    assert [one["reached"] for row in (reached, missed) for one in row.targets] == [True, True, False, False]
    assert list(Load("dlt extract", 9, 9.0, 1.0, 1.0, 900.0).targets) == []
