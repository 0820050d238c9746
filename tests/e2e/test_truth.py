"""The demo's check finds what it is there to find."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from airflow_plugin.demo.truth import OPEN, Expected, Merged, differences, expected

KEPT, OLD, NEW, GONE, COME = ("k", 1), ("u", 1), ("u", 2), ("d", 1), ("i", 1)
SOURCE = {row[0]: row for row in (KEPT, NEW, COME)}
BEFORE = Merged({row[0]: row for row in (KEPT, OLD, GONE)}, Counter((row, 1, OPEN) for row in (KEPT, OLD, GONE)))
VERSIONS = Counter([(KEPT, 1, OPEN), (OLD, 1, 2), (GONE, 1, 2), (NEW, 2, OPEN), (COME, 2, OPEN)])
AFTER = Merged(SOURCE, VERSIONS)


def test_counts_are_of_keys():
    assert expected(SOURCE, BEFORE.current) == Expected(inserted=1, updated=1, deleted=1, unchanged=1, total=3)


def test_a_right_merge_differs_in_nothing():
    assert differences(SOURCE, BEFORE, AFTER, 2, forensic=True) == []
    assert differences(SOURCE, BEFORE, replace(AFTER, versions=Counter()), 2, forensic=False) == []


@pytest.mark.parametrize("current", [{}, {**SOURCE, "d": GONE}, {**SOURCE, "u": OLD}])
def test_current_rows_that_are_not_the_sources_are_found(current):
    assert differences(SOURCE, BEFORE, replace(AFTER, current=current), 2, forensic=False)


WRONG = {
    "an update that left no old version": VERSIONS - Counter([(OLD, 1, 2)]),
    "a delete that closed nothing": VERSIONS - Counter([(GONE, 1, 2)]) + Counter([(GONE, 1, OPEN)]),
    "a version written twice": VERSIONS + Counter([(NEW, 2, OPEN)]),
    "an unchanged row with a new version": VERSIONS - Counter([(KEPT, 1, OPEN)]) + Counter([(KEPT, 2, OPEN)]),
    "a version closed by another batch": VERSIONS - Counter([(GONE, 1, 2)]) + Counter([(GONE, 1, 3)]),
    "history written again": VERSIONS - Counter([(OLD, 1, 2)]) + Counter([(OLD, 0, 2)]),
}


@pytest.mark.parametrize("versions", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_history_is_found(versions):
    assert differences(SOURCE, BEFORE, replace(AFTER, versions=versions), 2, forensic=True)
