"""A tiny run of the benchmark of the API: that it asks what the pages ask, and gets answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.web.__main__ import ASKED

ROOT = Path(__file__).parents[2]


def test_each_thing_that_the_pages_ask_is_measured(tmp_path):
    options = ["--streams=6", "--batches=60", "--rounds=1", f"--json={tmp_path / 'new' / 'web.json'}"]
    command = [sys.executable, "-m", "tests.benchmarks.web", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    reported = json.loads((tmp_path / "new" / "web.json").read_text())
    assert (reported["streams"], reported["batches"]) == (6, 60)
    assert [row["asked"] for row in reported["answers"]] == list(ASKED)
    assert all(row["fresh_ms"] > 0 and row["bytes"] > 10 for row in reported["answers"])
