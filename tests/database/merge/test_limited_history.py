"""The law of `keep_closed_days`: versions that were closed longer ago are gone, all else is as without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config_schema.model import Milestoning
from merge_jobs.stores.postgres import retention
from merge_jobs.strategies.selection import StrategyOption
from tests.database.merge.test_random_histories import OPEN, TABLE, Truth, apply_to_source, begin_anew, changes

LIVE, FORENSIC = Milestoning
DAYS = 3
# What is changed in a round, and how many days pass before the next one.
histories = st.lists(st.tuples(changes, st.integers(0, 2)), min_size=2, max_size=6)


@pytest.fixture
def case(merging):
    made = merging(TABLE)
    made.datasets = tuple(replace(one, keep_closed_days=DAYS) for one in made.datasets)
    return made


def days_pass(case, days) -> None:
    case.execute(
        f"""UPDATE yellowforensic_batch_metrics SET batch_start_time = batch_start_time - interval '{days} days',
                batch_end_time = batch_end_time - interval '{days} days'""",
        on=case.target,
    )


def test_versions_go_when_they_were_closed_long_ago_and_no_others_do(case):
    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(histories)
    def follows_the_truth(history):
        begin_anew(case)
        truth, ages = Truth(), {}
        for number, (round_of_changes, days) in enumerate(history):
            apply_to_source(case, round_of_changes)
            expected = truth.batch(round_of_changes)
            result = case.run(FORENSIC, f"round-{number}")
            assert result.datasets["t"].counts == expected
            assert result.batch_id == truth.last_batch
            ages.setdefault(truth.last_batch, 0)
            old = {batch for batch, age in ages.items() if age > DAYS}
            truth.versions = [version for version in truth.versions if version[3] not in old]
            [dataset] = case.datasets
            assert sorted(case.versions(FORENSIC, dataset), key=repr) == truth.versions_as_read()
            # A day and a bit: never at the edge.
            days_pass(case, days * 1.1)
            ages = {batch: age + days * 1.1 for batch, age in ages.items()}

    follows_the_truth()


def closed(case) -> int:
    return sum(until != OPEN for *_, (_, until) in case.versions(FORENSIC, case.datasets[0]))


def test_a_batch_deletes_a_bounded_number_and_the_next_ones_the_rest(case, monkeypatch, caplog):
    case.execute("INSERT INTO t SELECT n, '', 'x', 1 FROM generate_series(1, 10) n")
    case.run(FORENSIC)
    case.execute("UPDATE t SET word = 'y'")
    case.run(FORENSIC)
    days_pass(case, DAYS + 1)
    monkeypatch.setattr(retention, "AT_ONCE", 6)
    assert closed(case) == 10
    assert case.run(FORENSIC).batches == 0, "it is no batch"
    assert closed(case) == 4
    assert "deleted 6 versions that were closed more than 3 days ago" in caplog.text
    case.run(FORENSIC)
    assert closed(case) == 0
    case.merge(FORENSIC)


def test_a_live_table_has_nothing_to_forget(case):
    case.execute("INSERT INTO t VALUES (1, '', 'x', 1)")
    case.merge(LIVE)
    case.execute("UPDATE t SET word = 'y'")
    case.merge(LIVE)


def test_a_dry_run_forgets_nothing(case):
    case.execute("INSERT INTO t VALUES (1, '', 'x', 1)")
    case.run(FORENSIC)
    case.execute("UPDATE t SET word = 'y'")
    case.run(FORENSIC)
    days_pass(case, DAYS + 1)
    case.run(FORENSIC, dry_run=True)
    assert closed(case) == 1
    case.run(FORENSIC, strategy=StrategyOption.FULL)
    assert closed(case) == 0
