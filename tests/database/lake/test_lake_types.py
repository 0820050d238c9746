"""Types in a lake: each value is there as PostgreSQL has it, or is refused with its column and the number of rows."""

from __future__ import annotations

from contextlib import closing

import duckdb
import pytest

from config_schema.model import Column, Milestoning
from config_schema.model.lake import TYPES, lake_type, may_be_key
from merge_jobs.errors import ValuesRejected
from tests.database import in_lake

LIVE = Milestoning.LIVE
# A column's type, and its values in two rows, before and after.
VALUES = {
    "boolean": ("true", "false", "NULL", "true"),
    "smallint": ("-32768", "32767", "0", "NULL"),
    "integer": ("-2147483648", "2147483647", "NULL", "1"),
    "bigint": ("-9223372036854775808", "9223372036854775807", "0", "NULL"),
    "real": ("0.1", "'NaN'", "'-0'", "3.4028235e38"),
    "double precision": ("0.1", "'-Infinity'", "4.9e-324", "'-0'"),
    "numeric(38,0)": ("99999999999999999999999999999999999999", "-1", "NULL", "0"),
    "numeric(38,38)": (
        "0.99999999999999999999999999999999999999",
        "-0.00000000000000000000000000000000000001",
        "0",
        "NULL",
    ),
    "numeric(10,2)": ("1.5", "-99999999.99", "1.51", "NULL"),
    "text": (r"E'a,\n\"b\"\r\n\\N'", "''", "NULL", "'NULL'"),
    "character varying(20)": ("'äöü €'", "''", "NULL", "E'\\\\.'"),
    "character(5)": ("'a'", "'b  '", "''", "NULL"),
    "json": ("""'{"a":  1}'""", "'null'", """'{"a": 1}'""", "NULL"),
    "jsonb": ("""'{"a": [1, null]}'""", "'null'", """'{"a": [1.0, null]}'""", "NULL"),
    "uuid": ("'7d444840-9dc0-11d1-b245-5ffdce74fad2'", "NULL", "NULL", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    "bytea": (r"'\x00ff0a'", "''", "NULL", r"'\x22'"),
    "date": ("'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "NULL"),
    "timestamp without time zone": (
        "'2024-01-01 10:00:00.123456'",
        "NULL",
        "'1969-12-31 23:59:59.999999'",
        "'2000-01-01'",
    ),
    "timestamp(3) with time zone": (
        "'2024-03-31 02:30:00.123+02'",
        "'0001-01-01 00:00+00'",
        "NULL",
        "'9999-12-31 23:00+00'",
    ),
    "time without time zone": ("'23:59:59.999999'", "'00:00'", "NULL", "'12:00'"),
    "integer[]": ("'{1,NULL,-5}'", "'{}'", "NULL", "'{7}'"),
    "text[]": (r"""'{a,NULL,"b,\"c\"","NULL",""}'""", "NULL", "'{}'", """'{"two\nlines"}'"""),
    "numeric(10,2)[]": ("'{1.5,-1}'", "'{}'", "'{1.51}'", "NULL"),
    "boolean[]": ("'{t,f,NULL}'", "NULL", "'{f}'", "'{}'"),
    "bytea[]": (r"""'{"\\x00ff",NULL}'""", "NULL", "'{}'", r"""'{"\\x"}'"""),
    "uuid[]": ("'{7d444840-9dc0-11d1-b245-5ffdce74fad2}'", "NULL", "'{NULL}'", "'{}'"),
    "date[]": ("'{2024-02-29,NULL}'", "NULL", "'{}'", "'{1970-01-01}'"),
    "timestamp with time zone[]": ("'{2024-03-31 02:30+02}'", "NULL", "'{NULL}'", "'{}'"),
    "double precision[]": ("'{0.1,NaN,-Infinity}'", "NULL", "'{}'", "'{1e300}'"),
}


def test_values_are_there_as_postgresql_has_them(merging, tmp_path):
    names = {kind: f"c{number}" for number, kind in enumerate(VALUES)}
    columns = ", ".join(f"{names[kind]} {kind}" for kind in VALUES)
    rows = [", ".join(of[number] for of in VALUES.values()) for number in range(4)]
    case = merging(
        f"CREATE TABLE t (id int PRIMARY KEY, {columns}); INSERT INTO t VALUES (1, {rows[0]}), (2, {rows[1]})",
        warehouse=tmp_path / "lake",
    )
    case.merge_both()
    case.execute(f"DELETE FROM t; INSERT INTO t VALUES (1, {rows[2]}), (2, {rows[3]}), (3, {rows[0]})")
    case.merge_both()
    with closing(duckdb.connect()) as connection:
        connection.execute(in_lake.script_of(case, LIVE))
        found = dict(
            connection.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'Store1_t_live'"
            ).fetchall()
        )
    assert {kind: found[names[kind]] for kind in VALUES} == {
        kind: lake_type(kind).duckdb.replace(", ", ",") for kind in VALUES
    }


def test_times_are_there_from_the_first_to_the_last(merging, tmp_path):
    first, last = "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"
    case = merging(
        f"""CREATE TABLE t (id int PRIMARY KEY, d date, s timestamp, z timestamptz);
            INSERT INTO t VALUES (1, '{first}', '{first}', '{first}+00'), (2, '{last}', '{last}', '{last}+00')""",
        warehouse=tmp_path / "lake",
    )
    case.run(LIVE)
    with closing(duckdb.connect()) as connection:
        connection.execute(in_lake.script_of(case, LIVE))
        got = connection.execute(
            """SELECT id, date_diff('day', DATE '1970-01-01', d), epoch_us(s), epoch_us(z)
               FROM yellowlive."Store1_t_live" ORDER BY 1"""
        ).fetchall()
    micros = "(extract(epoch FROM {}) * 1000000)::bigint"
    wanted = case.query(
        f"SELECT id, d - '1970-01-01', {micros.format('s')}, {micros.format('z')} FROM t ORDER BY 1", on=case.source
    )
    assert got == wanted


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("date", "'infinity'", "infinity"),
        ("timestamp", "'-infinity'", "infinity"),
        ("timestamptz", "'10000-01-01 00:00+00'", "years 1 to 9999"),
        ("date", "'0001-12-31 BC'", "years 1 to 9999"),
        ("numeric(5,2)", "'NaN'", "NaN"),
        ("time", "'24:00'", "24:00"),
        ("int[]", "'{{1,2},{3,4}}'", "several dimensions"),
        ("int[]", "'[2:3]={1,2}'", "does not begin at 1"),
        ("date[]", "'{2024-01-01,infinity}'", "an element with a date"),
    ],
)
def test_a_value_without_a_place_is_refused_with_its_column_and_the_number_of_rows(
    merging, tmp_path, kind, value, said
):
    case = merging(
        f"CREATE TABLE t (id int PRIMARY KEY, v {kind}); INSERT INTO t VALUES (1, NULL), (2, {value}), (3, {value})",
        warehouse=tmp_path / "lake",
    )
    with pytest.raises(ValuesRejected) as caught:
        case.run(LIVE)
    [found] = caught.value.found
    assert (found.column, found.rows, said in found.what) == ("v", 2, True)
    case.execute("DELETE FROM t WHERE id > 1")
    assert case.merge(LIVE).total.inserted == 1
    case.execute(f"INSERT INTO t VALUES (4, {value})")
    with pytest.raises(ValuesRejected):
        case.run(LIVE)


def test_numbers_without_a_limit_are_text_by_the_model_s_word(merging, tmp_path):
    case = merging(
        "CREATE TABLE t (id int PRIMARY KEY, v numeric); INSERT INTO t VALUES (1, 1.0), (2, 'NaN'), (3, 1e100)",
        warehouse=tmp_path / "lake",
    )
    case.merge_both()
    case.execute("UPDATE t SET v = 1.00 WHERE id = 1")
    assert case.merge_both()[LIVE].total.updated == 1


@pytest.mark.parametrize(
    "kind", ["numeric", "numeric(39,0)", "numeric(5,-2)", "numeric(3,5)", "interval", "timetz", "money"]
)
def test_types_that_iceberg_does_not_have_are_refused(kind):
    assert lake_type(kind) is None
    assert lake_type(f"{kind}[]") is None


def test_keys_have_types_of_which_equal_values_are_the_same():
    assert may_be_key("numeric(10,2)")
    refused = {kind for kind in [*TYPES, "int[]"] if not may_be_key(kind)}
    assert refused == {"real", "double precision", "json", "jsonb", "character", "int[]"}
    assert Column("id", "int").type
