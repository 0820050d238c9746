"""Partitions and children in every state that the catalogue knows: a batch reads what a query on the parent reads."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from config_schema.model import Milestoning

LIVE = Milestoning.LIVE
TREE = """
CREATE TABLE t (id int PRIMARY KEY, word text) PARTITION BY RANGE (id);
CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (200) PARTITION BY RANGE (id);
CREATE TABLE t11 PARTITION OF t1 FOR VALUES FROM (0) TO (100);
CREATE TABLE t12 PARTITION OF t1 FOR VALUES FROM (100) TO (200);
CREATE TABLE t2 PARTITION OF t DEFAULT;
INSERT INTO t SELECT n, 'w' FROM generate_series(1, 120) n;
"""
CHANGE = "UPDATE t SET word = 'new' WHERE id = 7; DELETE FROM t WHERE id = 8"


def as_superuser(case, *statements: str) -> None:
    with closing(psycopg2.connect(case.source.superuser_dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)


def detach_is_cancelled(case, parent: str, partition: str) -> None:
    """Leave a DETACH CONCURRENTLY pending: it waits for a reader, and is cancelled."""
    with closing(case.source.connect()) as reader, reader.cursor() as reading:
        reading.execute(f"SELECT count(*) FROM {parent}")
        with closing(case.source.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute(f"ALTER TABLE {parent} DETACH PARTITION {partition} CONCURRENTLY")
    pending = f"SELECT count(*) FROM pg_inherits WHERE inhdetachpending AND inhrelid = '{partition}'::regclass"
    assert case.query(pending, on=case.source) == [(1,)]


@pytest.mark.parametrize("partition", ["t12", "t1"])
def test_a_partition_whose_detach_is_pending_is_no_part_of_its_parent(merging, partition):
    case = merging(TREE)
    # No partition is detached concurrently beside a default partition.
    case.execute("DROP TABLE t2; INSERT INTO t SELECT n, 'w' FROM generate_series(121, 150) n")
    parent = "t1" if partition == "t12" else "t"
    if partition == "t1":
        case.execute("CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (200) TO (300); INSERT INTO t VALUES (200, 'w')")
    case.merge(LIVE, max_delete_fraction=1)
    detach_is_cancelled(case, parent, partition)
    done = case.merge(LIVE, max_delete_fraction=1).datasets["t"]
    assert done.strategy == "version_diff"
    assert done.counts.deleted == (51 if partition == "t12" else 150)
    case.execute("UPDATE t12 SET word = 'not seen'")
    done = case.merge(LIVE).datasets["t"]
    assert (done.strategy, done.counts.changed) == ("version_diff", 0)
    case.execute(f"ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE")
    done = case.merge(LIVE).datasets["t"]
    assert (done.strategy, done.counts.changed) == ("version_diff", 0)


def test_a_temporary_child_of_another_session_is_not_read(merging):
    case = merging("CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'w'), (7, 'w'), (8, 'w')")
    with closing(case.source.connect()) as other, other.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE child () INHERITS (t); INSERT INTO child VALUES (99, 'mine')")
        other.commit()
        case.merge(LIVE)
        case.execute(CHANGE)
        done = case.merge(LIVE).datasets["t"]
    assert (done.strategy, done.counts.updated, done.counts.deleted) == ("version_diff", 1, 1)
    done = case.merge(LIVE).datasets["t"]
    assert (done.strategy, done.counts.changed) == ("version_diff", 0)


RIGHTS = {
    "no USAGE on the schema of a partition": "ALTER TABLE t12 SET SCHEMA hidden",
    "no SELECT on a partition": "ALTER TABLE t12 OWNER TO postgres; REVOKE ALL ON t12 FROM {user}",
    "SELECT on columns of a partition": (
        "ALTER TABLE t12 OWNER TO postgres; REVOKE ALL ON t12 FROM {user}; GRANT SELECT (id, word) ON t12 TO {user}"
    ),
}


@pytest.mark.parametrize("rights", RIGHTS.values(), ids=RIGHTS.keys())
def test_a_partition_that_only_its_parent_lets_read_takes_hashes(merging, rights):
    case = merging(TREE)
    case.merge(LIVE)
    as_superuser(
        case,
        "CREATE SCHEMA hidden; REVOKE ALL ON SCHEMA hidden FROM public",
        rights.format(user=case.source.user),
    )
    for change in (CHANGE, "UPDATE t SET word = 'again' WHERE id > 99"):
        case.execute(change)
        done = case.merge(LIVE).datasets["t"]
    assert (done.strategy, done.reason) == ("key_hash_diff", "the job's user may not read t12 itself")
    assert done.counts.updated == 21


def test_a_partition_that_is_a_foreign_table_takes_hashes(merging, new_database):
    case, far = merging(TREE), new_database("far")
    case.execute("CREATE TABLE f (id int, word text); INSERT INTO f VALUES (250, 'far')", on=far)
    password = far.password.replace("'", "''")
    as_superuser(
        case,
        "CREATE EXTENSION postgres_fdw",
        f"CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw "
        f"OPTIONS (host '{far.server.host}', port '{far.server.port}', dbname '{far.name}')",
        f"CREATE USER MAPPING FOR {case.source.user} SERVER far OPTIONS (user '{far.user}', password '{password}')",
        f"GRANT USAGE ON FOREIGN SERVER far TO {case.source.user}",
    )
    case.merge(LIVE)
    # A foreign table cannot be a partition below a unique index: the parent of such a tree has none.
    case.execute(
        "ALTER TABLE t DROP CONSTRAINT t_pkey; "
        "CREATE FOREIGN TABLE t3 PARTITION OF t FOR VALUES FROM (200) TO (300) SERVER far OPTIONS (table_name 'f')"
    )
    assert case.merge(LIVE).datasets["t"].counts.inserted == 1
    case.execute("UPDATE f SET word = 'farther'", on=far)
    done = case.merge(LIVE).datasets["t"]
    assert (done.strategy, done.reason) == ("key_hash_diff", "t3 is no plain table")
    assert done.counts.updated == 1


def test_rows_that_move_between_a_default_partition_and_one_that_is_attached_are_followed(merging):
    case = merging(TREE)
    case.execute("INSERT INTO t SELECT n, 'w' FROM generate_series(201, 260) n")
    case.merge(LIVE)
    case.execute("UPDATE t SET id = 300 WHERE id = 5; UPDATE t SET id = 6000 WHERE id = 6")
    assert case.merge(LIVE).datasets["t"].strategy == "version_diff"
    case.execute(
        "CREATE TABLE t3 (id int NOT NULL, word text, CHECK (id >= 200 AND id < 400)); "
        "WITH moved AS (DELETE FROM t2 WHERE id < 400 RETURNING *) INSERT INTO t3 SELECT * FROM moved; "
        "ALTER TABLE t ATTACH PARTITION t3 FOR VALUES FROM (200) TO (400)"
    )
    done = case.merge(LIVE).datasets["t"]
    assert (done.strategy, done.counts.changed) == ("version_diff", 0)
    case.execute("UPDATE t SET word = 'attached' WHERE id = 201")
    done = case.merge(LIVE).datasets["t"]
    assert (done.strategy, done.counts.updated) == ("version_diff", 1)
