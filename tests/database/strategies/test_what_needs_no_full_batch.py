"""What a producer does every day: version diff follows it without reading more than it must."""

from __future__ import annotations

from contextlib import closing

import pytest

from config_schema.model import Milestoning
from merge_jobs.strategies import version_diff

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = """
CREATE TABLE t (id int PRIMARY KEY, word text, long text) WITH (fillfactor = 70);
ALTER TABLE t ALTER long SET STORAGE EXTERNAL;
INSERT INTO t SELECT n, 'w' || n, repeat(md5(n::text), 100) FROM generate_series(1, 600) n
"""

CASES = {
    "one key deleted and inserted in one transaction": (
        "BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 'again'); COMMIT",
        (0, 1, 0),
    ),
    "one key deleted and inserted as it was": (
        "BEGIN; CREATE TEMP TABLE k AS SELECT * FROM t WHERE id = 1; DELETE FROM t WHERE id = 1; "
        "INSERT INTO t TABLE k; COMMIT",
        (0, 0, 0),
    ),
    "a savepoint rolled back": (
        "BEGIN; SAVEPOINT a; UPDATE t SET word = 'no' WHERE id < 50; ROLLBACK TO a; "
        "UPDATE t SET word = 'yes' WHERE id = 3; RELEASE a; INSERT INTO t VALUES (1000, 'x'); COMMIT",
        (1, 1, 0),
    ),
    "a transaction rolled back": ("BEGIN; DELETE FROM t; INSERT INTO t VALUES (1, 'no'); ROLLBACK", (0, 0, 0)),
    "rows locked, by one and by several": (
        "BEGIN; SELECT * FROM t FOR UPDATE; COMMIT; BEGIN; SELECT * FROM t FOR KEY SHARE; SAVEPOINT a; "
        "SELECT * FROM t WHERE id < 9 FOR UPDATE; COMMIT",
        (0, 0, 0),
    ),
    "VACUUM and FREEZE": ("DELETE FROM t WHERE id % 7 = 0; VACUUM t; VACUUM FREEZE t", (0, 0, 85)),
    "space that is used again": (
        "DELETE FROM t WHERE id > 300; VACUUM t; INSERT INTO t SELECT n, 'b' FROM generate_series(301, 400) n",
        (0, 100, 200),
    ),
    "chains of versions within a block": (
        "UPDATE t SET word = word || 1; UPDATE t SET word = word || 2 WHERE id < 20; SELECT count(*) FROM t; VACUUM t",
        (0, 600, 0),
    ),
    "only what is stored out of line": (
        "UPDATE t SET long = repeat('y', 4000) WHERE id = 5; UPDATE t SET word = 'z' WHERE id = 6",
        (0, 2, 0),
    ),
    "updates that change nothing": ("UPDATE t SET word = word", (0, 0, 0)),
    "keys that change places": ("UPDATE t SET id = -id WHERE id < 3; UPDATE t SET id = 3 + id WHERE id < 0", (0, 2, 0)),
    "a table that shrinks": ("DELETE FROM t WHERE id > 10; VACUUM t", (0, 0, 590)),
    "another table is rewritten": ("CREATE TABLE o (a int); INSERT INTO o VALUES (1); VACUUM FULL o", (0, 0, 0)),
    "an index comes": ("CREATE INDEX ON t (word); ANALYZE t", (0, 0, 0)),
}


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("of_case", CASES.values(), ids=CASES.keys())
def test_it_is_followed_by_row_versions(merging, monkeypatch, of_case, kind):
    monkeypatch.setattr(version_diff, "BLOCKS_AT_ONCE", 3)  # windows of all kinds: first, inner, last
    monkeypatch.setattr(version_diff, "VERSIONS_AT_ONCE", 7)
    statements, expected = of_case
    case = merging(TABLE)
    case.merge(kind)
    with closing(case.source.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements.split(";"):
            cursor.execute(statement)
    done = case.merge(kind, allow_deletes=True).datasets["t"]
    assert done.strategy == "version_diff"
    assert (done.counts.inserted, done.counts.updated, done.counts.deleted) == expected


@pytest.mark.parametrize("kind", Milestoning)
def test_a_transaction_that_is_open_over_two_batches_is_seen_when_it_commits(merging, kind):
    case = merging(TABLE)
    with closing(case.source.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (1000, 'early'); UPDATE t SET word = 'early' WHERE id = 1")
        case.merge(kind)
        case.execute("INSERT INTO t VALUES (1001, 'late'); UPDATE t SET word = 'late' WHERE id = 2")
        case.merge(kind)
        connection.commit()
    done = case.merge(kind).datasets["t"]
    assert done.strategy == "version_diff"
    assert (done.counts.inserted, done.counts.updated) == (1, 1)


@pytest.mark.parametrize("kind", Milestoning)
def test_children_that_inherit_are_read_table_by_table(merging, kind):
    case = merging(
        """CREATE TABLE t (id int PRIMARY KEY, word text);
           CREATE TABLE child (PRIMARY KEY (id), more text) INHERITS (t);
           INSERT INTO t SELECT n, 'p' FROM generate_series(1, 9) n;
           INSERT INTO child SELECT n, 'c' FROM generate_series(11, 19) n"""
    )
    case.datasets = tuple(dataset for dataset in case.datasets if dataset.name == "t")
    case.merge(kind)
    # The same address and the same transaction in both tables.
    case.execute(
        """UPDATE t SET word = 'new' WHERE id IN (1, 11); DELETE FROM ONLY t WHERE id = 2;
           DELETE FROM child WHERE id = 12"""
    )
    done = case.merge(kind).datasets["t"]
    assert (done.strategy, done.counts.updated, done.counts.deleted) == ("version_diff", 2, 2)
