"""What makes a row map untrustworthy, fact by fact, and the 64 bits of a transaction's number."""

from __future__ import annotations

import pytest

from merge_jobs.strategies.guard import (
    FACTS,
    POSITIONS,
    WRAP,
    broken,
    meaning_changed,
    next_transaction,
)

PARTS = (
    *("system", "server_version", "database", "timeline", "started", "stats_reset"),
    *("model", "leaves", "files", "columns", "types"),
)
POSITIONS_OF_IT = ("wal", "transaction")
BEFORE = {**dict.fromkeys(PARTS, "as it was"), "wal": 1000, "transaction": 700}


def test_what_is_as_it_was_is_trusted():
    assert broken(BEFORE, dict(BEFORE)) is None
    assert meaning_changed(BEFORE, dict(BEFORE)) is None


@pytest.mark.parametrize("fact", PARTS)
def test_each_fact_that_changes_is_the_reason_said(fact):
    assert broken(BEFORE, {**BEFORE, fact: "another"}) == FACTS[fact]


@pytest.mark.parametrize("fact", PARTS)
def test_a_fact_that_was_not_written_down_is_in_doubt(fact):
    before = {name: value for name, value in BEFORE.items() if name != fact}
    assert broken(before, BEFORE) == FACTS[fact]


@pytest.mark.parametrize("position", POSITIONS_OF_IT)
def test_positions_go_on_and_never_back(position):
    assert broken(BEFORE, {**BEFORE, position: BEFORE[position] + 1}) is None
    assert broken(BEFORE, {**BEFORE, position: BEFORE[position] - 1}) == POSITIONS[position]


def test_hashes_hold_wherever_the_rows_are_but_not_for_another_model():
    elsewhere = {fact: "another" for fact in PARTS if fact not in ("model", "columns")}
    assert meaning_changed(BEFORE, {**BEFORE, **elsewhere, "wal": 0, "transaction": 0}) is None
    for fact in ("model", "columns"):
        assert meaning_changed(BEFORE, {**BEFORE, fact: "another"}) == FACTS[fact]


def age_of_third(of_next: int) -> int:
    """What PostgreSQL gives for age('3') while `of_next` is the next transaction: a signed difference of 32 bits."""
    difference = (of_next - 3) % WRAP
    return difference - WRAP if difference >= WRAP // 2 else difference


@pytest.mark.parametrize("ahead", [0, 1, 5, 100_000])
@pytest.mark.parametrize(
    "at_least",
    [3, 4, 750, WRAP // 2 - 1, WRAP // 2 + 2, WRAP // 2 + 3, WRAP - 1, WRAP, WRAP + 3, 7 * WRAP - 2, 7 * WRAP + 9],
)
def test_the_next_transaction_is_computed_from_its_lower_half_over_every_wrap(at_least, ahead):
    assert next_transaction(at_least, age_of_third(at_least + ahead)) == at_least + ahead
