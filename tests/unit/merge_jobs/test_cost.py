"""Which of two ways a batch takes, by what they cost: shares of tables that were measured (docs/performance.md)."""

from __future__ import annotations

import pytest

from merge_jobs.strategies.cost import Cost

NARROW, WIDE = 36, 280  # bytes of a row, with those of the block around it


@pytest.mark.parametrize(
    ("width", "share_of_versions", "share_new", "in_full"),
    [
        (NARROW, 0, 0, False),
        (NARROW, 1, 0.0045, True),  # one of each block
        (NARROW, 0.5, 0.0045, False),
        (NARROW, 1, 0.3, True),
        (NARROW, 1, 1, True),
        (NARROW, 0.1, 0.1, False),  # side by side
        (WIDE, 0.45, 0.02, False),
        (WIDE, 1, 0.03, False),  # one of each block
        (WIDE, 1, 0.5, True),
        (WIDE, 1, 1, True),
        (WIDE, 0.1, 0.1, False),
    ],
)
def test_new_versions_are_looked_for_while_that_costs_less(width, share_of_versions, share_new, in_full):
    rows = 1_000_000
    cost = Cost(rows, rows * width, int(rows * share_of_versions), int(rows * share_new))
    assert (cost.in_full < cost.by_versions) == in_full


def test_an_empty_table_costs_nothing():
    assert Cost(0, 0, 0, 0).in_full == Cost(0, 8192, 0, 0).by_versions == 0
