"""What a forensic merge table looked like at a batch and at a time, held against what the source was then."""

from __future__ import annotations

import random
import re
import time
from contextlib import closing
from datetime import datetime, timedelta

import psycopg2
import pytest
from psycopg2 import sql

from config_schema.model import Milestoning
from merge_jobs.errors import NotOurs, StillUsed
from merge_jobs.strategies.selection import StrategyOption

FORENSIC, LIVE = Milestoning.FORENSIC, Milestoning.LIVE
AS_OF = "yellowforensic_Store1_t_merge_as_of"
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' || n FROM generate_series(1, 30) n"


def as_of(case, at, where="true", columns="*", name=AS_OF):
    """The rows of a batch or of a time; in whole, as tuples."""
    kind = sql.SQL("timestamptz" if isinstance(at, datetime) else "integer")
    statement = sql.SQL("SELECT {} FROM {}({}::{}) WHERE {}").format(
        sql.SQL(columns), sql.Identifier(name), sql.Literal(at), kind, sql.SQL(where)
    )
    with closing(case.target.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return sorted(cursor.fetchall())


def taken(result) -> datetime:
    return datetime.fromisoformat(result.source_snapshot_time)


def source(case):
    return sorted(case.query("SELECT * FROM t", on=case.source))


def test_each_batch_and_each_time_gives_what_the_source_was_then(merging):
    case = merging(TABLE)
    chance = random.Random(5)
    truth = {}
    for _ in range(8):
        for _ in range(12):
            key, number = chance.randint(1, 40), chance.randint(1, 10**6)
            change = chance.choice(
                [
                    f"DELETE FROM t WHERE id = {key}",
                    f"INSERT INTO t VALUES ({key}, 'n{number}') ON CONFLICT DO NOTHING",
                    f"UPDATE t SET word = 'u{number}' WHERE id = {key}",
                ]
            )
            case.execute(change)
        result = case.run(FORENSIC)
        truth[result.batch_id] = (taken(result), source(case))
        time.sleep(0.002)
    assert len(truth) == 8
    assert case.query('SELECT count(*) - count(DISTINCT id) FROM "yellowforensic_Store1_t_merge"')[0][0] > 10
    instant = timedelta(microseconds=1)
    before = []
    for batch, (at, rows) in truth.items():
        assert as_of(case, batch) == rows
        assert as_of(case, at) == rows
        assert as_of(case, at - instant) == before
        before = rows
    assert as_of(case, 0) == []
    assert as_of(case, max(truth) + 5) == source(case)


def test_a_key_that_was_deleted_and_came_back(merging):
    case = merging(TABLE)
    case.run(FORENSIC)
    case.execute("DELETE FROM t WHERE id = 3")
    case.run(FORENSIC)
    case.execute("INSERT INTO t VALUES (3, 'back')")
    case.run(FORENSIC)
    assert [as_of(case, batch, "id = 3") for batch in (1, 2, 3)] == [[(3, "w3")], [], [(3, "back")]]


def test_a_batch_that_failed_is_no_time(merging):
    case = merging(TABLE)
    case.run(FORENSIC)
    case.execute("UPDATE t SET word = 'new'")
    result = case.run(FORENSIC)
    case.execute("UPDATE yellowforensic_batch_metrics SET batch_status = 'failed' WHERE batch_id = 2", on=case.target)
    assert as_of(case, taken(result), "id = 3") == [(3, "w3")]


@pytest.mark.parametrize("at", ["3", "now()"], ids=["batch", "time"])
def test_a_filter_on_the_key_is_answered_by_indexes(merging, at):
    case = merging("CREATE TABLE t (id int PRIMARY KEY, word text)")
    case.execute("INSERT INTO t SELECT n, 'w' FROM generate_series(1, 20000) n")
    case.run(FORENSIC)
    for word in "ab":
        case.execute(f"UPDATE t SET word = '{word}'")
        case.run(FORENSIC)
    case.execute('ANALYZE "yellowforensic_Store1_t_merge"', on=case.target)
    plan = "\n".join(line for (line,) in case.query(f'EXPLAIN SELECT * FROM "{AS_OF}"({at}) WHERE id = 77'))
    assert "yellowforensic_Store1_t_merge_key" in plan
    assert "yellowforensic_Store1_t_merge_past" in plan
    assert "Function Scan" not in plan
    assert 'Seq Scan on "yellowforensic_Store1_t_merge"' not in plan


def test_a_changed_model_changes_what_is_given_back(merging):
    case = merging(TABLE)
    case.run(FORENSIC)
    case.execute("ALTER TABLE t ADD age int, ALTER id TYPE bigint; UPDATE t SET age = 40 WHERE id = 2")
    case.describe()
    case.run(FORENSIC)
    assert as_of(case, 1, "id = 2") == [(2, "w2", None)]
    assert as_of(case, 2, "id = 2") == [(2, "w2", 40)]
    case.execute("ALTER TABLE t DROP COLUMN word; UPDATE t SET age = 41 WHERE id = 2")
    case.describe()
    case.run(FORENSIC)
    assert as_of(case, 3, "id = 2") == [(2, 41)]


@pytest.mark.parametrize("strategy", ["version_diff", "full"])
def test_a_table_without_functions_gets_them_with_its_next_batch(merging, strategy):
    case = merging(TABLE)
    case.run(FORENSIC)
    case.execute(f'DROP FUNCTION "{AS_OF}"(integer); DROP INDEX "yellowforensic_Store1_t_merge_past"', on=case.target)
    case.execute("DELETE FROM t WHERE id = 3")
    assert case.run(FORENSIC, strategy=StrategyOption(strategy)).datasets["t"].strategy == strategy
    assert len(as_of(case, 1)) == 30
    assert case.query("SELECT to_regclass('\"yellowforensic_Store1_t_merge_past\"')")[0][0]


def test_functions_that_fit_are_left_alone(merging):
    case = merging(TABLE)
    case.run(FORENSIC)
    ids = f"SELECT oid FROM pg_proc WHERE proname = '{AS_OF}' ORDER BY oid"
    before = case.query(ids)
    assert len(before) == 2
    case.execute("DELETE FROM t WHERE id = 3")
    case.run(FORENSIC)
    assert case.query(ids) == before


def test_functions_of_the_same_columns_are_replaced_where_they_stand(merging):
    case = merging(TABLE)
    case.run(FORENSIC)
    ids = f"SELECT oid FROM pg_proc WHERE proname = '{AS_OF}' ORDER BY oid"
    comments = f"SELECT DISTINCT obj_description(oid) FROM pg_proc WHERE proname = '{AS_OF}'"
    before, reported = case.query(ids), case.query(comments)
    case.execute(f'CREATE VIEW v AS SELECT * FROM "{AS_OF}"(1)', on=case.target)
    older = re.sub('"definition": "[^"]*"', '"definition": "of an older version"', reported[0][0])
    for argument in ("integer", "timestamptz"):
        case.execute(f"COMMENT ON FUNCTION \"{AS_OF}\"({argument}) IS '{older}'", on=case.target)
    case.execute("DELETE FROM t WHERE id = 3")
    case.run(FORENSIC)
    assert case.query(ids) == before
    assert case.query(comments) == reported


@pytest.fixture
def readers(postgres):
    names = ("Reader of 1's", "grantor", "both")
    for name in names:
        postgres.create_role(name, "word")
    yield names
    with closing(psycopg2.connect(postgres.dsn())) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP ROLE {}").format(sql.SQL(", ").join(map(sql.Identifier, names))))


def test_rights_on_functions_stay_when_their_columns_change(merging, readers):
    case = merging(TABLE)
    case.run(FORENSIC)
    reader, grantor, both = (f'"{name}"' for name in readers)
    case.execute(
        f"""REVOKE ALL ON FUNCTION "{AS_OF}"(integer) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION "{AS_OF}"(integer) TO {reader}, {both};
            GRANT EXECUTE ON FUNCTION "{AS_OF}"(integer) TO {grantor} WITH GRANT OPTION;
            GRANT EXECUTE ON FUNCTION "{AS_OF}"(timestamptz) TO {both}""",
        on=case.target,
    )
    rights = f"""SELECT oidvectortypes(proargtypes), grantee, is_grantable FROM pg_proc, aclexplode(proacl)
                 WHERE proname = '{AS_OF}' ORDER BY 1, 2"""
    before = case.query(rights)
    assert len(before) == 7
    case.execute("ALTER TABLE t ADD age int; UPDATE t SET age = 40 WHERE id = 2")
    case.describe()
    case.run(FORENSIC)
    assert as_of(case, 2, "id = 2") == [(2, "w2", 40)]
    assert case.query(rights) == before
    case.execute(f'DROP FUNCTION "{AS_OF}"(integer); DROP FUNCTION "{AS_OF}"(timestamptz)', on=case.target)


def test_functions_that_anybody_may_call_are_so_when_their_columns_change(merging):
    case = merging(TABLE)
    case.run(FORENSIC)
    case.execute("ALTER TABLE t ADD age int; UPDATE t SET age = 40 WHERE id = 2")
    case.describe()
    case.run(FORENSIC)
    assert case.query(f"SELECT DISTINCT proacl::text FROM pg_proc WHERE proname = '{AS_OF}'") == [(None,)]


def test_a_live_table_has_none(merging):
    case = merging(TABLE)
    case.run(LIVE)
    assert case.query("SELECT proname FROM pg_proc WHERE proname LIKE '%as\\_of%'") == []


def test_columns_of_any_name_and_type(merging):
    case = merging(
        """CREATE TABLE t (batch int PRIMARY KEY, "naïve ""1%{x}" numeric(9, 2), "select" date, ds_batch text[]);
           INSERT INTO t VALUES (1, 1.50, '2024-01-01', '{a,b}')"""
    )
    case.run(FORENSIC)
    case.execute("UPDATE t SET \"select\" = '2025-01-01'")
    case.run(FORENSIC)
    assert as_of(case, 1, columns='"select"::text, "naïve ""1%{x}"::text') == [("2024-01-01", "1.50")]
    assert as_of(case, 2, columns='"select"::text, ds_batch') == [("2025-01-01", ["a", "b"])]


def test_a_function_of_another_is_not_taken(merging):
    case = merging(TABLE)
    case.execute(f"CREATE FUNCTION \"{AS_OF}\"(integer) RETURNS int LANGUAGE sql AS 'SELECT 1'", on=case.target)
    with pytest.raises(NotOurs) as caught:
        case.run(FORENSIC)
    assert not caught.value.retryable
    assert case.versions(FORENSIC, case.datasets[0]) == []


def test_a_view_on_a_function_that_must_change_is_reported(merging):
    case = merging(TABLE)
    case.run(FORENSIC)
    case.execute(f'CREATE VIEW v AS SELECT * FROM "{AS_OF}"(1)', on=case.target)
    case.execute("DELETE FROM t WHERE id = 3")
    case.run(FORENSIC)
    case.execute("ALTER TABLE t ADD age int; DELETE FROM t WHERE id = 4")
    case.describe()
    with pytest.raises(StillUsed):
        case.run(FORENSIC)
    case.execute("DROP VIEW v", on=case.target)
    assert case.merge(FORENSIC).batch_id == 3
