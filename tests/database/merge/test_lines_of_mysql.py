"""The lines that MySQL itself writes of its rows mean what the encoders write of the same rows, whatever the values."""

from __future__ import annotations

import io
import random
from contextlib import closing
from unittest.mock import patch

import psycopg2
import pytest

from config_schema.model import Column, Dataset
from config_schema.model.sql_types import long_name
from merge_jobs.database.connections import place_of
from merge_jobs.errors import ValuesRejected
from merge_jobs.misfit import NUL
from merge_jobs.sources.sql.source import RowsDiffer, SqlAlchemySource
from tests.database.merge.producers import read_from
from tests.database.merge.test_values_of_other_databases import LIVE, describe, merged, run_all

pytestmark = pytest.mark.parametrize("producer", ["mariadb"], indirect=True)

LATIN = "\t\n\r\\N'\"\b\x01\x1f\x7f\u00a0 %,;|ab0\u00fc"
CHARACTERS = LATIN + "\u5c71\U0001f600"
# A column's definition, the types that its values are read as, and a random value.
COLUMNS = {
    "tiny": ("TINYINT", ("smallint", "bigint", "numeric(9,2)"), lambda r: r.randint(-128, 127)),
    "flag": ("TINYINT(1)", ("boolean", "smallint"), lambda r: r.randint(0, 1)),
    "big": ("BIGINT UNSIGNED", ("numeric(20,0)", "numeric"), lambda r: r.randint(0, 2**64 - 1)),
    "filled": ("INT(9) ZEROFILL", ("bigint",), lambda r: r.randint(0, 2**32 - 1)),
    "y": ("YEAR", ("smallint", "integer"), lambda r: r.choice([0, 1901, 2155])),
    "exact": ("DECIMAL(38,12)", ("numeric(38,12)", "numeric"), lambda r: _decimal(r)),
    "wide": ("DOUBLE", ("double precision",), lambda r: r.choice([-1, 1]) * r.random() * 10.0 ** r.randint(-300, 300)),
    "single": ("FLOAT", ("real",), lambda r: r.choice([-1, 1]) * r.random() * 10.0 ** r.randint(-37, 37)),
    "latin": ("VARCHAR(30) CHARACTER SET latin1", ("varchar(30)", "text"), lambda r: _text(r, LATIN)),
    "wide_text": ("TEXT CHARACTER SET utf16 COLLATE utf16_unicode_ci", ("text",), lambda r: _text(r, CHARACTERS)),
    "four": ("VARCHAR(40) COLLATE utf8mb4_unicode_ci", ("varchar(40)", "varchar(50)"), lambda r: _text(r, CHARACTERS)),
    "fixed": ("CHAR(9)", ("character(9)", "text"), lambda r: _text(r, CHARACTERS)[:9].rstrip(" ")),
    "long_text": ("LONGTEXT", ("text",), lambda r: _text(r, CHARACTERS) * r.choice([1, 1, 1, 20_000])),
    "word": ("ENUM('a','b\\tc','\u00fc')", ("text",), lambda r: r.randint(1, 3)),
    "words": ("SET('a','b','c')", ("text",), lambda r: r.randint(0, 7)),
    "document": ("TEXT", ("jsonb", "json"), lambda r: '{"a\\\\b": "\\\\\\u0009", "n": [1.50, null]}'),
    "bin": ("BINARY(3)", ("bytea",), lambda r: r.randbytes(3)),
    "blob_": ("MEDIUMBLOB", ("bytea",), lambda r: r.randbytes(r.choice([0, 1, 100, 70_000]))),
    "d": ("DATE", ("date",), lambda r: _day(r, 1, 9999)),
    "dt": ("DATETIME(4)", ("timestamp(4)", "timestamp"), lambda r: f"{_day(r, 1, 9999)} 23:59:59{_fraction(r, 4)}"),
    "ts": ("TIMESTAMP(6) NULL", ("timestamptz",), lambda r: f"{_day(r, 1971, 2037)} 02:30:00{_fraction(r, 6)}"),
    "t": ("TIME(3)", ("interval(3)",), lambda r: f"{r.randint(-837, 837)}:59:59{_fraction(r, 3)}"),
}
ROWS = 120


def _decimal(random_: random.Random) -> str:
    return f"{random_.randint(-(10**25), 10**25)}e-{random_.randint(0, 12)}"


def _day(random_: random.Random, first: int, last: int) -> str:
    return f"{random_.randint(first, last):04}-{random_.randint(1, 12):02}-{random_.randint(1, 28):02}"


def _fraction(random_: random.Random, places: int) -> str:
    return f".{random_.randint(0, 10**places - 1):0{places}}"


def _text(random_: random.Random, characters: str) -> str:
    return "".join(random_.choices(characters, k=random_.randint(0, 30)))


@pytest.fixture
def case(merging, producer):
    made = merging("SELECT 1")
    read_from(made, producer)
    return made


