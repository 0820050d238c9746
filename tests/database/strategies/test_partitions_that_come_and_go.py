"""Partitions come and go: only what has come is read, what has gone is closed, and those that stayed are compared."""

from __future__ import annotations

import random
import re

import pytest

from config_schema.model import Milestoning

LIVE = Milestoning.LIVE
DAYS = """
    CREATE TABLE t (id int, day int, word text, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
    CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);
    CREATE TABLE t3 PARTITION OF t FOR VALUES IN (3);
    INSERT INTO t SELECT n, 1 + n % 3, repeat('w', n % 50) FROM generate_series(1, 900) n
"""
NEW = (
    "CREATE TABLE t4 PARTITION OF t FOR VALUES IN (4); INSERT INTO t SELECT n, 4, 'new' FROM generate_series(1, 100) n"
)
# What happens between two batches, and the reason of a full one after it, none if it is no full one.
CHANGES = {
    "one comes": (NEW, None),
    "one comes empty": ("CREATE TABLE t4 PARTITION OF t FOR VALUES IN (4)", None),
    "one goes": ("DROP TABLE t2", None),
    "one is detached": ("ALTER TABLE t DETACH PARTITION t2; UPDATE t2 SET word = 'not seen'", None),
    "one is detached, changed, and comes back": (
        """ALTER TABLE t DETACH PARTITION t2; UPDATE t2 SET word = 'seen' WHERE id < 50;
           ALTER TABLE t ATTACH PARTITION t2 FOR VALUES IN (2)""",
        None,
    ),
    "one with rows is attached": (
        """CREATE TABLE t4 (word text, gone int, day int NOT NULL, id int NOT NULL); ALTER TABLE t4 DROP gone;
           INSERT INTO t4 SELECT 'w', 4, n FROM generate_series(1, 200) n;
           ALTER TABLE t ATTACH PARTITION t4 FOR VALUES IN (4)""",
        None,
    ),
    "the oldest goes, one comes, others change, rows move": (
        f"DROP TABLE t1; {NEW}; UPDATE t SET word = 'x' WHERE id < 30; UPDATE t SET day = 4, id = -id WHERE id > 880",
        None,
    ),
    "rows move out of one that goes": ("UPDATE t SET day = 3 WHERE day = 2; DROP TABLE t2", None),
    "one is made again": (
        """DROP TABLE t2; CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2); INSERT INTO t VALUES (2, 2)""",
        None,
    ),
    "one is truncated": ("TRUNCATE t2; INSERT INTO t VALUES (2, 2, 'again')", "the table was rewritten"),
    "one comes, and one that stayed is written again": (
        f"{NEW}; CLUSTER t2 USING t2_pkey",
        "the table is another one, or its partitions have changed",
    ),
    "one comes, and one that stayed has another default": (
        f"{NEW}; ALTER TABLE t2 ALTER word SET DEFAULT 'other'",
        "the table is another one, or its partitions have changed",
    ),
    "all are others": (
        "DROP TABLE t1, t2, t3; CREATE TABLE t9 PARTITION OF t DEFAULT; INSERT INTO t VALUES (1, 1, 'w'), (3, 3, 'w')",
        "the table is another one, or its partitions have changed",
    ),
}


@pytest.mark.parametrize(("change", "reason"), CHANGES.values(), ids=CHANGES.keys())
def test_only_what_came_or_went_is_read_or_closed(merging, change, reason):
    case = merging(DAYS)
    case.merge(LIVE)
    case.execute(change)
    done = case.merge(LIVE, max_delete_fraction=1).datasets["t"]
    assert (done.strategy, done.reason.partition(" since ")[0]) == (
        ("version_diff", "row versions tell what has changed") if reason is None else ("full", reason)
    )
    case.execute("UPDATE t SET word = 'after' WHERE id % 10 = 1; DELETE FROM t WHERE id % 10 = 2")
    assert case.merge(LIVE, max_delete_fraction=1).datasets["t"].strategy == "version_diff"
    audit = case.run(LIVE, audit_interval=0.000001)
    assert (audit.datasets["t"].strategy, audit.total.changed) == ("full", 0)


