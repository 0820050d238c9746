"""Every value of MySQL and SQLite arrives as it is, or its batch says which column would hold another one."""

from __future__ import annotations

from contextlib import closing

import pytest

from config_schema.model import Column, Consistency, Dataset, Milestoning
from merge_jobs.catalogue import described, place_of_dsn
from merge_jobs.database.connections import place_of
from merge_jobs.errors import SourceTableMissing, ValuesRejected
from tests.database.merge.producers import read_from

LIVE = Milestoning.LIVE
of_mariadb = pytest.mark.parametrize("producer", ["mariadb"], indirect=True)
of_sqlite = pytest.mark.parametrize("producer", ["sqlite"], indirect=True)


@pytest.fixture
def case(merging, producer):
    made = merging("SELECT 1")
    read_from(made, producer)
    return made


def run_all(producer, *statements: str) -> None:
    with closing(producer.connect()) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def describe(case, producer) -> dict[str, str]:
    """Take the model over from the producer; return the types of its one table."""
    place = place_of(producer.database(), None, case.secrets)
    case.datasets = described(place, "Store1", "producer", Consistency.MULTI_DATASET).datastore.datasets
    (dataset,) = case.datasets
    return {column.name: column.type for column in dataset.columns}


def merged(case) -> dict[str, list[str | None]]:
    """Return the values of each column in the order of the key, as PostgreSQL writes them."""
    (dataset,) = case.datasets
    rows = sorted(case.open_rows(LIVE, dataset).items(), key=lambda row: int(row[0][0]))
    return {column.name: [row[at] for _, row in rows] for at, column in enumerate(dataset.columns)}


# --- MySQL: a column's definition, the type that it is described as, values as they are written and as they arrive.
MARIADB = {
    "tiny": ("TINYINT", "smallint", {"-128": "-128", "127": "127"}),
    "utiny": ("TINYINT UNSIGNED", "smallint", {"255": "255", "0": "0"}),
    "usmall": ("SMALLINT UNSIGNED", "integer", {"65535": "65535"}),
    "umedium": ("MEDIUMINT UNSIGNED", "integer", {"16777215": "16777215"}),
    "uint": ("INT UNSIGNED", "bigint", {"4294967295": "4294967295"}),
    "ubig": ("BIGINT UNSIGNED", "numeric(20,0)", {"18446744073709551615": "18446744073709551615"}),
    "big": ("BIGINT", "bigint", {"-9223372036854775808": "-9223372036854775808"}),
    "filled": ("INT(5) ZEROFILL", "bigint", {"42": "42"}),
    "single": ("FLOAT", "real", {"1234567": "1.234567e+06", "0.1": "0.1", "16777216": "1.6777216e+07"}),
    "edge": ("FLOAT", "real", {"3.4028234e38": "3.4028235e+38", "1.17549435e-38": "1.1754944e-38"}),
    "wide": ("DOUBLE", "double precision", {"0.1": "0.1", "1.7976931348623157e308": "1.7976931348623157e+308"}),
    "exact": ("DECIMAL(30,10)", "numeric(30,10)", {"12345678901234567890.0123456789": None, "-0.5": "-0.5000000000"}),
    "bits": ("BIT(10)", "bit(10)", {"b'1000000101'": "1000000101", "b'1'": "0000000001"}),
    "one": ("BIT(1)", "bit(1)", {"b'1'": "1", "b'0'": "0"}),
    "y": ("YEAR", "smallint", {"2024": "2024", "0": "0"}),
    "d": ("DATE", "date", {"'1000-01-01'": "1000-01-01", "'9999-12-31'": "9999-12-31"}),
    "t": ("TIME", "interval(0)", {"'-838:59:59'": "-838:59:59", "'25:00:01'": "25:00:01"}),
    "t6": ("TIME(6)", "interval(6)", {"'-00:00:00.000001'": "-00:00:00.000001"}),
    "dt": ("DATETIME(6)", "timestamp(6) without time zone", {"'2024-02-29 23:59:59.999999'": None}),
    "ts": (
        "TIMESTAMP(3) NULL",
        "timestamp(3) with time zone",
        {"'2024-07-01 10:00:00.123'": "2024-07-01 10:00:00.123+00"},
    ),
    "latin": ("VARCHAR(9) CHARACTER SET latin1", "character varying(9)", {"'Müller€'": "Müller€"}),
    "three": ("VARCHAR(9) CHARACTER SET utf8mb3", "character varying(9)", {"'ä山'": "ä山"}),
    "four": ("VARCHAR(9) CHARACTER SET utf8mb4", "character varying(9)", {"'a😀 '": "a😀 ", "''": ""}),
    "fixed": ("CHAR(5)", "character(5)", {"'ab   '": "ab"}),
    "long_text": ("LONGTEXT", "text", {r"'tab\tnew\nback\\slash\\N'": "tab\tnew\nback\\slash\\N"}),
    "bin": ("BINARY(3)", "bytea", {"x'00ff'": r"\x00ff00"}),
    "medium": ("MEDIUMBLOB", "bytea", {"x'00ff5c'": r"\x00ff5c", "''": r"\x"}),
    "word": ("ENUM('a','b c','ü')", "text", {"'b c'": "b c", "'ü'": "ü"}),
    "words": ("SET('a','b','c')", "text", {"'c,a'": "a,c", "''": ""}),
}
# What a producer may set, for everybody or for this user.
HOSTILE = (
    "SET GLOBAL sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
    "SET GLOBAL time_zone = '+05:30'",
    "SET GLOBAL sql_select_limit = 1",
    "SET GLOBAL max_statement_time = 0.000001",
    "SET GLOBAL character_set_server = 'latin1'",
    "SET GLOBAL init_connect = 'SET NAMES latin1'",
)


