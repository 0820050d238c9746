"""Random histories with everything that may happen to a feed: every version is as the source had it at a batch."""

from __future__ import annotations

from collections import Counter

from tests.database.feeds.histories import PUBLICATION, TABLES, follow

HISTORIES = 3


def test_random_histories_are_followed_exactly(feeding):
    case = feeding(TABLES, PUBLICATION)
    case.datasets = tuple(one for one in case.datasets if one.name in ("t", "u", "w"))
    happened = Counter[str]()
    for seed in range(HISTORIES):
        happened += follow(case, seed)
    assert happened["by change_feed"] > happened.total() / 50