def test_partitions_that_stayed_are_not_read(merging, caplog):
    case = merging(DAYS)
    case.run(LIVE)
    caplog.clear()
    case.execute(f"DROP TABLE t1; {NEW}")
    done = case.run(LIVE, max_delete_fraction=1).datasets["t"]
    assert (done.counts.inserted, done.counts.deleted, done.counts.unchanged) == (100, 300, 600)
    assert re.findall(r"copied (\d+) rows", caplog.text) == ["100"]


def test_a_table_that_inherits_comes_and_goes_as_a_partition_does(merging):
    case = merging("CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'w'), (2, 'w')")
    case.merge(LIVE)
    case.execute("CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (7, 'c')")
    assert case.merge(LIVE).datasets["t"].strategy == "version_diff"
    case.execute("ALTER TABLE child NO INHERIT t; UPDATE t SET word = 'x' WHERE id = 1")
    assert case.merge(LIVE).datasets["t"].strategy == "version_diff"


def test_a_map_of_an_older_job_makes_one_full_batch(merging):
    case = merging(DAYS)
    case.run(LIVE)
    case.execute("UPDATE yellowlive_row_maps SET guard = guard - 'leaf_columns'", on=case.target)
    case.execute("UPDATE t SET word = 'x' WHERE id = 5")
    assert case.run(LIVE).datasets["t"].strategy == "version_diff"
    case.execute("UPDATE yellowlive_row_maps SET guard = guard - 'leaf_columns'", on=case.target)
    case.execute(NEW)
    assert case.merge(LIVE).datasets["t"].strategy == "full"
    case.execute("DROP TABLE t4")
    assert case.merge(LIVE).datasets["t"].strategy == "version_diff"


@pytest.mark.parametrize("kind", Milestoning)
def test_random_histories_of_partitions_hold_the_laws(merging, kind):
    chance, case = random.Random(3), merging(DAYS)
    case.merge(kind)
    days, aside, last, taken = [1, 2, 3], [], 3, []
    for _ in range(8):
        for _ in range(chance.randrange(1, 4)):
            day = chance.choice(days)
            match chance.choice(["add", "drop", "detach", "attach", "update", "move", "delete", "vacuum"]):
                case "add":
                    last += 1
                    days.append(last)
                    rows = f"INSERT INTO t SELECT n, {last}, 'd' FROM generate_series(1, {chance.randrange(90)}) n"
                    case.execute(f"CREATE TABLE t{last} PARTITION OF t FOR VALUES IN ({last}); {rows}")
                case "drop" if len(days) > 2:
                    days.remove(day)
                    case.execute(f"DROP TABLE t{day}")
                case "detach" if len(days) > 2:
                    days.remove(day)
                    aside.append(day)
                    case.execute(f"ALTER TABLE t DETACH PARTITION t{day}; UPDATE t{day} SET word = 'a' WHERE id < 40")
                case "attach" if aside:
                    days.append(aside.pop())
                    case.execute(f"ALTER TABLE t ATTACH PARTITION t{days[-1]} FOR VALUES IN ({days[-1]})")
                case "update":
                    case.execute(f"UPDATE t SET word = word || 'u' WHERE id % {chance.randrange(2, 60)} = 1")
                case "move":
                    case.execute(
                        f"UPDATE t SET day = {day} WHERE day = {days[0]} AND id NOT IN (SELECT id FROM t{day})"
                    )
                case "delete":
                    case.execute(f"DELETE FROM t WHERE id BETWEEN {day * 7} AND {day * 7 + 30}")
                case "vacuum":
                    with_it = case.source.connect()
                    with_it.autocommit = True
                    with_it.cursor().execute(f"VACUUM (FREEZE) t{day}")
                    with_it.close()
        taken.append(case.merge(kind, max_delete_fraction=1).datasets["t"].strategy)
    assert set(taken) == {"version_diff"}
