"""A model's type that is not the source's: each value is kept exactly, or its batch is refused by column and rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config_schema.model import Column, Dataset, Milestoning
from merge_jobs.errors import DatabaseFailed, ValuesRejected
from merge_jobs.strategies.selection import StrategyOption

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC

# The source's type, the model's, values that are kept, with their text in the merge store, and values that are not.
CONVERSIONS = [
    (
        "numeric",
        "numeric(10,2)",
        {"1.5": "1.50", "1.500": "1.50", "'NaN'": "NaN"},
        ["1.005", "123456789", "'Infinity'"],
    ),
    ("numeric(12,3)", "numeric(10,2)", {"-1.120": "-1.12"}, ["1.125"]),
    ("numeric", "integer", {"12": "12"}, ["12.5", "3000000000"]),
    ("bigint", "integer", {"7": "7"}, ["3000000000"]),
    ("bigint", "double precision", {"9007199254740992": "9.007199254740992e+15"}, ["9007199254740993"]),
    ("integer", "numeric(6,2)", {"9999": "9999.00"}, ["10000"]),
    ("integer", "real", {"16777216": "1.6777216e+07"}, ["16777217"]),
    ("double precision", "real", {"0.5": "0.5", "'NaN'": "NaN", "'-0'": "-0"}, ["0.1", "1e300", "16777217"]),
    ("double precision", "numeric", {"0.1": "0.1", "1e20": "100000000000000000000"}, []),
    ("double precision", "numeric(5,2)", {"1.25": "1.25"}, ["1.125", "'Infinity'"]),
    ("real", "double precision", {"0.1": "0.1"}, []),
    ("numeric", "double precision", {"0.1": "0.1"}, ["0.12345678901234567890"]),
    ("numeric[]", "numeric(5,2)[]", {"'{1.5,NULL}'": "{1.50,NULL}"}, ["'{1.005}'"]),
    ("text", "varchar(3)", {"'abc'": "abc", "'ab '": "ab "}, ["'abc '", "'abcd'"]),
    ("text", "char(3)", {"'ab'": "ab"}, ["'ab '", "'abcd'"]),
    ("varchar(5)", "char(5)", {"'ab'": "ab"}, ["'ab '"]),
    ("char(5)", "text", {"'ab'": "ab   "}, []),
    ("char(5)", "varchar(5)", {"'ab'": "ab   "}, []),
    ("text", "name", {"'ab'": "ab"}, ["repeat('x', 64)"]),
    ("text", '"char"', {"'a'": "a"}, ["'ab'"]),
    ("text", "numeric(5,2)", {"'1.5'": "1.50"}, ["'1.005'", "'x'"]),
    ("text", "real", {"'0.1'": "0.1"}, ["'0.123456789'"]),
    (
        "text",
        "date",
        {"'2024-02-29'": "2024-02-29"},
        ["'now'", "'today'", "'epoch'", "'2024-01-01 10:00'", "'2023-02-29'"],
    ),
    (
        "text",
        "timestamp(3)",
        {"'2024-02-29 10:00:00.1230'": "2024-02-29 10:00:00.123", "'2024-02-29'": "2024-02-29 00:00:00"},
        ["'now'", "'tomorrow'", "'2024-01-01 10:00+02'", "'2024-01-01 allballs'", "'2024-01-01 10:00:00.1234'"],
    ),
    ("varchar(40)", "timestamptz", {"'2024-02-29 10:00+02'": "2024-02-29 08:00:00+00"}, ["'now'", "'yesterday'"]),
    ("text", "time", {"'10:00'": "10:00:00"}, ["'allballs'", "'now'"]),
    ("timestamp", "timestamp(0)", {"'2024-01-01 10:00:00'": "2024-01-01 10:00:00"}, ["'2024-01-01 10:00:00.5'"]),
    ("timestamptz(6)", "timestamptz(3)", {"'2024-01-01 10:00:00.123+02'": None}, ["'2024-01-01 10:00:00.1234Z'"]),
    ("timestamptz", "timestamp", {"'2024-01-01 10:00:00+02'": "2024-01-01 08:00:00"}, []),
    ("timestamp", "timestamptz", {"'2024-01-01 10:00:00'": "2024-01-01 10:00:00+00"}, []),
    ("timestamp", "date", {"'2024-01-01'": "2024-01-01", "'infinity'": "infinity"}, ["'2024-01-01 10:00'"]),
    ("timestamp", "time", {}, ["'2024-01-01 10:00'"]),
    ("date", "timestamptz", {"'2024-01-01'": "2024-01-01 00:00:00+00"}, []),
    ("time", "time(0)", {"'10:00'": "10:00:00"}, ["'10:00:00.5'"]),
    ("timetz", "time", {}, ["'10:00+02'"]),
    ("time", "interval", {"'10:00'": "10:00:00"}, []),
    ("interval", "interval(0)", {"'1 day'": "1 day"}, ["'1.5 s'"]),
    ("interval", "interval hour", {"'3 hours'": "03:00:00"}, ["'90 minutes'"]),
    ("bit varying(8)", "bit(3)", {"B'101'": "101"}, ["B'1011'", "B'10'"]),
    ("text", "bytea", {r"'\x00ff'": r"\x00ff"}, ["'abc'"]),
    ("bytea", "text", {r"'\x00ff'": r"\x00ff"}, []),
    ("text", "jsonb", {"""'{"b":1,"a":2}'""": '{"a": 2, "b": 1}'}, ["'{'", r"""'"\u0000"'"""]),
    ("text", "uuid", {"'7D444840-9dc0-11d1-b245-5ffdce74fad2'": None}, ["'x'"]),
    ("integer", "boolean", {"1": "true", "0": "false"}, ["2"]),
    ("inet", "cidr", {"'10.0.0.0/8'": "10.0.0.0/8"}, ["'10.0.0.1/8'"]),
    ("mood", "text", {"'sad'": "sad"}, []),
    ("positive", "smallint", {"3": "3"}, ["70000"]),
]
KEPT_ELSE = {
    "'2024-01-01 10:00:00.123+02'": "2024-01-01 08:00:00.123+00",
    "'7D444840-9dc0-11d1-b245-5ffdce74fad2'": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
}
OWN_TYPES = "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN positive AS int CHECK (value > 0);"


def one_table(case, values: list[tuple[str, str, str]]) -> Dataset:
    """Make a table with a row and a column for each of (source's type, model's type, value); return its dataset."""
    columns = ", ".join(f"c{n} {theirs}" for n, (theirs, _, _) in enumerate(values))
    rows = " ".join(f"INSERT INTO t (id, c{n}) VALUES ({n}, {value});" for n, (_, _, value) in enumerate(values))
    case.execute(f"CREATE TABLE t (id int PRIMARY KEY, {columns}); {rows}")
    modelled = (Column(f"c{n}", ours) for n, (_, ours, _) in enumerate(values))
    return Dataset("t", (Column("id", "integer", nullable=False), *modelled), ("id",))


@pytest.mark.parametrize("strategy", [StrategyOption.AUTO, StrategyOption.KEY_HASH_DIFF])
def test_a_value_that_the_model_s_type_holds_is_kept(merging, strategy):
    case = merging(OWN_TYPES)
    kept = [
        (a, b, value, text or KEPT_ELSE[value]) for a, b, values, _ in CONVERSIONS for value, text in values.items()
    ]
    case.datasets = (one_table(case, [(a, b, value) for a, b, value, _ in kept]),)
    for change in ("SELECT", "UPDATE t SET id = -id"):  # the first load, and each row by the strategy
        case.execute(change)
        case.run(LIVE, strategy=strategy, max_delete_fraction=1.0)
        rows = case.versions(LIVE, case.datasets[0])
        found = {abs(int(row[0])): row for _, row, _ in rows}
        for n, (theirs, ours, value, text) in enumerate(kept):
            assert (theirs, ours, value, found[n][n + 1]) == (theirs, ours, value, text)


def test_a_value_that_the_model_s_type_would_hold_otherwise_is_refused_by_column_and_number_of_rows(merging):
    case = merging(OWN_TYPES)
    refused = [(theirs, ours, value) for theirs, ours, _, values in CONVERSIONS for value in values]
    every = one_table(case, refused)
    case.execute(
        " ".join(
            f"INSERT INTO t (id, c{n}) SELECT 1000 + id, c{n} FROM t WHERE id = {n};" for n, _ in enumerate(refused)
        )
    )
    version = case.query("SELECT current_setting('server_version_num')::int", case.source)[0][0]
    for n, (theirs, ours, value) in enumerate(refused):
        case.datasets = (replace(every, columns=(every.columns[0], every.columns[n + 1])),)
        with pytest.raises(ValuesRejected) as caught:
            case.run(LIVE)
        what = f"{theirs} -> {ours}, {value}: {caught.value}"
        assert f"dataset t: column c{n}: " in str(caught.value), what
        assert "(key: id)" in str(caught.value), what
        assert not caught.value.retryable, what
        if version >= 160000:
            assert f"column c{n}: 2 rows with a value" in str(caught.value), what
            assert "does not hold as it is" in str(caught.value), what
    assert case.versions(LIVE, every) == []


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("strategy", [StrategyOption.AUTO, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
def test_a_value_that_comes_later_is_refused_whatever_the_strategy(merging, strategy, kind):
    case = merging("CREATE TABLE t (id int PRIMARY KEY, v numeric); INSERT INTO t VALUES (1, 1.5), (2, 2)")
    (table,) = case.datasets
    case.datasets = (replace(table, columns=(table.columns[0], Column("v", "numeric(10,1)"))),)
    case.run(kind, strategy=strategy)
    before = case.versions(kind, table)
    case.execute("UPDATE t SET v = 2.125 WHERE id = 2")
    with pytest.raises(ValuesRejected, match=r"column v: 1 row with .*numeric\(10,1\)"):
        case.run(kind, strategy=strategy)
    assert case.versions(kind, table) == before
    case.execute("UPDATE t SET v = 2.5 WHERE id = 2")
    assert case.run(kind, strategy=strategy).total.updated == 1


def test_a_label_that_the_store_s_enum_lacks_is_said(merging):
    case = merging("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TABLE t (id int PRIMARY KEY, m mood)")
    case.execute("CREATE TYPE feeling AS ENUM ('sad')", on=case.target)
    case.execute("INSERT INTO t VALUES (1, 'sad')")
    (table,) = case.datasets
    case.datasets = (replace(table, columns=(table.columns[0], Column("m", "feeling"))),)
    case.run(LIVE)
    case.execute("INSERT INTO t VALUES (2, 'glad')")
    with pytest.raises(ValuesRejected, match="dataset t: column m: rows with a label that the merge store") as caught:
        case.run(LIVE)
    assert "ALTER TYPE" in caught.value.todo


VIEWS = {
    "an unpopulated materialised view": (
        "CREATE MATERIALIZED VIEW v AS SELECT 1 AS id, 2 AS n WITH NO DATA",
        "has not been populated",
        "REFRESH MATERIALIZED VIEW",
    ),
    "a view of an unpopulated materialised view": (
        "CREATE MATERIALIZED VIEW m AS SELECT 1 AS id, 2 AS n WITH NO DATA; CREATE VIEW v AS SELECT id, n FROM m",
        "has not been populated",
        "REFRESH MATERIALIZED VIEW",
    ),
    "a function that writes": (
        """CREATE TABLE log (n int);
           CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'INSERT INTO log VALUES (1) RETURNING n';
           CREATE VIEW v AS SELECT 1 AS id, f() AS n""",
        "read_only_sql_transaction",
        "A view calls a function that writes",
    ),
    "a division by zero": (
        "CREATE TABLE secrets (id int, n int); INSERT INTO secrets VALUES (424242, 0);"
        "CREATE VIEW v AS SELECT id, 1 / n AS n FROM secrets",
        "division_by_zero",
        "Correct the view",
    ),
    "a function that raises": (
        """CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$no 424242$$; END';
           CREATE VIEW v AS SELECT 1 AS id, f() AS n""",
        "raise_exception",
        "Correct the view",
    ),
    "a number out of range": (
        "CREATE VIEW v AS SELECT 1 AS id, 424242 * g * 1000000 AS n FROM generate_series(1, 2) g",
        "numeric_value_out_of_range",
        "Correct the view",
    ),
}


@pytest.mark.parametrize("of_view", VIEWS.values(), ids=VIEWS.keys())
def test_what_is_wrong_with_a_view_is_said_and_not_retried(merging, of_view):
    ddl, what, todo = of_view
    case = merging(ddl)
    case.datasets = (Dataset("v", (Column("id", "integer", nullable=False), Column("n", "integer")), ("id",)),)
    with pytest.raises(DatabaseFailed, match=f"dataset v: .*{what}") as caught:
        case.run(LIVE)
    assert todo in caught.value.todo
    assert not caught.value.retryable
    assert "424242" not in str(caught.value)
    assert case.query("SELECT retryable FROM yellowlive_batch_metrics") == [(False,)]


def test_a_row_that_fits_the_source_s_page_and_not_with_our_columns_is_said(merging):
    columns = ", ".join(f"c{n} bigint NOT NULL" for n in range(1016))
    case = merging(f"CREATE TABLE t (id bigint PRIMARY KEY, {columns})")
    case.execute(f"INSERT INTO t VALUES (1, {', '.join(['7'] * 1016)})")
    assert case.run(LIVE).total.inserted == 1
    with pytest.raises(DatabaseFailed, match="dataset t: row is too big") as caught:
        case.run(FORENSIC)
    assert "a forensic table has two columns more" in caught.value.todo
    assert not caught.value.retryable


def test_a_duplicate_key_of_citext_is_found_by_the_statement_in_the_error(merging):
    from contextlib import closing

    import psycopg2

    from merge_jobs.errors import KeysRejected

    case = merging("CREATE TABLE t (id text NOT NULL, n int); INSERT INTO t VALUES ('a', 1), ('A', 2), ('b', 3)")
    with closing(psycopg2.connect(case.target.superuser_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION citext")
    (table,) = case.datasets
    case.datasets = (
        replace(table, columns=(Column("id", "citext", nullable=False), Column("n", "integer")), primary_key=("id",)),
    )
    with pytest.raises(KeysRejected) as caught:
        case.run(LIVE)
    statement = caught.value.todo.rpartition("find them in the source: ")[2]
    assert case.query(statement, case.source) == [("a", 2)]
