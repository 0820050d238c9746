"""A batch that is tried: it says what the next one would do, and leaves the merge store as it was."""

from __future__ import annotations

import json
import logging
import subprocess

import pytest

from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.errors import TooManyDeletes

KINDS = list(Milestoning)
TABLES = """
    CREATE TABLE t (id int PRIMARY KEY, word text);
    INSERT INTO t SELECT n, 'word' FROM generate_series(1, 200) n;
    CREATE TABLE u (id int PRIMARY KEY);
    INSERT INTO u VALUES (1), (2);
"""


@pytest.fixture
def case(merging):
    return merging(TABLES)


def everything(case) -> dict[str, list[tuple]]:
    """Return the rows of every table of the merge store, with where each row is: one that was written again differs."""
    tables = case.query("SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND c.oid >= 16384")
    columns = case.query(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute WHERE attnum > 0 AND attrelid >= 16384"
    )
    return {name: case.query(f"SELECT ctid, t::text FROM {name} t ORDER BY 1") for (name,) in tables} | {
        "columns": sorted(columns)
    }


def changed(case) -> None:
    case.execute(
        "INSERT INTO t VALUES (201, 'new'); UPDATE t SET word = 'other' WHERE id < 4; DELETE FROM t WHERE id = 9"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_before_the_first_load_it_counts_every_row_and_makes_no_table(case, kind):
    tried = case.run(kind, dry_run=True)
    assert (tried.datasets["t"].counts, tried.datasets["t"].strategy) == (Counts(200, 0, 0, 0, 200), "initial")
    assert set(everything(case)) == {"columns"}
    assert case.run(kind).datasets["t"].counts == tried.datasets["t"].counts


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_the_next_batch_does_and_changes_nothing(case, kind):
    case.run(kind)
    changed(case)
    before = everything(case)
    tried = [case.run(kind, dry_run=True) for _ in range(2)]
    assert everything(case) == before
    done = case.run(kind)
    assert done.datasets["t"].counts == Counts(1, 3, 1, 196, 200)
    for one in tried:
        assert (one.batch_id, one.batches) == (done.batch_id, done.batches) == (2, 1)
        assert {name: (of.counts, of.strategy) for name, of in one.datasets.items()} == {
            name: (of.counts, of.strategy) for name, of in done.datasets.items()
        }
    assert case.run(kind, dry_run=True).batches == 0


def test_a_changed_model_is_said_and_alters_no_table(case, caplog):
    kind = Milestoning.LIVE
    case.run(kind)
    case.execute("ALTER TABLE t ADD COLUMN note text")
    case.describe()
    before = everything(case)
    with caplog.at_level(logging.INFO):
        tried = case.run(kind, dry_run=True)
    assert "column note text is new" in caplog.text
    assert tried.shape_changed
    assert everything(case) == before


def test_a_batch_that_would_be_refused_is_not_noted_as_failed(case):
    kind = Milestoning.LIVE
    case.run(kind)
    case.execute("DELETE FROM t")
    before = everything(case)
    with pytest.raises(TooManyDeletes):
        case.run(kind, dry_run=True)
    assert everything(case) == before


def test_what_a_killed_job_left_ingested_is_what_would_be_applied_and_stays(case, tmp_path, left_ingested):
    kind = Milestoning.LIVE
    case.run(kind)
    changed(case)
    left_ingested(case, kind)
    before = everything(case)
    assert case.run(kind, dry_run=True).datasets["t"].counts.inserted == 1
    assert everything(case) == before
    assert case.run(kind).datasets["t"].counts.inserted == 1


def test_the_command_says_it_in_words_or_json_and_not_as_a_result(case, tmp_path):
    kind = Milestoning.LIVE
    case.run(kind)
    changed(case)

    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        command = case.command(kind, tmp_path, "any", "--dry-run", *flags)
        return subprocess.run(command, env=case.environment, capture_output=True, text=True, timeout=60, check=False)

    said = run()
    assert (said.returncode, said.stderr) == (0, "")
    assert "DATASURFACE_RESULT" not in said.stdout
    assert "YellowLive Store1: batch 2 would be committed, of " in said.stdout
    counts = "1 inserted, 3 updated, 1 deleted, 196 unchanged, 200 total"
    assert f"  t: {counts}; version_diff: row versions tell what has changed" in said.stdout.splitlines()
    as_json = json.loads(run("--log-format=json").stdout.splitlines()[-1])
    assert (as_json["dry_run"], as_json["datasets"]["t"]["counts"]["updated"]) == (True, 3)
    assert case.run(kind).datasets["t"].counts.inserted == 1
    assert "a batch would find nothing new since batch 2; nothing was written" in run().stdout
    case.execute("DELETE FROM t")
    refused = run()
    assert (refused.returncode, "a batch would fail: " in refused.stdout) == (1, True)