def fill(producer, names: list[str], random_: random.Random) -> None:
    """Make the table t with these columns and random rows, a fifth of the values NULL."""
    definitions = ", ".join(f"`{name}` {COLUMNS[name][0]}" for name in names)
    places = ", ".join(["%s"] * (len(names) + 1))
    with closing(producer.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {definitions}) CHARACTER SET utf8mb4")
        for number in range(ROWS):
            row = [None if random_.random() < 0.2 else COLUMNS[name][2](random_) for name in names]
            cursor.execute(f"INSERT INTO t VALUES ({places})", (number, *row))
        connection.commit()


def read(case, source: SqlAlchemySource, dataset: Dataset) -> list[tuple[str | None, ...]]:
    """What a table of the merge store contains of the source's rows."""
    types = {column.name: long_name(column.type) for column in dataset.columns}
    written = io.BytesIO()
    rows = source.copy_out(dataset, types, False, written)
    columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
    shown = ", ".join(f'"{name}"::text' for name in types)
    with closing(psycopg2.connect(case.target.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'")
        cursor.execute(f"CREATE TEMPORARY TABLE t ({columns})")
        written.seek(0)
        cursor.copy_expert("COPY t FROM STDIN (ENCODING 'utf8')", written)
        assert cursor.rowcount == rows
        cursor.execute(f"SELECT {shown} FROM t ORDER BY id")
        return cursor.fetchall()


@pytest.mark.parametrize("seed", range(2))
def test_lines_of_the_server_mean_what_the_encoders_write(case, producer, seed):
    names = list(COLUMNS)
    fill(producer, names, random.Random(seed))
    place = place_of(producer.database(), None, case.secrets)
    with SqlAlchemySource(place) as source:
        for turn in range(3):  # each column as each of its types
            of = [Column(name, kinds[turn % len(kinds)]) for name, (_, kinds, _) in COLUMNS.items()]
            dataset = Dataset("t", (Column("id", "integer", nullable=False), *of), ("id",))
            source.begin([dataset])
            types = {column.name: long_name(column.type) for column in dataset.columns}
            lines = source._lines(dataset, types)
            assert lines is not None
            by_lines = read(case, source, dataset)
            with patch.object(SqlAlchemySource, "_lines", return_value=None):
                assert by_lines == read(case, source, dataset)
            assert len(by_lines) == ROWS


def test_what_the_server_may_not_write_the_encoders_write_or_refuse(case, producer):
    run_all(
        producer,
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        "CREATE TABLE t (id INT PRIMARY KEY, w LONGTEXT, d DATE, dt DATETIME) CHARACTER SET utf8mb4",
        r"INSERT INTO t VALUES (1, repeat('a\\b', 70000), '2024-02-29', NULL), (2, '\\N', NULL, '0001-01-01')",
    )
    describe(case, producer)
    assert case.run(LIVE).total.inserted == 2
    assert merged(case)["w"] == ["a\\b" * 70_000, "\\N"]
    for value in ("'2024-02-31'", "'0000-00-00'", "'2024-00-10'", "'2023-02-29'"):
        run_all(
            producer, "SET sql_mode = 'ALLOW_INVALID_DATES'", f"UPDATE t SET d = {value}, dt = {value} WHERE id = 2"
        )
        with pytest.raises(ValuesRejected) as caught:
            case.run(LIVE)
        assert [(one.column, one.rows) for one in caught.value.found] == [("d", 1), ("dt", 1)], value
    run_all(producer, "UPDATE t SET d = NULL, dt = NULL, w = concat('x', char(0)) WHERE id = 2")
    with pytest.raises(ValuesRejected) as caught:
        case.run(LIVE)
    assert [(one.column, one.what, one.rows) for one in caught.value.found] == [("w", NUL[0], 1)]
    assert merged(case)["w"] == ["a\\b" * 70_000, "\\N"]


def test_lines_that_may_be_longer_than_a_packet_are_not_asked_for(case, producer):
    wide = ", ".join(f"w{n} TEXT" for n in range(40))
    run_all(
        producer, f"CREATE TABLE t (id INT PRIMARY KEY, {wide}) CHARACTER SET utf8mb4", "INSERT INTO t (id) VALUES (1)"
    )
    describe(case, producer)
    (dataset,) = case.datasets
    types = {column.name: long_name(column.type) for column in dataset.columns}
    with SqlAlchemySource(place_of(producer.database(), None, case.secrets)) as source:
        source.begin([dataset])
        assert source._lines(dataset, types) is None
    assert case.run(LIVE).total.inserted == 1


def test_a_view_that_gives_other_rows_a_second_time_is_refused(case, producer):
    run_all(
        producer,
        "CREATE TABLE t (id INT PRIMARY KEY) CHARACTER SET utf8mb4",
        "INSERT INTO t SELECT seq FROM seq_1_to_64",
        "CREATE VIEW v AS SELECT id, IF(rand() < 0.5, 'a', concat('a', char(0))) AS w FROM t",
    )
    describe(case, producer)
    case.datasets = (Dataset("v", (Column("id", "integer", nullable=False), Column("w", "text")), ("id",)),)
    with pytest.raises((RowsDiffer, ValuesRejected)):
        case.run(LIVE)
    assert case.versions(LIVE, case.datasets[0]) == []
