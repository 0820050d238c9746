"""Audits: once in an interval every row is compared, and what a row map would have missed is told."""

from __future__ import annotations

from config_schema.model import Milestoning
from merge_jobs.row_maps import MapKind

FORENSIC = Milestoning.FORENSIC
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' FROM generate_series(1, 20) n"
MISSED = "an audit found 3 changes that it would have missed"
SOON = 0.001  # seconds: an audit is due at each batch


def test_an_audit_that_finds_nothing_says_so(merging, caplog):
    case = merging(TABLE)
    case.merge(FORENSIC)
    case.execute("UPDATE t SET word = 'new' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (21, 'x')")
    done = case.merge(FORENSIC, audit_interval=SOON).datasets["t"]
    assert done.strategy == "full"
    assert done.reason.startswith("an audit, as the last full batch was at ")
    assert "the audit found nothing that version diff would have missed" in caplog.text
    case.execute("UPDATE t SET word = 'newer' WHERE id = 1")
    assert case.merge(FORENSIC).datasets["t"].strategy == "version_diff"


def test_an_audit_that_finds_missed_changes_merges_them_and_takes_the_trust_away(merging, caplog):
    case = merging(TABLE)
    case.merge(FORENSIC)
    # As if changes had been made behind the source's back: the merge table is not what its map says.
    case.execute(
        """UPDATE "yellowforensic_Store1_t_merge" SET word = 'wrong' WHERE id IN (3, 4);
           DELETE FROM "yellowforensic_Store1_t_merge" WHERE id = 5""",
        on=case.target,
    )
    case.execute("UPDATE t SET word = 'new' WHERE id = 1")
    done = case.merge(FORENSIC, audit_interval=SOON).datasets["t"]
    assert (done.strategy, done.counts.updated, done.counts.inserted) == ("full", 3, 1)
    assert (
        "version diff is off until an operator clears it: an audit found 3 changes that it would have missed"
        in caplog.text
    )
    case.execute("UPDATE t SET word = 'newer' WHERE id = 1")
    case.merge(FORENSIC)
    case.execute("UPDATE t SET word = 'newest' WHERE id = 1")
    done = case.merge(FORENSIC).datasets["t"]
    assert (done.strategy, done.reason) == (
        MapKind.KEY_HASHES.value,
        f"version diff is off: {MISSED}",
    )


def test_a_map_that_does_not_add_up_makes_the_next_batch_full(merging):
    import pytest

    from merge_jobs.errors import MapWrong

    case = merging(TABLE)
    case.merge(FORENSIC)
    case.execute('DELETE FROM "yellowforensic_Store1_t_merge" WHERE id = 5', on=case.target)
    case.execute("UPDATE t SET word = 'new' WHERE id = 1")
    with pytest.raises(MapWrong) as caught:
        case.run(FORENSIC)
    assert caught.value.retryable
    done = case.merge(FORENSIC).datasets["t"]
    assert (done.strategy, done.reason) == ("full", "there is no map of its rows")
    assert (done.counts.updated, done.counts.inserted) == (1, 1)
