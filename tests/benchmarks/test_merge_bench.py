"""A tiny run of the benchmark: that it measures everything it says, and that every merge table is as its source."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODES = ("live", "forensic")
ROUNDS = ("delta", "none")
PARTS = ("rows", "mode", "strategy", "round", "ratio_to_copy", "seconds", "rss_mb", "content_ok", "keys", "changes")


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "tests.benchmarks.merge", "--rows=2000"]
    files = [f"--json={folder / 'new' / 'merge.json'}", f"--markdown={folder / 'merge.md'}"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "new" / "merge.json").read_text()), (folder / "merge.md").read_text(), done.stdout


def test_every_merge_table_is_as_its_source(tiny_run):
    rows, _, _ = tiny_run
    assert [row for row in rows if row["content_ok"] is not True] == []


def test_a_row_has_every_part_and_says_which_strategy_ran(tiny_run):
    rows, _, _ = tiny_run
    for row in rows:
        assert row.keys() >= set(PARTS)
        assert row["strategy"] in ("initial", "version_diff", "key_hash_diff", "full")
        assert row["ratio_to_copy"] > 0
        assert row["rss_mb"] > 0


def test_every_combination_is_measured_once(tiny_run):
    rows, _, _ = tiny_run
    strategies = ("version_diff", "key_hash_diff", "full")
    wanted = [
        *itertools.product(("int",), ("scattered",), MODES, strategies, ROUNDS),
        *itertools.product(("int",), ("clustered",), MODES, ("version_diff",), ROUNDS),
        *itertools.product(("uuid",), ("scattered",), MODES, ("version_diff",), ROUNDS),
        *itertools.product(("int", "uuid"), ("none",), MODES, ("initial",), ("initial",)),
    ]
    measured = [(row["keys"], row["changes"], row["mode"], row["asked"], row["round"]) for row in rows]
    assert sorted(measured) == sorted(wanted)


def test_the_tables_name_the_peers_the_targets_and_the_server(tiny_run):
    rows, text, shown = tiny_run
    assert text.count("\n| 2,000 |") == len(rows)
    assert "| live | initial | initial |" in text
    assert "fsync on" in text
    assert "ingestr" in shown
