"""What row versions cannot find is found by the hashes of its rows, or in whole, and the reason is said."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from config_schema.model import Column, Dataset, Milestoning

ROWS = """CREATE TABLE t (id int PRIMARY KEY, a text, b text);
          INSERT INTO t SELECT n, 'a' || n, 'b' FROM generate_series(1, 50) n"""
CHANGE = """UPDATE t SET a = NULL WHERE id = 1; UPDATE t SET a = '' WHERE id = 2; DELETE FROM t WHERE id = 3;
            INSERT INTO t VALUES (99)"""
UNSTABLE = "it has columns of type money, or of types that name objects"
CASES = {
    "a view": ("CREATE VIEW v AS SELECT * FROM t", "", "v is no plain table"),
    "a materialized view": (
        "CREATE MATERIALIZED VIEW v AS SELECT * FROM t",
        "REFRESH MATERIALIZED VIEW v",
        "v is no plain table",
    ),
    "row security that spares the job's user": (
        "CREATE VIEW v AS SELECT 1; DROP VIEW v; ALTER TABLE t RENAME TO v; ALTER TABLE v ENABLE ROW LEVEL SECURITY; "
        "CREATE VIEW t AS SELECT * FROM v",
        "",
        "v has row security",
    ),
}


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("of_case", CASES.values(), ids=CASES.keys())
def test_it_is_read_by_hashes(merging, of_case, kind):
    prepared, after, reason = of_case
    case = merging(f"{ROWS}; {prepared}")
    case.datasets = (Dataset("v", (Column("id", "integer"), Column("a", "text"), Column("b", "text")), ("id",)),)
    case.merge(kind)
    case.execute(f"{CHANGE}; {after}")
    done = case.merge(kind).datasets["v"]
    assert (done.strategy, done.reason) == ("key_hash_diff", reason)
    assert (done.counts.inserted, done.counts.updated, done.counts.deleted) == (1, 2, 1)


@pytest.mark.parametrize("kind", Milestoning)
def test_a_foreign_table(merging, new_database, kind):
    case, far = merging(ROWS), new_database("far")
    case.execute(ROWS, on=far)
    with closing(psycopg2.connect(case.source.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            f"""CREATE EXTENSION postgres_fdw;
                CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw
                    OPTIONS (host '{far.server.host}', port '{far.server.port}', dbname '{far.name}');
                CREATE USER MAPPING FOR {case.source.user} SERVER far OPTIONS (user '{far.user}', password %s);
                CREATE FOREIGN TABLE f (id int, a text, b text) SERVER far OPTIONS (table_name 't');
                GRANT SELECT ON f TO {case.source.user}""",
            [far.password],
        )
    case.datasets = (replace(case.datasets[0], name="f"),)
    case.merge(kind)
    case.execute(CHANGE, on=far)
    done = case.merge(kind).datasets["f"]
    assert (done.strategy, done.reason, done.counts.updated) == ("key_hash_diff", "f is no plain table", 2)


@pytest.mark.parametrize(
    ("column", "change", "reason"),
    [
        ("cost money", "UPDATE t SET cost = 2::money", UNSTABLE),
        ("kin regclass", "UPDATE t SET kin = 't'", UNSTABLE),
        (
            "n int GENERATED ALWAYS AS (id * 2) VIRTUAL",
            "UPDATE t SET id = 0 WHERE id = 1",
            "it has virtual generated columns",
        ),
    ],
)
def test_columns_whose_values_may_change_without_a_new_version(merging, major_version, column, change, reason):
    if "VIRTUAL" in column and major_version < 18:
        pytest.skip(f"PostgreSQL {major_version} has no virtual generated columns")
    case = merging(
        f"CREATE TABLE t (id int PRIMARY KEY, {column}); INSERT INTO t SELECT n FROM generate_series(1, 5) n"
    )
    (table,) = case.datasets
    as_text = tuple(replace(one, type="text") if one.type == "regclass" else one for one in table.columns)
    case.datasets = (replace(table, columns=as_text),)
    case.merge(Milestoning.FORENSIC)
    case.execute(change)
    done = case.merge(Milestoning.FORENSIC).datasets["t"]
    assert (done.strategy, done.reason) == ("key_hash_diff", reason)
    assert done.counts.changed


def test_an_array_as_a_key_is_compared_in_whole(merging):
    case = merging("CREATE TABLE t (id int[] PRIMARY KEY, v int); INSERT INTO t VALUES ('{1}', 1), ('{1,2}', 2)")
    case.merge(Milestoning.LIVE)
    case.execute("UPDATE t SET v = 3 WHERE id = '{1}'")
    done = case.merge(Milestoning.LIVE).datasets["t"]
    assert (done.strategy, done.reason) == ("full", "its key has an array or a composite type")
