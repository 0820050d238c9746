"""A tiny run of the latency benchmark, without Airflow: that it measures what it says, and how it counts."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_plugin.demo.rounds import PLATFORMS
from tests.benchmarks.latency.latency_report import COMMAND, Result
from tests.benchmarks.latency.measuring import Seen, percentile
from tests.benchmarks.tables import marks

ROOT = Path(__file__).parents[2]
LIVE = PLATFORMS[0]


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    (folder / "latency.md").write_text("before\n{}\nold\n{}\nafter\n".format(*marks(COMMAND)))
    options = ["--minutes=0.05", "--tick=2", "--time-slice=0", "--time-slice=1", "--interval=0.2"]
    files = [f"--json={folder / 'new' / 'latency.json'}", f"--markdown={folder / 'latency.md'}"]
    command = [sys.executable, "-m", "tests.benchmarks.latency", *options, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "new" / "latency.json").read_text()), (folder / "latency.md").read_text()


def test_every_change_is_seen_on_each_platform_with_and_without_a_time_slice(tiny_run):
    reported, _ = tiny_run
    results = reported["results"]
    assert [(one["platform"], one["time_slice_seconds"]) for one in results] == [
        (platform.original, seconds) for seconds in (0, 1) for platform in PLATFORMS
    ]
    for one in results:
        assert one["changes"] > 0
        assert one["never_seen"] == 0
        assert 0 < one["p50"] <= one["p95"] <= one["max"]


def test_the_table_stands_between_its_marks_and_says_who_ran_the_jobs(tiny_run):
    _, text = tiny_run
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "\nold\n" not in text
    assert "| 1 | YellowForensic |" in text
    assert "no Airflow: threads" in text


def test_a_change_is_seen_when_it_or_a_later_one_is():
    seen = Seen(LIVE, newest=[(11.0, 0), (15.0, 2)])
    assert seen.latencies([10.0, 12.0, 14.5, 16.0]) == [1.0, 3.0, 0.5]
    reported = Result.of(50, 60, [10.0, 12.0, 14.5, 16.0], seen, {})
    assert (reported.changes, reported.never_seen, reported.p50, reported.max) == (4, 1, 1.0, 3.0)


def test_a_gap_is_between_the_last_look_of_a_run_and_the_first_of_the_next():
    looks = [("one", 1), ("one", 2), ("two", 12), ("two", 13), ("three", 15)]
    seen = Seen(LIVE, looks=[(run, datetime.fromtimestamp(second, UTC)) for run, second in looks])
    assert seen.gaps() == [10, 2]


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 50), (95, 95), (99.5, 100), (100, 100)])
def test_a_percentile_is_a_value_that_was_measured(percent, value):
    assert percentile(range(1, 101), percent) == value