@of_mariadb
def test_every_type_of_mysql_is_described_and_arrives_as_it_is(case, producer):
    columns = ", ".join(f"{name} {definition}" for name, (definition, _, _) in MARIADB.items())
    rows = []
    for name, (_, _, values) in MARIADB.items():
        rows += [(name, written, written.strip("'") if text is None else text) for written, text in values.items()]
    inserts = [f"INSERT INTO t (id, {name}) VALUES ({n}, {written})" for n, (name, written, _) in enumerate(rows)]
    run_all(producer, "SET time_zone = '+00:00'", f"CREATE TABLE t (id INT PRIMARY KEY, {columns})", *inserts)
    assert describe(case, producer) == {"id": "integer"} | {name: kind for name, (_, kind, _) in MARIADB.items()}
    case.run(LIVE)
    found = merged(case)
    assert {(name, n): found[name][n] for n, (name, _, _) in enumerate(rows)} == {
        (name, n): text for n, (name, _, text) in enumerate(rows)
    }
    run_all(producer, "UPDATE t SET single = 1234568 WHERE single = 1234567")
    assert case.run(LIVE).total.updated == 1


@of_mariadb
def test_the_settings_of_a_mysql_server_change_no_value_and_end_no_batch(case, producer):
    run_all(
        producer,
        "SET time_zone = '+00:00'",
        "CREATE TABLE t (id INT PRIMARY KEY, c CHAR(5), ts TIMESTAMP NULL, w TEXT) CHARACTER SET utf8mb4",
        "INSERT INTO t VALUES (1, 'a', '2024-01-01 00:00:00', '山\\\\'), (2, 'b', NULL, NULL)",
        "CREATE VIEW v AS SELECT 1 AS id, group_concat(repeat('x', 600000) ORDER BY t.id) AS w FROM t",
    )
    types = (Column("id", "integer", nullable=False), Column("w", "text"))
    describe(case, producer)
    case.datasets = (*case.datasets, Dataset("v", types, ("id",)))
    kept = ["sql_mode", "time_zone", "sql_select_limit", "max_statement_time", "character_set_server", "init_connect"]
    with closing(producer.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'@@global.{name}' for name in kept)}")
        before = cursor.fetchone()
        try:
            for statement in HOSTILE:
                cursor.execute(statement)
            assert case.run(LIVE).total.total == 3
        finally:
            for name, value in zip(kept, before, strict=True):
                cursor.execute(f"SET GLOBAL {name} = %s", (value,))
    rows = dict(case.query('SELECT id, ts::text || w || length(c::text) FROM "yellowlive_Store1_t_merge"'))
    assert rows[1] == "2024-01-01 00:00:00+00山\\1"
    assert case.query('SELECT length(w) FROM "yellowlive_Store1_v_merge"') == [(1_200_001,)]


