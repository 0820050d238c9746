"""At a producer's our statements name PostgreSQL's own things, and its views' functions find what they always find."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

from config_schema.model import Column, Dataset, Milestoning
from merge_jobs.catalogue.postgres import postgres_tables
from merge_jobs.errors import DatabaseFailed, ValuesRejected
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.strategies.selection import StrategyOption
from tests.hostile_names import PATH, add_doubles
from tests.kept_sessions import end_sessions

LIVE = Milestoning.LIVE
DDL = """
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TABLE t (id int PRIMARY KEY, word text, amount numeric, at timestamptz, flag boolean, u uuid, m mood,
        j jsonb, names text[], seen text, ratio double precision, many numeric[]);
    INSERT INTO t SELECT n, 'w' || n, n / 7.0, now(), n % 2 = 0, gen_random_uuid(), 'sad', '{"a": 1}', ARRAY['x', NULL],
        '2024-02-03', 0.5, ARRAY[n] FROM generate_series(1, 300) n;
    CREATE TABLE p (id bigint, word text, PRIMARY KEY (id, word)) PARTITION BY RANGE (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (100);
    CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (1000);
    INSERT INTO p SELECT n, 'w' FROM generate_series(1, 200) n;
    CREATE VIEW v AS SELECT *, word || '!' AS loud FROM t;
    CREATE MATERIALIZED VIEW mv AS SELECT id, word FROM t;
    CREATE VIEW over_mv AS SELECT * FROM mv"""
CHANGE = (
    "UPDATE t SET word = word || '.' WHERE id % 3 = 0; DELETE FROM p WHERE id % 10 = 0; REFRESH MATERIALIZED VIEW mv"
)
# Types that are not the source's: each is read by an expression that checks the values.
CONVERTED = {"at": "timestamp(0) with time zone", "m": "text", "seen": "date", "ratio": "numeric", "many": "bigint[]"}


def search_path(of, path: str | None) -> None:
    """Set the search_path that the database's user has, or set it back."""
    with closing(psycopg2.connect(of.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        what = sql.SQL("SET search_path = " + path if path else "RESET search_path")
        cursor.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(of.user), what))
    end_sessions([of.name])  # only a new one has it


@pytest.fixture
def case(merging):
    made = merging(DDL)
    table = next(of for of in made.datasets if of.name == "t")
    columns = tuple(replace(of, type=CONVERTED.get(of.name, of.type)) for of in table.columns)
    plain = tuple(of for of in table.columns if of.name not in CONVERTED)
    few = (Column("id", "integer"), Column("word", "text"))
    made.execute("UPDATE t SET at = date_trunc('second', at)")
    made.datasets = (
        *(of for of in made.datasets if of.name == "p"),
        replace(table, columns=plain),
        type(table)("converted", columns, ("id",), table="t"),
        type(table)("v", (*columns, Column("loud", "text")), ("id",)),
        type(table)("mv", few, ("id",)),
        type(table)("over_mv", few, ("id",)),
    )
    return made


def test_nothing_of_another_schema_is_called_or_read_whatever_stands_first(case):
    for of in (case.source, case.target):
        add_doubles(of.superuser_dsn)
    strategies = []
    for wanted in (
        StrategyOption.AUTO,
        StrategyOption.AUTO,
        StrategyOption.KEY_HASH_DIFF,
        StrategyOption.KEY_HASH_DIFF,
        StrategyOption.FULL,
    ):
        for of in (case.source, case.target):
            search_path(of, PATH)
        result = case.run(LIVE, strategy=wanted)
        for of in (case.source, case.target):
            search_path(of, None)
        for dataset in case.datasets:
            assert case.open_rows(LIVE, dataset) == case.source_rows(dataset)
        strategies.append({name: of.strategy for name, of in result.datasets.items()})
        case.execute(CHANGE)
    assert strategies[1] == {
        **dict.fromkeys(("t", "converted", "p"), "version_diff"),
        **dict.fromkeys(("v", "mv", "over_mv"), "key_hash_diff"),
    }
    assert set(strategies[3].values()) == {"key_hash_diff"}


def test_a_value_that_does_not_fit_is_counted_by_postgresql_s_own_functions(case):
    add_doubles(case.source.superuser_dsn)
    case.datasets = tuple(of for of in case.datasets if of.name == "converted")
    case.execute("UPDATE t SET seen = 'now' WHERE id < 4")
    search_path(case.source, PATH)
    with pytest.raises(ValuesRejected, match=r"seen: 3 rows"):
        case.run(LIVE)


def test_a_catalogue_is_described_the_same_whatever_stands_first(case):
    add_doubles(case.source.superuser_dsn)
    place = case.job(LIVE).source

    def described():
        with PostgresSource(place, "test") as source:
            return postgres_tables(source)

    before = described()
    search_path(case.source, PATH)
    assert described() == before
    assert {table.name for table in before} >= {"t", "v", "mv"}


@pytest.mark.parametrize("strategy", [StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
def test_a_function_of_a_view_finds_what_the_search_path_of_the_role_has(merging, strategy):
    case = merging(
        """CREATE SCHEMA shop; CREATE TABLE shop.rates (id int, rate int);
           INSERT INTO shop.rates VALUES (1, 10), (2, 20);
           CREATE FUNCTION public.rate(integer) RETURNS integer LANGUAGE plpgsql STABLE
               AS 'BEGIN RETURN (SELECT rate FROM rates WHERE id = $1); END';
           CREATE VIEW v AS SELECT id, rate(id) AS rate FROM shop.rates"""
    )
    case.datasets = (Dataset("v", (Column("id", "integer"), Column("rate", "integer")), ("id",)),)
    with pytest.raises(DatabaseFailed, match="undefined"):
        case.run(LIVE, strategy=strategy)
    search_path(case.source, "shop, public")
    for change in ("SELECT", "UPDATE rates SET rate = 30 WHERE id = 2"):
        case.execute(change)
        case.merge(LIVE, strategy=strategy)


def test_a_type_of_an_extension_keeps_the_name_that_the_role_sees(merging):
    case = merging("SELECT")
    for of in (case.source, case.target):
        with closing(psycopg2.connect(of.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; GRANT USAGE ON SCHEMA ext TO PUBLIC")
        search_path(of, "public, ext")
    case.execute("CREATE TABLE t (id ext.citext PRIMARY KEY, n int); INSERT INTO t VALUES ('a', 1)")
    (table,) = (Dataset("t", (Column("id", "citext"), Column("n", "integer")), ("id",)),)
    case.datasets = (table,)
    with PostgresSource(case.job(LIVE).source, "test") as source:
        assert source.columns(table)["id"].type == "citext"
    case.run(LIVE)
    assert case.open_rows(LIVE, table) == case.source_rows(table)
