"""A tiny run of the factory's benchmark: that it measures everything it says, of DAGs that are what they should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.factory.dag_factory_package import NotInstalledError, dag_factory

ROOT = Path(__file__).parents[2]
OURS = ("ours", "ours_same_operators")
STREAMS = 3
STANDING = ("--standing=bundle", "--idle-seconds=2", "--changes=1")


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    options = [f"--streams={STREAMS}", "--once", "--passes=ours", "--fsync=off", *STANDING]
    files = [f"--json={folder / 'new' / 'factory.json'}", f"--markdown={folder / 'factory.md'}"]
    command = [sys.executable, "-m", "tests.benchmarks.factory", *options, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "new" / "factory.json").read_text()), (folder / "factory.md").read_text()


def phases(rows, kind):
    return {row["phase"] for row in rows if row["kind"] == kind}


def test_each_way_is_measured_or_says_why_not(tiny_run):
    rows, text = tiny_run
    of_all = {"import", "read", "build", "serialise", "memory", "worker"}
    for kind in (*OURS, "static"):
        assert phases(rows, kind) >= of_all
    if phases(rows, "dag_factory") == {"not measured"}:
        assert "dag-factory 1.1.0 was not measured: it cannot be installed here" in text
    else:
        assert phases(rows, "dag_factory") >= of_all
    assert text.count(f"\n| {STREAMS} |") == len({row["kind"] for row in rows if row["phase"] == "read"}) >= 3


def test_of_ours_the_own_share_and_a_parse_that_finds_nothing_changed_are_distinguished(tiny_run):
    rows, _ = tiny_run
    assert "worker_of_bundle" in phases(rows, "ours")
    for kind in OURS:
        assert phases(rows, kind) >= {"own", "judge", "keep", "own_again", "read_again"}


def test_a_pass_of_the_dag_processor_stores_every_dag(tiny_run):
    rows, _ = tiny_run
    (done,) = (row for row in rows if row["phase"] == "pass")
    assert (done["kind"], done["stored"], done["import_errors"]) == ("ours", STREAMS, [])
    assert done["seconds"] > done["file_seconds"] > 0


def test_a_dag_processor_that_goes_on_is_measured_while_nothing_changes_and_over_a_change(tiny_run):
    rows, text = tiny_run
    assert phases(rows, "bundle") == {"first pass", "idle", "change one"}
    (idle,) = (row for row in rows if row["phase"] == "idle")
    (first,) = (row for row in rows if row["phase"] == "first pass")
    (change,) = (row for row in rows if row["phase"] == "change one")
    assert idle["cores"] > 0
    assert first["seconds"] > 0
    assert 0 < change["p95"] < 120
    assert f"At {STREAMS} streams, bundle, a dag-processor that goes on" in text


def test_where_dag_factory_cannot_be_installed_the_reason_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.benchmarks.factory.dag_factory_package.VERSION", "no.such.version")
    with pytest.raises(NotInstalledError, match=r"it cannot be installed here: .+"):
        dag_factory(tmp_path / "apart")
