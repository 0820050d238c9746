"""A tiny run of the benchmark of models: that each thing is measured, and a job's start reads no repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.model.measuring import BY_GIT, START, Row, targets

ROOT = Path(__file__).parents[2]


def test_each_thing_is_measured_at_each_size(tmp_path):
    found = tmp_path / "new" / "model.json"
    document = tmp_path / "performance.md"
    options = ["--streams=1", "--streams=3", "--times=1", "--fsync=off", f"--json={found}", f"--markdown={document}"]
    command = [sys.executable, "-m", "tests.benchmarks.model", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [row for row in json.loads(found.read_text()) if row["kind"] == "measured"]
    of_size = {size: [row["what"] for row in rows if row["streams"] == size] for size in (1, 3)}
    assert of_size[1] == of_size[3]
    assert {START, BY_GIT, "validate", "sync, unchanged", "views reconcile, first"} <= set(of_size[1])
    assert all(row["cpu_seconds"] > 0 and row["rss_mb"] > 5 for row in rows)
    assert f"| {START} |" in document.read_text()


def test_a_target_is_reached_up_to_its_limit():
    start, over = Row(10, START, 1.0, 0.25, 45.0), Row(1000, "validate", 1.0, 0.81, 90.0)
    assert [(one.limit, one.reached) for one in targets([start, over])] == [(0.25, True), (45.0, True), (0.8, False)]
    assert targets([start])[0].to_dict() == {
        "kind": "target",
        "name": f"{START}, 10 streams, cpu_seconds",
        "value": 0.25,
        "limit": 0.25,
        "reached": True,
    }