REFUSED_OF_MARIADB = [
    # definition, value, the model's type, what is said, what to do
    ("FLOAT", "16777217e3", "integer", "a number beyond the range", None),
    ("DECIMAL(10,3)", "1.005", "numeric(10,2)", "a number that the type would round", "keeps every digit"),
    ("DOUBLE", "0.1", "real", "a number that the type would round", "double precision"),
    ("BIGINT UNSIGNED", "18446744073709551615", "bigint", "a number beyond the range", "numeric"),
    ("TINYINT(1)", "2", "boolean", "an integer where the model has boolean", None),
    ("DATE", "'0000-00-00'", "date", "a date or time that does not exist", "NULLIF"),
    ("DATE", "'2024-00-15'", "date", "a date or time that does not exist", "NULLIF"),
    ("DATETIME", "'0000-00-00 00:00:00'", "timestamp", "a date or time that does not exist", "NULLIF"),
    ("DATETIME(3)", "'2024-01-01 00:00:00.5'", "timestamp(0)", "a time that is finer than the type", "timestamp(6)"),
    ("DATETIME", "'2024-01-01 10:00:00'", "date", "a time of day", "timestamp"),
    ("TIME", "'25:00:00'", "time", "a time below zero or of more than a day", "interval"),
    ("TIME", "'-00:00:01'", "time", "a time below zero or of more than a day", "interval"),
    ("VARCHAR(9)", "'abc   '", "varchar(3)", "a text that is longer than the type", "text"),
    ("VARCHAR(9)", "'ab '", "char(3)", "blanks at the end", "text"),
    ("BLOB", "x'00ff'", "text", "bytes where the model has text", None),
    ("TEXT", "'x'", "bytea", "a text where the model has bytea", None),
    ("VARCHAR(9)", "'now'", "timestamp", "a text that is no date or time", "text"),
    ("VARCHAR(9)", "'tomorrow'", "date", "a text that is no date or time", "text"),
    ("TEXT", "concat('a', char(0))", "text", "the character NUL", "Remove"),
    ("TEXT", r"""'{"a": "\\u0000"}'""", "jsonb", "a character that the merge store cannot hold", "UTF8"),
    ("TEXT", "'{'", "jsonb", "a value that is none of the model's type", None),
    ("BIT(9)", "b'100000000'", "bit(8)", "a number beyond the range", None),
]
# SQLite binds no value to its column's type.
REFUSED_OF_SQLITE = [
    ("TEXT", "x'00ff'", "text", "bytes where the model has text", None),
    ("BLOB", "'x'", "bytea", "a text where the model has bytea", None),
    ("INTEGER", "'twelve'", "bigint", "a text where the model has bigint", None),
    ("INTEGER", "1.5", "bigint", "a number that the type would round", None),
    ("INTEGER", "3000000000", "integer", "a number beyond the range", "larger type"),
    ("INTEGER", "x'01'", "bigint", "bytes where the model has bigint", None),
    ("REAL", "'much'", "double precision", "a text where the model has double precision", None),
    ("BLOB", "9007199254740993", "double precision", "a number that the type would round", None),
    ("NUMERIC", "'much'", "numeric", "a text where the model has numeric", None),
    ("BOOLEAN", "2", "boolean", "an integer where the model has boolean", None),
    ("BOOLEAN", "'maybe'", "boolean", "a text where the model has boolean", None),
    ("VARCHAR(3)", "'abcd'", "varchar(3)", "a text that is longer than the type", "text"),
    ("TEXT", "'a' || char(0)", "text", "the character NUL", "Remove"),
    ("TEXT", "CAST(x'ff' AS TEXT)", "text", "a text that is no valid UTF-8", "bytea"),
    *[
        ("DATETIME", f"'{word}'", "timestamp", "no date or time", "text")
        for word in ("now", "today", "infinity", "epoch")
    ],
    ("DATETIME", "'2024-01-01 allballs'", "timestamp", "no date or time", "text"),
    ("DATETIME", "1700000000", "timestamp", "an integer where the model has timestamp", None),
    ("DATETIME", "2460310.5", "timestamp", "a floating point number where the model has", None),
    ("DATETIME", "'2024-01-01 10:00+02:00'", "timestamp", "a time with a zone", "with time zone"),
    ("DATETIME", "'2024-01-01 10:00:00.1234567'", "timestamp", "finer than the type", "timestamp(6)"),
    ("DATETIME", "'2023-02-29'", "timestamp", "a date or time that does not exist", "NULLIF"),
    ("DATE", "'2024-01-01 10:00'", "date", "a time of day", "timestamp"),
    ("TIME", "'allballs'", "time", "no date or time", "text"),
]


