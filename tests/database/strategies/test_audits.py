"""Audits: a full batch holds the row map against what it finds, and puts version diff off if it missed a change."""

from __future__ import annotations

import pytest

from config_schema.model import Milestoning
from merge_jobs.admin.trust import trust_again
from merge_jobs.errors import MapWrong
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables

TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' FROM generate_series(1, 400) n"
ALWAYS = 1e-6  # seconds: every batch is in another interval than the last one
NEVER = 0


@pytest.fixture(params=Milestoning)
def kind(request):
    return request.param


@pytest.fixture
def case(merging, kind):
    made = merging(TABLE)
    made.run(kind)
    return made


def run(case, kind, audit_interval):
    done = case.run(kind, audit_interval=audit_interval).datasets["t"]
    (dataset,) = case.datasets
    assert case.open_rows(kind, dataset) == case.source_rows(dataset)
    return done


def tamper(case, kind, statement):
    """Change the merge table or the row map behind the job's back: `{merge}` and `{map}`."""
    job = case.job(kind)
    (dataset,) = job.stream.datasets
    with MergeStore(job.store, job.stream, "tamper") as store:
        tables = DatasetTables(store, dataset)
        statement = statement.format(merge=f'"{tables.merge_name}"', map=f'"{tables.map_name}"')
    case.execute(statement, case.target)


def test_an_audit_that_finds_nothing_says_so(case, kind, caplog):
    case.execute("UPDATE t SET word = 'new' WHERE id = 7; DELETE FROM t WHERE id = 8; INSERT INTO t VALUES (401, 'n')")
    done = run(case, kind, ALWAYS)
    assert done.strategy == "full"
    assert done.reason.startswith("an audit, as the last full batch was at ")
    assert (done.counts.inserted, done.counts.updated, done.counts.deleted) == (1, 1, 1)
    assert "the audit found nothing that version diff would have missed" in caplog.text
    assert run(case, kind, NEVER).strategy == "version_diff"


def test_an_audit_that_finds_missed_changes_merges_them_and_puts_version_diff_off(case, kind, caplog):
    tamper(case, kind, "UPDATE {merge} SET word = 'wrong' WHERE id <= 3")
    case.execute("UPDATE t SET word = 'new' WHERE id = 300")  # which the map would have found
    done = run(case, kind, ALWAYS)
    assert (done.strategy, done.counts.updated) == ("full", 4)
    reason = "an audit found 3 changes that it would have missed"
    assert f"version diff is off until an operator clears it: {reason}" in caplog.text
    assert run(case, kind, NEVER).reason == "its map is for version_diff"
    case.execute("UPDATE t SET word = 'newer' WHERE id = 300")
    done = run(case, kind, NEVER)
    assert (done.strategy, done.reason) == ("key_hash_diff", f"version diff is off: {reason}")

    job = case.job(kind)
    assert trust_again(job.store, job.stream, job.stream.datasets) == {"t": {MapKind.VERSIONS: reason}}
    assert run(case, kind, NEVER).strategy == "full", "row versions are to be mapped first"
    assert run(case, kind, NEVER).strategy == "version_diff"


def test_a_map_that_does_not_add_up_fails_the_batch_and_makes_the_next_one_full(case, kind):
    tamper(case, kind, "DELETE FROM {merge} WHERE id = 3")
    case.execute("UPDATE t SET word = 'new' WHERE id = 300")
    with pytest.raises(MapWrong) as caught:
        case.run(kind, audit_interval=NEVER)
    assert caught.value.retryable
    done = run(case, kind, NEVER)
    assert (done.strategy, done.reason) == ("full", "there is no map of its rows")
    assert (done.counts.inserted, done.counts.updated) == (1, 1)
    assert run(case, kind, NEVER).strategy == "version_diff"
