"""What needs no full batch: version diff follows it, and the laws hold."""

from __future__ import annotations

from contextlib import closing

import pytest

from config_schema.model import Milestoning
from merge_jobs.strategies import version_diff

TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' FROM generate_series(1, 400) n"
LIVE = Milestoning.LIVE

CASES = {
    "a key deleted and inserted in one transaction": [
        "BEGIN; DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, 'again'); COMMIT"
    ],
    "savepoints rolled back": [
        """BEGIN; SAVEPOINT a; UPDATE t SET word = 'never' WHERE id = 1; ROLLBACK TO a; SAVEPOINT b;
           UPDATE t SET word = 'nor this' WHERE id = 2; RELEASE b; DELETE FROM t WHERE id = 3; ROLLBACK TO a; COMMIT"""
    ],
    "a savepoint kept": ["BEGIN; SAVEPOINT a; UPDATE t SET word = 'kept' WHERE id = 2; RELEASE a; COMMIT"],
    "updates in place and pruning": ["UPDATE t SET word = 'hot' WHERE id % 50 = 0", "VACUUM t"],
    "freezing": ["UPDATE t SET word = 'cold' WHERE id = 5", "VACUUM (FREEZE) t"],
    "row locks": [
        "BEGIN; SELECT FROM t WHERE id < 9 FOR KEY SHARE; SAVEPOINT a; SELECT FROM t WHERE id < 9 FOR UPDATE; COMMIT"
    ],
    "an update of a long value": [
        "UPDATE t SET word = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 900) n) WHERE id = 4"
    ],
    "an update to the same values": ["UPDATE t SET word = word"],
    "rows that move between blocks": ["UPDATE t SET word = repeat('x', 1500) WHERE id < 30"],
    "a table that grows": ["INSERT INTO t SELECT n, repeat('y', 500) FROM generate_series(500, 900) n"],
    "a table that is cut off at its end": ["DELETE FROM t WHERE id > 250", "VACUUM t"],
    "all rows gone": ["DELETE FROM t", "VACUUM t"],
    "keys exchanged": ["BEGIN; UPDATE t SET id = -id WHERE id < 9; UPDATE t SET id = 9 + id WHERE id < 0; COMMIT"],
}


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("changes", CASES.values(), ids=CASES.keys())
def test_version_diff_follows_it(merging, monkeypatch, changes, kind):
    monkeypatch.setattr(version_diff, "BLOCKS_AT_ONCE", 2)
    case = merging(TABLE)
    case.merge(kind)
    apply(case, changes)
    assert case.merge(kind, allow_deletes=True).datasets["t"].strategy == "version_diff"
    apply(case, ["INSERT INTO t VALUES (1000, 'more')"])
    assert case.merge(kind).datasets["t"].strategy == "version_diff"


def test_an_update_to_the_same_values_is_read_once_only(merging, caplog):
    case = merging(TABLE)
    case.merge(LIVE)
    case.execute("UPDATE t SET word = word WHERE id = 7")
    assert case.run(LIVE).total.changed == 0
    assert "copied 1 rows" in caplog.text
    caplog.clear()
    assert case.run(LIVE).total.changed == 0
    assert "0 of " in caplog.text
    assert "copied 1 rows" not in caplog.text, "the map follows what is not merged, too"


def test_a_row_of_a_transaction_that_was_open_over_two_batches(merging):
    case = merging(TABLE)
    case.merge(LIVE)
    with closing(case.source.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (1000, 'late'); UPDATE t SET word = 'late' WHERE id = 9")
        case.execute("UPDATE t SET word = 'early' WHERE id = 10")
        assert case.merge(LIVE).datasets["t"].counts.changed == 1
        connection.commit()
    done = case.merge(LIVE).datasets["t"]
    assert (done.strategy, done.counts.inserted, done.counts.updated) == ("version_diff", 1, 1)


def test_inherited_rows_are_read_of_the_table_that_has_them(merging):
    case = merging(TABLE + "; CREATE TABLE child (PRIMARY KEY (id)) INHERITS (t); INSERT INTO child VALUES (1000, 'c')")
    case.datasets = tuple(dataset for dataset in case.datasets if dataset.name == "t")
    case.merge(LIVE)
    case.execute(
        "UPDATE child SET word = 'changed'; INSERT INTO child VALUES (1001, 'c'); DELETE FROM ONLY t WHERE id = 1"
    )
    done = case.merge(LIVE).datasets["t"]
    assert done.strategy == "version_diff"
    assert (done.counts.inserted, done.counts.updated, done.counts.deleted) == (1, 1, 1)


@pytest.mark.parametrize("column", ["block", "tid", "xid", "leaf", "ctid_", "camelCase", "key_1", "ds_tid"])
def test_a_key_column_of_any_name(merging, column):
    case = merging(f'CREATE TABLE t ("{column}" int PRIMARY KEY, word text)')
    case.execute("INSERT INTO t SELECT n, 'w' FROM generate_series(1, 50) n")
    case.merge(LIVE)
    case.execute(f"""UPDATE t SET word = 'new' WHERE "{column}" = 7; DELETE FROM t WHERE "{column}" = 8""")
    assert case.merge(LIVE).datasets["t"].strategy == "version_diff"


def apply(case, statements) -> None:
    with closing(case.source.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)