@pytest.mark.parametrize(
    ("producer", "cases"),
    [("mariadb", REFUSED_OF_MARIADB), ("sqlite", REFUSED_OF_SQLITE)],
    indirect=["producer"],
    ids=["mariadb", "sqlite"],
)
def test_a_value_that_the_store_would_hold_otherwise_is_refused_by_column_and_number_of_rows(case, producer, cases):
    names = [f"c{n}" for n in range(len(cases))]
    definitions = ", ".join(f"{name} {of[0]}" for name, of in zip(names, cases, strict=True))
    loose = () if producer.kind.value == "sqlite" else ("SET sql_mode = ''",)
    inserts = [
        f"INSERT INTO t (id, {name}) VALUES ({2 * n + k}, {of[1]})"
        for n, (name, of) in enumerate(zip(names, cases, strict=True))
        for k in (1, 2)
    ]
    run_all(producer, *loose, f"CREATE TABLE t (id INTEGER PRIMARY KEY, {definitions})", *inserts)
    for name, (definition, value, kind, what, todo) in zip(names, cases, strict=True):
        case.datasets = (Dataset("t", (Column("id", "integer", nullable=False), Column(name, kind)), ("id",)),)
        with pytest.raises(ValuesRejected) as caught:
            case.run(LIVE)
        reported = f"{definition} {value} {kind}: {caught.value}"
        assert f"dataset t: column {name}:" in str(caught.value), reported
        assert what in str(caught.value), reported
        assert "key: id" in str(caught.value), reported
        assert todo is None or todo in caught.value.todo, reported
        assert not caught.value.retryable
        if "jsonb" not in kind:  # those the merge store's server refuses, at the first
            assert ": 2 rows with" in str(caught.value), reported
    assert case.versions(LIVE, case.datasets[0]) == []


SQLITE = {
    "i": ("INTEGER", {"9223372036854775807": "9223372036854775807", "'12'": "12", "2.0": "2"}),
    "r": ("REAL", {"0.1": "0.1", "9e999": "Infinity", "1": "1"}),
    "n": ("DECIMAL(12,2)", {"1.005": "1.005", "12": "12", "1e20": "100000000000000000000"}),
    "w": ("VARCHAR(3)", {"'longer than that '": "longer than that ", "12": "12", "''": ""}),
    "anything": ("", {"12": "12", "1.5": "1.5", "'x'": "x"}),
    "raw": ("BLOB", {"x'00ff5c'": r"\x00ff5c", "x''": r"\x"}),
    "stamp": (
        "DATETIME",
        {"'2024-01-02'": "2024-01-02 00:00:00", "'2024-01-02T03:04:05.678'": "2024-01-02 03:04:05.678"},
    ),
    "d": ("DATE", {"'2024-01-02'": "2024-01-02", "'2024-01-03 00:00:00'": "2024-01-03"}),
    "t": ("TIME", {"'03:04'": "03:04:00"}),
    "b": ("BOOLEAN", {"1": "true", "0": "false", "'TRUE'": "true"}),
}


@of_sqlite
def test_values_of_sqlite_arrive_as_they_are_whatever_their_column_s_type(case, producer):
    columns = ", ".join(f"{name} {definition}" for name, (definition, _) in SQLITE.items())
    rows = [(name, written, text) for name, (_, values) in SQLITE.items() for written, text in values.items()]
    inserts = [f"INSERT INTO t (id, {name}) VALUES ({n}, {written})" for n, (name, written, _) in enumerate(rows)]
    run_all(producer, f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns})", *inserts)
    describe(case, producer)
    case.run(LIVE)
    found = merged(case)
    assert {(name, n): found[name][n] for n, (name, _, _) in enumerate(rows)} == {
        (name, n): text for n, (name, _, text) in enumerate(rows)
    }


@pytest.mark.parametrize(
    "name", ["100%.db", "a%20b.db", "a#b.db", "a?b.db", "a?mode=rwc.db", "a;b&c=d.db", "ü 山.db", "'q\".db"]
)
def test_just_the_file_that_is_named_is_opened_and_none_is_made(tmp_path, name):
    import sqlite3

    from config_schema.model import Database, SourceKind
    from merge_jobs.sources.opening import open_source

    with closing(sqlite3.connect(tmp_path / name)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, w TEXT)")
    place = place_of(Database("h", str(tmp_path / name), "none", kind=SourceKind.SQLITE), None, {})
    assert place_of_dsn(f"sqlite:///{tmp_path / name}", "public", None).database == place.database
    table = Dataset("t", (Column("id", "bigint"),), ("id",))
    with open_source(place, "t") as source:
        source.begin([table])
        assert list(source.columns(table)) == ["id", "w"]
        with pytest.raises(SourceTableMissing) as missing:
            source.begin([Dataset("nope", (), ())])
        assert missing.value.table == "nope"
    assert [path.name for path in tmp_path.iterdir()] == [name]
