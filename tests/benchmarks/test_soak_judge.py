"""The soak's judge: it passes what is as the simulator wrote it down, and finds each thing that is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_plugin.demo.truth import OPEN, TABLES
from merge_jobs.simulator.change import ChangeKind, CustomerChange, Delete, Insert, Update
from tests.benchmarks.soak.history import History, digest
from tests.benchmarks.soak.judge import Batch, Evidence, Look, findings

SECOND = 1_000_000_000  # the history's first
CITY = TABLES["addresses"].index("city")


def address(key, city):
    return (key, "C1", "Road 1", city, "BE", "3000")


def at(second):
    return datetime.fromtimestamp(SECOND + second, UTC)


def change(row):
    return CustomerChange(ChangeKind.UPDATE_ADDRESS, "A1", (row,))


@pytest.fixture
def good():
    """A1 moves to Berne, Basle and Chur, A2 comes and goes; the batches see it in Berne, and in Chur without A2."""
    history = History({"customers": {}, "addresses": {"A1": address("A1", "Aarau")}})
    new = dict(zip(TABLES["addresses"], address("A2", "Olten"), strict=True))
    rows = [
        Update("addresses", "A1", {"city": "Berne"}),
        Insert("addresses", new),
        Update("addresses", "A1", {"city": "Basle"}),
        Delete("addresses", "A2"),
        Update("addresses", "A1", {"city": "Chur"}),
    ]
    for second, row in enumerate(rows, 1):
        history.changes.append(change(row))
        history.known.append(SECOND + second)
    versions = [
        (address("A1", "Berne"), 1, 2),
        (address("A2", "Olten"), 1, 2),
        (address("A1", "Chur"), 2, OPEN),
    ]
    batches = [Batch(1, at(2), at(2.5), (2, 0, 0, 2)), Batch(2, at(5), at(6), (0, 1, 1, 1))]
    end = {"customers": {}, "addresses": {"A1": address("A1", "Chur")}}
    looks = [Look(SECOND + number, SECOND + number + 0.1, history.digests()[number]) for number in (2, 3, 5)]
    return Evidence(history, end, {"live": end}, {"customers": [], "addresses": versions}, batches, looks)


def with_versions(evidence, *versions):
    return replace(evidence, versions={"customers": [], "addresses": list(versions)})


def with_batches(evidence, *batches):
    return replace(evidence, batches=batches)


def test_what_is_as_it_was_written_down_passes_though_no_batch_saw_basle(good):
    assert findings(good) == []


def test_a_digest_knows_a_row_that_stands_there_twice(good):
    once = {"customers": {}, "addresses": {"A1": address("A1", "Chur")}}
    twice = {"customers": {}, "addresses": {"A1": address("A1", "Chur"), "again": address("A1", "Chur")}}
    assert good.history.digests()[-1] == digest(once)
    assert digest(twice) not in (digest(once), digest({"customers": {}, "addresses": {}}))


@pytest.mark.parametrize(
    ("city", "came", "went"), [("Aarau", 1, 2), ("Thun", 1, 2), ("Chur", 1, 2)], ids=["before", "never", "at the end"]
)
def test_a_version_of_another_time_than_its_batch_is_found(good, city, came, went):
    others = [version for version in good.versions["addresses"] if version[0][CITY] != "Berne"]
    found = findings(with_versions(good, (address("A1", city), came, went), *others))
    assert any(one.startswith("batch 1: it held what the source never was between its changes 2 and") for one in found)


def test_two_tables_of_two_moments_are_found(good):
    """Each row was in the source, but never both at one moment."""
    berne, olten, chur = good.versions["addresses"]
    found = findings(with_versions(good, berne, (olten[0], 1, OPEN), chur))
    assert any(one.startswith("batch 2: it held what the source never was") for one in found)


def test_a_lost_version_and_an_extra_one_are_found(good):
    berne, _, chur = good.versions["addresses"]
    assert any("1 rows are missing and 0 are extra" in one for one in findings(with_versions(good, berne, chur)))
    more = (address("A3", "Thun"), 2, OPEN)
    assert any(
        "0 rows are missing and 1 are extra" in one
        for one in findings(with_versions(good, *good.versions["addresses"], more))
    )


def test_a_version_that_no_batch_made_is_found(good):
    more = (address("A3", "Thun"), 3, 3)
    found = findings(with_versions(good, *good.versions["addresses"], more))
    assert found == ["addresses: a version from batch 3 to 3, which no batch made"]


def test_an_update_that_changed_nothing_is_found(good):
    berne, olten, chur = good.versions["addresses"]
    halves = (chur[0], 2, 3), (chur[0], 3, OPEN)
    third = Batch(3, at(6), at(7), (0, 0, 0, 1))
    found = findings(with_batches(with_versions(good, berne, olten, *halves), *good.batches, third))
    assert found == ["addresses: batch 3 made a version that is as the one before"]


def test_two_versions_of_a_key_at_once_are_found(good):
    berne, olten, chur = good.versions["addresses"]
    found = findings(with_versions(good, (berne[0], 1, OPEN), olten, chur))
    assert "addresses: two versions of a key in batch 2" in found


def test_counts_that_are_not_what_the_batch_did_are_found(good):
    first, second = good.batches
    found = findings(with_batches(good, first, replace(second, counts=(0, 2, 1, 1))))
    assert found == [
        "batch 2: it reports (0, 2, 1, 1) as inserted, updated, deleted, total, and did (0, 1, 1, 1)",
    ]


def test_a_snapshot_that_is_older_than_its_time_says_is_found(good):
    first, second = good.batches
    found = findings(with_batches(good, replace(first, taken=at(3.5), ended=at(3.6)), second))
    assert any(
        one.startswith("batch 1: it held what the source never was between its changes 3 and 4") for one in found
    )


def test_a_source_a_table_and_a_view_that_are_not_as_written_down_are_found(good):
    other = {"customers": {}, "addresses": {"A1": address("A1", "Basle"), "A3": address("A3", "Thun")}}
    empty = {"customers": {}, "addresses": {}}
    found = findings(replace(good, source=other, current={"live": empty}))
    assert found == [
        "the source: addresses: 0 rows lost, 1 extra, 1 differ",
        "live: addresses: 1 rows lost, 0 extra, 0 differ",
    ]


def test_a_look_that_goes_back_in_time_or_ahead_of_the_source_is_found(good):
    back = [good.looks[1], good.looks[0]]
    ahead = [replace(good.looks[2], began=SECOND + 1, ended=SECOND + 1.1)]
    assert len(findings(replace(good, looks=back))) == 1
    assert len(findings(replace(good, looks=ahead))) == 1
