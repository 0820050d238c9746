"""The law of `on_delete: keep`: rows that the source has lost stay, with the batch; all else is as without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from config_schema.model import Milestoning, OnDelete
from merge_jobs.admin.diff import compare
from merge_jobs.strategies.selection import StrategyOption
from tests.database.merge.test_random_histories import (
    OPEN,
    TABLE,
    Truth,
    apply_to_source,
    begin_anew,
    histories,
    run_and_be_killed_after,
)

LIVE, FORENSIC = Milestoning
MERGED = {LIVE: '"yellowlive_Store1_t_merge"', FORENSIC: '"yellowforensic_Store1_t_merge"'}
COLUMNS = "id::text, part, word, amount::text"


class TruthWithKept(Truth):
    """As the truth, with what each batch had of the source, and the rows that it has lost since."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict = {}
        self.at_batch: dict = {}

    def batch(self, round_of_changes):
        before = dict(self.seen)
        counts = super().batch(round_of_changes)
        for key in before.keys() - self.rows.keys():
            self.kept[key] = (before[key], self.last_batch)
        for key in self.rows:
            self.kept.pop(key, None)
        self.at_batch[self.last_batch] = self.source_as_read()
        return counts


def keeping(case, on_delete=OnDelete.KEEP):
    case.datasets = tuple(replace(one, on_delete=on_delete) for one in case.datasets)
    return case


def kept_in(case, kind):
    closed = " AND ds_batch_out = 2147483647" if kind is FORENSIC else ""
    rows = case.query(f"SELECT {COLUMNS}, ds_deleted_in FROM {MERGED[kind]} WHERE ds_deleted_in IS NOT NULL{closed}")
    return {row[:2]: (row[2:4], row[4]) for row in rows}


def in_source(case, kind):
    closed = " AND ds_batch_out = 2147483647" if kind is FORENSIC else ""
    rows = case.query(f"SELECT {COLUMNS} FROM {MERGED[kind]} WHERE ds_deleted_in IS NULL{closed}")
    assert len({row[:2] for row in rows}) == len(rows)
    return {row[:2]: row for row in rows}


@pytest.mark.parametrize("wanted", [StrategyOption.VERSION_DIFF, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
def test_lost_rows_stay_and_counts_are_as_without(merging, wanted):
    case = keeping(merging(TABLE))

    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(histories)
    def follows_the_truth(history):
        begin_anew(case)
        truth = TruthWithKept()
        for number, (round_of_changes, crash) in enumerate(history):
            apply_to_source(case, round_of_changes)
            expected = truth.batch(round_of_changes)
            for kind in Milestoning:
                if crash is not None:
                    run_and_be_killed_after(crash, case, kind, f"round-{number}", wanted)
                result = case.run(kind, f"round-{number}", strategy=wanted, lock_wait=10)
                assert result.datasets["t"].counts == expected
                assert result.datasets["t"].strategy == ("initial" if number == 0 else wanted.value)
                assert in_source(case, kind) == truth.source_as_read()
                kept = {(str(key[0]), key[1]): (row, batch) for key, (row, batch) in truth.kept.items()}
                as_read = {
                    key: ((row[0], "0" if row[1] == "-0" else row[1]), batch) for key, (row, batch) in kept.items()
                }
                assert kept_in(case, kind) == as_read
        # What the table looked like is what the source had, also of rows that it has lost since.
        for batch, rows in truth.at_batch.items():
            found = case.query(f'SELECT {COLUMNS} FROM "yellowforensic_Store1_t_merge_as_of"({batch})')
            assert {row[:2]: row for row in found} == rows
            assert len(found) == len(rows)

    follows_the_truth()


SOME = "INSERT INTO t SELECT n, '', 'x', 1 FROM generate_series(1, 20) n"


@pytest.mark.parametrize("kind", Milestoning)
def test_a_row_that_comes_back_begins_anew(merging, kind):
    case = keeping(merging(TABLE))
    case.execute(SOME)
    case.run(kind)
    case.execute("DELETE FROM t WHERE id = 1")
    case.run(kind)
    case.execute("INSERT INTO t VALUES (1, '', 'x', 1)")
    result = case.run(kind).datasets["t"]
    assert (result.counts.inserted, result.counts.total) == (1, 20)
    assert kept_in(case, kind) == {}
    if kind is FORENSIC:
        found = case.query(
            f"SELECT ds_batch_in, ds_deleted_in, ds_batch_out FROM {MERGED[kind]} WHERE id = 1 ORDER BY 1"
        )
        assert found == [(1, 2, 3), (3, None, OPEN)]


@pytest.mark.parametrize("kind", Milestoning)
def test_it_can_be_switched_on_and_off_later(merging, kind):
    case = merging(TABLE)
    case.execute(SOME)
    case.run(kind)
    keeping(case)
    case.execute("DELETE FROM t WHERE id < 3")
    result = case.run(kind)
    assert result.datasets["t"].strategy == "full"
    assert "the model of the table has changed" in result.datasets["t"].reason
    assert (result.datasets["t"].counts.deleted, result.datasets["t"].counts.total) == (2, 18)
    assert result.shape_changed, "consumers' views get the column"
    assert {key for key, _ in kept_in(case, kind)} == {"1", "2"}
    job = case.job(kind)
    found = compare(job.store, job.source, job.stream, job.stream.datasets, 10)
    assert found.is_equal
    case.execute("DELETE FROM t WHERE id = 3")
    assert case.run(kind).datasets["t"].strategy == "version_diff"
    assert {key for key, _ in kept_in(case, kind)} == {"1", "2", "3"}
    # Without it these go as any others would.
    keeping(case, OnDelete.FOLLOW)
    result = case.run(kind).datasets["t"]
    assert (result.strategy, result.counts.deleted, result.counts.total) == ("full", 3, 17)
    assert kept_in(case, kind) == {}
    case.merge(kind)


def test_diff_before_the_first_batch_that_keeps_compares_as_before(merging):
    case = merging(TABLE)
    case.execute(SOME)
    case.run(LIVE)
    keeping(case)
    job = case.job(LIVE)
    found = compare(job.store, job.source, job.stream, job.stream.datasets, 10)
    assert found.is_equal
    assert "ds_deleted_in integer is new" in str(found.datasets["t"].drift)
