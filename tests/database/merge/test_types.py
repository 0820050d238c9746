"""Values arrive as they are, whatever their type; those with one text but two images count as changed."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from config_schema.model import Column, Milestoning
from merge_jobs.strategies.selection import StrategyOption

# A column's type, values for rows 1 and 2, and what they become.
TYPES = {
    "numeric keeps its scale": ("numeric", ("1.0", "1e400"), ("1.00", "'NaN'")),
    "numeric of a scale": ("numeric(12, 2)", ("1.5", "-0.01"), ("1.51", "NULL")),
    "double": ("double precision", ("0.1", "'NaN'"), ("0.1::float8 + 1e-17", "'-Infinity'")),
    "minus zero": ("real", ("0", "1.1"), ("'-0'", "1.1")),
    "bigint": ("bigint", ("9223372036854775807", "1"), ("-9223372036854775808", "1")),
    "boolean": ("boolean", ("true", "false"), ("NULL", "false")),
    "jsonb": ("jsonb", ("""'{"a": [1, null]}'""", "'null'"), ("""'{"a": [1.0, null]}'""", "NULL")),
    "json keeps its spaces": ("json", ("""'{"a": 1}'""", "'1'"), ("""'{"a":  1}'""", "'1'")),
    "timestamptz": ("timestamptz", ("'2024-03-31 02:30:00+02'", "'infinity'"), ("'2024-03-31 02:30+03'", "'infinity'")),
    "timestamp": ("timestamp(3)", ("'2024-01-01 10:00:00.123'", "NULL"), ("'2024-01-01 10:00:00.124'", "NULL")),
    "interval": ("interval", ("'1 day'", "'-1 mon +2 days -03:00'"), ("'24 hours'", "'-1 mon +2 days -03:00'")),
    "bytea": ("bytea", (r"'\x00ff0a'", "''"), (r"'\x00ff0b'", "''")),
    "array": ("text[]", ("""'{a,NULL,"b,c"}'""", "'{}'"), ("""'{a,"NULL","b,c"}'""", "'[2:3]={x,y}'")),
    "text of two lines, tabs and backslashes": (
        "text",
        (r"E'a\nb\tc\\N'", r"E'\\.'"),
        (r"E'a\nb\tc\\n'", r"E'\\.\n\r'"),
    ),
    "char": ("character(5)", ("'a'", "'b'"), ("'a '", "'c'")),
    "uuid": ("uuid", ("'7d444840-9dc0-11d1-b245-5ffdce74fad2'", "NULL"), ("NULL", "NULL")),
    "inet": ("inet", ("'10.0.0.1/24'", "'::1'"), ("'10.0.0.1'", "'::1'")),
    "range": ("int4range", ("'[1,5)'", "'empty'"), ("'[1,6)'", "'empty'")),
    "multirange": ("datemultirange", ("'{[2024-01-01,2024-02-01)}'", "'{}'"), ("'{}'", "'{}'")),
    "bits": ("bit varying(8)", ("B'101'", "B''"), ("B'0101'", "B''")),
    "tsvector": ("tsvector", ("'a:1 b:2'", "''"), ("'a:1 b:3'", "''")),
    "point, which has no equality of images": ("point", ("'(1,2)'", "NULL"), ("'(1,2.5)'", "NULL")),
    "money": ("money", ("12.34::numeric::money", "NULL"), ("12.35::numeric::money", "NULL")),
    "date": ("date", ("'2024-02-29'", "'infinity'"), ("'2024-03-01'", "'-infinity'")),
    "time": ("time(3)", ("'23:59:59.999'", "'24:00'"), ("'23:59:59.998'", "'00:00'")),
    "time with its zone": ("timetz", ("'10:00+02'", "NULL"), ("'09:00+01'", "NULL")),
    "cidr": ("cidr", ("'10.0.0.0/8'", "'::/0'"), ("'10.0.0.0/9'", "'::/0'")),
    "macaddr": ("macaddr", ("'08:00:2b:01:02:03'", "NULL"), ("'08:00:2b:01:02:04'", "NULL")),
    "pg_lsn": ("pg_lsn", ("'16/B374D848'", "'0/0'"), ("'16/B374D849'", "'0/0'")),
    "one byte": ('"char"', ("'a'", "''"), ("'b'", "''")),
    "an array of arrays": ("int[]", ("'{{1,2},{3,NULL}}'", "'{}'"), ("'{{1,2},{NULL,3}}'", "NULL")),
    "a range of dates": ("daterange", ("'[2024-01-01,)'", "'(,)'"), ("'[2024-01-01,infinity)'", "'empty'")),
    "an array of numbers keeps their scales": ("numeric[]", ("'{1.0}'", "'{NaN}'"), ("'{1.00}'", "'{NaN}'")),
    "empty is not NULL": ("varchar(10)", ("''", "NULL"), ("NULL", "''")),
    "a long text out of line": ("text", ("repeat('x', 3000000)", "'y'"), ("repeat('x', 3000000) || 'z'", "'y'")),
}


@pytest.mark.parametrize("strategy", [StrategyOption.AUTO, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
@pytest.mark.parametrize("of_type", TYPES.values(), ids=TYPES.keys())
def test_values_of_a_type_are_merged_exactly(merging, of_type, strategy):
    kind, (one, two), (one_then, two_then) = of_type
    case = merging(f"CREATE TABLE t (id int PRIMARY KEY, v {kind}); INSERT INTO t VALUES (1, {one}), (2, {two})")
    case.merge_both(strategy=strategy)
    case.execute(f"UPDATE t SET v = {one_then} WHERE id = 1; UPDATE t SET v = {two_then} WHERE id = 2")
    case.merge_both(strategy=strategy)


SAME_FOR_THEIR_TYPE = {
    "citext": ("SELECT", "citext"),
    "a collation that takes upper for lower case": (
        "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "text COLLATE nocase",
    ),
}


@pytest.mark.parametrize("strategy", [StrategyOption.AUTO, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
@pytest.mark.parametrize("of_type", SAME_FOR_THEIR_TYPE.values(), ids=SAME_FOR_THEIR_TYPE.keys())
def test_texts_that_are_equal_for_their_type_and_differ_are_merged(merging, of_type, strategy):
    prepared, kind = of_type
    case = merging("SELECT")
    with closing(psycopg2.connect(case.source.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION citext")
    try:
        case.execute(prepared)
    except psycopg2.errors.FeatureNotSupported as error:
        pytest.skip(f"this server has no such collation: {error}".strip())
    case.execute(f"CREATE TABLE t (id int PRIMARY KEY, a {kind}); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    case.describe()
    (table,) = case.datasets
    case.datasets = (type(table)(table.name, (Column("id", "integer"), Column("a", "text")), table.primary_key),)
    case.merge_both(strategy=strategy)
    case.execute("UPDATE t SET a = 'A' WHERE id = 1")
    results = case.merge_both(strategy=strategy)
    assert {result.datasets["t"].counts.updated for result in results.values()} == {1}


KEYS = {
    "text": ("text", "'a'", "''"),
    "timestamptz": ("timestamptz", "'2024-01-01'", "'infinity'"),
    "numeric": ("numeric", "1.5", "'NaN'"),
    "bytea": ("bytea", "'x'", "''"),
    "double": ("double precision", "0", "'NaN'"),
    "array": ("int[]", "'{1,2}'", "'{}'"),
}


@pytest.mark.parametrize("of_type", KEYS.values(), ids=KEYS.keys())
def test_keys_of_a_type_find_their_rows(merging, of_type):
    kind, one, two = of_type
    case = merging(f"CREATE TABLE t (id {kind} PRIMARY KEY, v int); INSERT INTO t VALUES ({one}, 1), ({two}, 2)")
    case.merge_both()
    case.execute(f"UPDATE t SET v = 3 WHERE id = {two}")
    case.merge_both()
    case.execute(f"DELETE FROM t WHERE id = {one}")
    case.merge_both()


def test_types_of_the_producer_s_own_arrive_as_text(merging):
    case = merging(
        """CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN positive AS int CHECK (value > 0);
           CREATE TABLE people (id int PRIMARY KEY, mood mood, age positive, moods mood[], word text);
           INSERT INTO people VALUES (1, 'sad', 3, '{sad,glad}', E'a\\nb\\tc\\\\N'),
               (2, NULL, NULL, NULL, E'\\\\.\\r')"""
    )
    (people,) = case.datasets
    as_text = {"mood": "text", "positive": "integer", "mood[]": "text[]"}
    columns = tuple(Column(c.name, as_text.get(c.type, c.type)) for c in people.columns)
    case.datasets = (type(people)(people.name, columns, people.primary_key),)
    case.merge_both()
    case.execute("UPDATE people SET mood = 'glad', moods = NULL WHERE id = 1")
    case.merge_both()


def test_a_type_that_differs_from_the_source_is_converted_and_said(merging, caplog):
    case = merging("CREATE TABLE t (id int PRIMARY KEY, v int, w date); INSERT INTO t VALUES (1, 2, '2024-01-01')")
    columns = (Column("id", "bigint"), Column("v", "text"), Column("w", "varchar(10)"))
    case.datasets = (type(case.datasets[0])("t", columns, ("id",)),)
    case.merge_both()
    assert "column v is integer in the source, text in the model: values are converted" in caplog.text


def test_generated_columns_and_identity_are_copied_as_values(merging):
    case = merging(
        """CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
                           b int GENERATED ALWAYS AS (a * 2) STORED);
           INSERT INTO t (a) VALUES (1), (2)"""
    )
    case.merge_both()
    case.execute("UPDATE t SET a = 5 WHERE id = 1")
    assert case.merge(Milestoning.LIVE).total.updated == 1


def test_a_partitioned_table_and_a_table_with_children_are_read_in_whole(merging):
    case = merging(
        """CREATE TABLE p (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
           CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
           CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
           INSERT INTO p SELECT n, n FROM generate_series(1, 19) n"""
    )
    case.merge_both()
    case.execute("UPDATE p SET id = 0, v = 7 WHERE id = 15")
    case.merge_both()
