"""Each part of the guard: what gives values without new row versions makes the next batch full, and says why."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from config_schema.model import Column, Milestoning

TABLE = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE t (id int PRIMARY KEY, word text, mood mood, place pair);
INSERT INTO t SELECT n, 'w' || n, 'sad', ROW(n, 'x'::text)::pair FROM generate_series(1, 400) n;
DELETE FROM t WHERE id % 3 = 0
"""
REWRITTEN = "the table was rewritten"
ANOTHER = "the table is another one, or its partitions have changed"
COLUMNS = "the table's columns were changed"
TYPES = "a type of the table was changed"

CASES = {
    "VACUUM FULL": ("VACUUM FULL t", REWRITTEN),
    "CLUSTER": ("CLUSTER t USING t_pkey", REWRITTEN),
    "TRUNCATE and reload": ("CREATE TABLE k AS TABLE t; TRUNCATE t; INSERT INTO t TABLE k", REWRITTEN),
    "a column dropped and added with a default": (
        "ALTER TABLE t DROP COLUMN word; ALTER TABLE t ADD COLUMN word text DEFAULT 'given'",
        COLUMNS,
    ),
    "two columns that exchange their names": (
        "ALTER TABLE t RENAME word TO was; ALTER TABLE t ADD word text DEFAULT 'new'",
        COLUMNS,
    ),
    "another label of an enum": ("ALTER TYPE mood RENAME VALUE 'sad' TO 'low'", TYPES),
    "one more attribute of a composite type": ("ALTER TYPE pair ADD ATTRIBUTE c int CASCADE", TYPES),
    "a table swapped by rename": (
        """CREATE TABLE u (LIKE t INCLUDING ALL); INSERT INTO u SELECT id, word || '!', mood, place FROM t;
           ALTER TABLE t RENAME TO old; ALTER TABLE u RENAME TO t""",
        ANOTHER,
    ),
}


@pytest.fixture
def case(merging):
    made = merging(TABLE)
    made.datasets = tuple(
        replace(d, columns=tuple(Column(c.name, "text" if c.type in ("mood", "pair") else c.type) for c in d.columns))
        for d in made.datasets
    )
    return made


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("of_case", CASES.values(), ids=CASES.keys())
def test_it_makes_the_next_batch_full_and_only_that_one(case, of_case, kind):
    statements, reason = of_case
    case.merge(kind)
    run_outside_of_transactions(case, statements)
    done = case.merge(kind).datasets["t"]
    assert (done.strategy, done.reason) == ("full", f"{reason} since batch 1")
    case.execute(
        "UPDATE t SET word = 'later' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t (id, word) VALUES (3, 'n')"
    )
    done = case.merge(kind).datasets["t"]
    assert done.strategy == "version_diff"
    assert (done.counts.inserted, done.counts.updated, done.counts.deleted) == (1, 1, 1)


def test_a_changed_model_makes_the_next_batch_full(case):
    case.merge(Milestoning.FORENSIC)
    (table,) = case.datasets
    case.datasets = (replace(table, columns=table.columns[:-1]),)
    done = case.merge(Milestoning.FORENSIC).datasets["t"]
    assert (done.strategy, done.reason) == ("full", "the model of the table has changed since batch 1")


PARTITIONED = """
CREATE TABLE t (id int PRIMARY KEY, word text) PARTITION BY RANGE (id);
CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE TABLE t11 PARTITION OF t1 FOR VALUES FROM (0) TO (50);
CREATE TABLE t12 PARTITION OF t1 FOR VALUES FROM (50) TO (100);
CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);
INSERT INTO t SELECT n, 'w' FROM generate_series(1, 199) n
"""


@pytest.mark.parametrize("kind", Milestoning)
def test_partitions_that_come_and_go(merging, kind):
    case = merging(PARTITIONED)
    case.merge(kind)
    for change, strategy in (
        (
            "CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (200) TO (300); INSERT INTO t VALUES (200, 'w')",
            "version_diff",
        ),
        ("ALTER TABLE t DETACH PARTITION t2", "version_diff"),
        ("VACUUM FULL t11", "full"),
    ):
        run_outside_of_transactions(case, change)
        done = case.merge(kind, allow_deletes=True).datasets["t"]
        assert done.strategy == strategy, change
        # A row goes to another partition, and one back into its place.
        case.execute("DELETE FROM t WHERE id = 60; UPDATE t SET id = 60, word = word || '.' WHERE id = 40")
        case.execute("INSERT INTO t VALUES (40, 'new')")
        assert case.merge(kind).datasets["t"].strategy == "version_diff"


def run_outside_of_transactions(case, statements: str) -> None:
    with closing(case.source.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements.split(";"):
            cursor.execute(statement)
