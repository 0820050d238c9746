"""Settings of a role or a database change no value and end no batch, and rights on columns are enough to read them."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from psycopg2 import sql

from config_schema.model import Column, Milestoning
from merge_jobs.errors import SettingRefused
from merge_jobs.strategies.selection import StrategyOption

LIVE = Milestoning.LIVE
HOSTILE = {
    "array_nulls": "off",
    "bytea_output": "escape",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Tokyo",
    "extra_float_digits": "-15",
    "xmlbinary": "hex",
    "xmloption": "document",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "quote_all_identifiers": "on",
    "transform_null_equals": "on",
    "gin_fuzzy_search_limit": "1",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "statement_timeout": "1s",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1s",
    "idle_session_timeout": "1s",
    "exit_on_error": "on",
    "client_min_messages": "error",
    "enable_hashjoin": "off",
    "search_path": "nowhere",
}
DDL = r"""CREATE TABLE t (id int PRIMARY KEY, f double precision, w timestamptz, a text[], i interval, b bytea, s text);
    INSERT INTO t SELECT n, random() / 3, now(), ARRAY[NULL, 'NULL'], interval '1 day -2 hours', '\x00ff', 'a\b''c'
        FROM generate_series(1, 300) n;
    CREATE VIEW v AS WITH slow AS MATERIALIZED (SELECT pg_sleep(1.1))
        SELECT id, f, w, a, i, b, s, s = NULL AS n FROM t, slow"""


@pytest.fixture
def case(merging):
    return merging(DDL)


def with_settings(case, of, settings) -> None:
    with closing(psycopg2.connect(of.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        for name, value in settings.items():
            statement = sql.SQL("ALTER ROLE {} SET {} = {}").format(
                *map(sql.Identifier, (of.user, name)), sql.Literal(value)
            )
            cursor.execute(statement)
        if not settings:
            cursor.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(sql.Identifier(of.user)))


@pytest.mark.parametrize("strategy", [StrategyOption.AUTO, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
def test_a_role_with_settings_of_its_own_reads_and_writes_the_same(case, strategy, major_version):
    newer = {"transaction_timeout": "1s", "restrict_nonsystem_relation_kind": "view"} if major_version >= 17 else {}
    (table,) = case.datasets
    view = (*table.columns, Column("n", "boolean"))
    case.datasets = (table, type(table)("v", view, table.primary_key))
    for change in ("SELECT", r"UPDATE t SET f = f / 7, s = s || '\n', a = ARRAY[a[2], NULL] WHERE id % 3 = 0"):
        case.execute(change)
        for of in (case.source, case.target):
            with_settings(case, of, {**HOSTILE, **newer})
        result = case.run(LIVE, strategy=strategy)
        for of in (case.source, case.target):
            with_settings(case, of, {})
        for dataset in case.datasets:
            assert case.open_rows(LIVE, dataset) == case.source_rows(dataset)
    assert {name: one.counts.updated for name, one in result.datasets.items()} == {"t": 100, "v": 100}


def test_a_setting_that_hides_damaged_rows_is_refused(case):
    with_settings(case, case.source, {"zero_damaged_pages": "on"})
    with pytest.raises(SettingRefused) as caught:
        case.run(LIVE)
    assert caught.value.settings == ("zero_damaged_pages",)


def test_no_function_of_another_schema_is_called_in_the_merge_store(case):
    case.execute(
        """CREATE FUNCTION public.count(varchar) RETURNS bigint LANGUAGE sql AS 'SELECT 1 / 0';
           CREATE FUNCTION public.obj_description(oid, text) RETURNS text LANGUAGE sql AS 'SELECT (1 / 0)::text';
           CREATE FUNCTION public.format_type(oid, integer) RETURNS text LANGUAGE sql AS 'SELECT (1 / 0)::text'""",
        case.target,
    )
    with_settings(case, case.target, {"search_path": "public, pg_catalog"})
    case.run(LIVE)
    case.execute("DELETE FROM t WHERE id < 10")
    assert case.run(LIVE).datasets["t"].counts.deleted == 9


@pytest.mark.parametrize("strategy", [StrategyOption.AUTO, StrategyOption.FULL])
def test_keys_of_an_extension_s_type_are_found_by_its_own_equality(merging, strategy):
    case = merging("SELECT")
    for of in (case.source, case.target):
        with closing(psycopg2.connect(of.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION citext")
    case.execute("CREATE TABLE t (id citext PRIMARY KEY, v int); INSERT INTO t VALUES ('a', 1), ('b', 2)")
    case.describe()
    case.run(LIVE, strategy=strategy)
    case.execute("UPDATE t SET id = 'A' WHERE id = 'a'; UPDATE t SET v = 3 WHERE id = 'b'")
    result = case.run(LIVE, strategy=strategy)
    assert result.datasets["t"].counts.updated == 2
    assert case.open_rows(LIVE, case.datasets[0]) == case.source_rows(case.datasets[0])


def test_a_right_on_columns_is_enough(case):
    reader = case.source
    case.execute(
        """CREATE SCHEMA other; CREATE TABLE other.p (id int, secret text, v int, PRIMARY KEY (id));
            INSERT INTO other.p SELECT n, 'x', n FROM generate_series(1, 300) n""",
    )
    with closing(psycopg2.connect(reader.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "ALTER TABLE other.p SET SCHEMA public; ALTER TABLE p OWNER TO CURRENT_USER;"
                "GRANT SELECT (id, v) ON p TO {}"
            ).format(sql.Identifier(reader.user))
        )
    (table,) = case.datasets
    columns = (Column("id", "integer"), Column("v", "integer"))
    case.datasets = (type(table)("p", columns, ("id",)),)
    case.merge(LIVE)
    with closing(psycopg2.connect(reader.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE p SET v = 0 WHERE id < 11")
    assert case.merge(LIVE).datasets["p"].counts.updated == 10
