"""Once a batch knows how much has changed it reads all rows where that costs less than to find the new ones."""

from __future__ import annotations

import random
import re

import pytest

from config_schema.model import Milestoning
from merge_jobs.strategies import version_diff
from merge_jobs.strategies.selection import StrategyOption

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLES = """
    CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 1000) n;
    CREATE TABLE u (leaf text PRIMARY KEY, block int); INSERT INTO u SELECT n, n FROM generate_series(1, 1000) n
"""


@pytest.fixture
def case(merging, monkeypatch):
    monkeypatch.setattr(version_diff, "LEAST_SAVING", 0.0)  # as if a small table were worth it
    return merging(TABLES)


def strategies(result) -> dict[str, str]:
    return {name: of.strategy for name, of in result.datasets.items()}


@pytest.mark.parametrize("kind", Milestoning)
def test_where_much_has_changed_all_rows_are_read_and_others_of_the_batch_are_not(case, kind):
    case.merge(kind)
    case.execute("UPDATE t SET v = v + 1; DELETE FROM t WHERE id > 990; UPDATE u SET block = 0 WHERE leaf = '5'")
    result = case.merge(kind)
    assert strategies(result) == {"t": "full", "u": "version_diff"}
    reason = result.datasets["t"].reason
    words = r"(\d+) of \1 blocks have changed, with about 990 new rows of 990: to read all rows takes less .*"
    assert re.fullmatch(words, reason)
    case.execute("UPDATE t SET v = 0 WHERE id = 3")
    result = case.merge(kind)
    assert strategies(result) == {"t": "version_diff", "u": "version_diff"}
    assert result.datasets["t"].reason == "row versions tell what has changed"


def test_small_savings_are_not_worth_it_and_what_is_asked_for_is_done(case, monkeypatch):
    case.merge(LIVE)
    case.execute("UPDATE t SET v = v + 1")
    assert strategies(case.merge(LIVE, strategy=StrategyOption.VERSION_DIFF))["t"] == "version_diff"
    monkeypatch.undo()
    case.execute("UPDATE t SET v = v + 1")
    assert strategies(case.merge(LIVE))["t"] == "version_diff"


def test_what_counts_as_new_is_what_the_map_does_not_have_after_looks_that_found_nothing_too(case, caplog):
    case.merge(LIVE)
    for _ in range(3):
        case.execute("CREATE TABLE x (); DROP TABLE x")  # transactions that change nothing of it
        case.run(LIVE)
    case.execute("UPDATE t SET v = -1 WHERE id <= 10")
    caplog.clear()
    case.run(LIVE)
    assert "full" not in caplog.text
    case.execute("UPDATE t SET v = -2 WHERE id <= 700")
    assert "with about 700 new rows of 1000" in case.run(LIVE).datasets["t"].reason


@pytest.mark.parametrize("kind", Milestoning)
def test_whichever_way_is_taken_the_laws_hold(case, monkeypatch, kind):
    chance = random.Random(7)
    monkeypatch.setattr(version_diff, "_why_in_full", lambda state: chance.choice([None, "so it fell"]))
    case.merge(kind)
    taken = set()
    for _ in range(8):
        low = chance.randrange(900)
        case.execute(
            f"""UPDATE t SET v = v + 1 WHERE id % {chance.randrange(2, 90)} = 0; DELETE FROM u WHERE block = {low};
                UPDATE u SET leaf = leaf || 'x' WHERE block > {low}; INSERT INTO t VALUES ({-low} - 1, 0)
                ON CONFLICT DO NOTHING; DELETE FROM t WHERE id BETWEEN {low} AND {low + 20}"""
        )
        taken |= set(strategies(case.merge(kind, max_delete_fraction=1)).values())
    assert taken == {"full", "version_diff"}
