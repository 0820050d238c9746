"""What is written by columns, or as it is, is what the encoders write row by row: on texts and values of every kind."""

from __future__ import annotations

import io
import math
import random
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import sql
from pyarrow import parquet

from config_schema.errors import StreamFactoryError
from config_schema.model import Column, Dataset, FileOptions, SourceKind
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.misfit import Misfit
from merge_jobs.sources.files import source as source_module
from merge_jobs.sources.files import utf8_lines
from merge_jobs.sources.files.csv_text import certain_lines, columns_of
from merge_jobs.sources.files.formats import LinePart, Reader
from merge_jobs.sources.files.source import FilesSource
from merge_jobs.sources.values.arrow_text import ArrowColumn, ColumnWriter
from merge_jobs.sources.values.encoders import encoder
from merge_jobs.sources.values.patterns import pattern, up_to
from merge_jobs.sources.values.row_writer import line

# The types as format_type() writes them, and texts that a column of each takes, or nearly.
TYPES = (
    *("smallint", "integer", "bigint", "numeric", "numeric(5,2)", "numeric(12,8)", "numeric(3,0)", "numeric(2,2)"),
    *("numeric(3,-2)", "double precision", "real", "boolean", "date", "timestamp without time zone"),
    *("timestamp(0) without time zone", "timestamp(3) with time zone", "timestamp with time zone"),
    *("time without time zone", "time(3) with time zone", "interval", "uuid", "bytea", "bit(3)", "bit varying(3)"),
    *("text", "character varying(3)", "character varying(60)", "character(3)", "name", "json", "jsonb", "inet"),
    *("integer[]", "int4range"),
)
TEXTS = """
0|-0|+0|1|007|+5|-5|32767|32768|-32768|-32769|2147483647|2147483648|-2147483648|9223372036854775807
9223372036854775808|99999999999999999999|1.5|1.50|1.500|.5|5.|-.5|1e2|1E-2|0x1F|1_000|12345.67|123.45|123.456
0.0000001|0.00000000|0.12345678|0.123456789|99|99.99|999.99|1000|NaN|nan|Infinity|-inf|inf|16777217|9007199254740993
123456789.1234567|1e400|1e-400|true|TRUE|tRuE|t|T|yes|y|on|off|of|no|n|f|false|tr|2|ſ|yeſ|2024-02-29|2023-02-29
2000-02-29|1900-02-29|2100-02-29|0000-01-01|0001-01-01|0999-12-31|1000-01-01|9999-12-31|10000-01-01|2024-13-01
2024-00-10|2024-04-31|2024-06-30|2024-1-1|20240101|infinity|today|now|epoch|2024-01-01 00:00|2024-01-01 00:00:00
2024-01-01T12:34:56|2024-01-01 12:34:56.5|2024-01-01 12:34:56.123456|2024-01-01 12:34:56.1234567
2024-01-01 12:34:56.1230000|2024-01-01 23:59:60|2024-01-01 24:00:00|2024-01-01 12:34:56Z|2024-01-01 12:34:56+02
2024-01-01 12:34:56+02:30|2024-01-01T12:34:56-0530|2024-01-01 12:34:56+15:00|2024-01-01 12:34:56+99:99
2024-01-01T12:34Z|2024-01-01 12:34:56 Z|2024-01-01t12:34:56z|2024-01-01 12:34:56.|1000-01-01 00:00:00+14
12:34|12:34:56|12:34:56.789|12:34:56.7891|24:00:00|23:59:60|12:34:56+02|12:34:56Z|25:00|36:00:00|-1:02:03|1:60:00
6f1b0d3a-8e0b-4f0e-9d7e-0123456789ab|6F1B0D3A-8E0B-4F0E-9D7E-0123456789AB|{6f1b0d3a-8e0b-4f0e-9d7e-0123456789ab}
6f1b0d3a8e0b4f0e9d7e0123456789ab|urn:uuid:6f1b0d3a-8e0b-4f0e-9d7e-0123456789ab|abc|abcd|äöü|äöüß|山山山| ab|ab | |  |a b
\\N|\\.|\\|a\\nb|NULL|null|101|0101|11111|\\x00ff|[1, 2]|{"a": 1}|{"a"|1 2|"|""|a"b|'|192.168.0.1|::1/64|{1,2}|[1,5)
""".replace("\n", "|").split("|")
SIGNS = "0123456789.+-eE:TZ tf\\\"'\t\r\né山"


def _texts(seed: int) -> list[str]:
    draw, found = (
        random.Random(seed),
        dict.fromkeys([*TEXTS, "a\tb", "a\nb", "a\r\nb", "x" * 60, "é" * 40, "x" * 61, "1\n"]),
    )
    for text in list(found):
        at = draw.randrange(len(text) + 1)
        sign = draw.choice(SIGNS)
        found[draw.choice([text[:at] + sign + text[at:], text[:at] + text[at + 1 :]])] = None
    return [text for text in found if "\0" not in text]


@dataclass
class Compared:
    """Two tables of a type, filled with what was written in the two ways."""

    cursor: object
    number: int = 0

    def check(self, kind: str, pairs: list[tuple[bytes, bytes]]) -> None:
        """Compare pairs of lines of one column: PostgreSQL has the same value of both, or takes neither."""
        self.number += 1
        table = sql.Identifier(f"c{self.number}")
        good = [(one, other) for one, other in pairs if one != other]
        if not good:
            return
        self.cursor.execute(sql.SQL("CREATE TEMPORARY TABLE {} (n integer, v {})").format(table, sql.SQL(kind)))
        for way, where in enumerate((0, 100_000)):
            text = b"".join(b"%d\t%b" % (i + where, pair[way]) for i, pair in enumerate(good))
            self.cursor.copy_expert(sql.SQL("COPY {} FROM STDIN").format(table), io.BytesIO(text))
        self.cursor.execute(
            sql.SQL(
                "SELECT a.n FROM {0} a JOIN {0} b ON b.n = a.n + 100000 WHERE a.v::text IS DISTINCT FROM b.v::text"
            ).format(table)
        )
        assert [good[n] for (n,) in self.cursor.fetchall()] == [], kind


@pytest.fixture
def compared(new_database):
    with closing(new_database("columns").connect()) as session, session.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        yield Compared(cursor)


def _by_row(value: object, kind: str) -> bytes | None:
    try:
        return line([value], [encoder(kind)]).encode()
    except Misfit:
        return None


@pytest.mark.parametrize("null", ["", "\\N"])
def test_a_text_that_is_certain_is_one_that_its_column_takes_with_the_same_value(compared, null):
    options, certain = FileOptions(null=null), 0
    for kind in TYPES:
        lines, pairs = certain_lines(options, ["v", "n"], [0, 1], [kind, "integer"]), []
        for i, text in enumerate(_texts(len(kind)) if null == "" else TEXTS):
            if lines is None or any(sign in text for sign in '",\r\n'):
                continue
            for written in (text, f'"{text}"')[: 1 + i % 2]:
                found = lines.text(f"{written},1\n".encode())
                if found is None:
                    continue
                by_row = _by_row(None if text == null else text, kind)
                assert by_row is not None, (kind, text)
                assert found.endswith(b"\t1\n")
                pairs.append((found.removesuffix(b"\t1\n") + b"\n", by_row))
        certain += len(pairs)
        compared.check(kind, pairs)
    assert certain > 500


def test_a_column_of_texts_is_written_as_the_encoders_write_it(compared):
    for kind in TYPES:
        writer, pairs, fitting = ColumnWriter([kind], [encoder(kind)]), [], []
        for text in [*_texts(len(kind)), None, "\0", "a\0"]:
            found, by_row = writer.lines(columns_of([(1, [text])])), b"\\N\n" if text is None else _by_row(text, kind)
            assert (found is None) == (by_row is None), (kind, text)
            if found is not None:
                pairs.append((found, by_row))
                fitting.append(text)
        compared.check(kind, pairs)
        of_all = writer.lines(columns_of([(1, [text]) for text in fitting]))
        assert of_all is not None
        assert of_all.count(b"\n") == len(fitting)


def _arrays() -> list[pa.Array]:
    stamps = [
        datetime(1, 1, 1),
        datetime(999, 12, 31, 23),
        datetime(1000, 1, 1),
        datetime(2024, 2, 29, 1, 2, 3, 456000),
    ]
    stamps += [datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(1969, 12, 31, 23, 59, 59, 1), datetime(2024, 1, 1)]
    east = timezone(timedelta(hours=5, minutes=30))
    integers = [0, 1, -1, 127, 32767, 32768, -32769, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63), 99999, 100]
    decimals = [Decimal(one) for one in ("0", "0.00", "1.50", "-999.99", "1000", "0.01", "99.90", "-0.01")]
    floats = [0.0, -0.0, 1.0, 0.1, 1e22, 1e-7, 1.5e300, -2.5, math.nan, math.inf, -math.inf, 123456789.125, 5e-324]
    texts = [one for one in _texts(1) if not any(sign in one for sign in "\0")]
    return [
        pa.array(integers, pa.int64()),
        pa.array([2**64 - 1, 5], pa.uint64()),
        pa.array([1, None, -128], pa.int8()),
        pa.array(decimals, pa.decimal128(12, 2)),
        pa.array([Decimal("1E-10"), Decimal("0E-10"), Decimal("12.3400000000"), None], pa.decimal128(38, 10)),
        pa.array([Decimal("1" * 50), Decimal(-1)], pa.decimal256(60, 0)),
        pa.array([Decimal(1200), Decimal(100)], pa.decimal128(5, -2)),
        pa.array(floats, pa.float64()),
        pa.array([0.1, 1e30, 16777216.0, None, -0.0, math.nan, 1e-40], pa.float32()),
        pa.array([True, False, None]),
        pa.array([date(1, 1, 1), date(999, 1, 1), date(1000, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]),
        pa.array([-(2**31), 2**31 - 1, -719163], pa.int32()).cast(pa.date32()),
        *(pa.array(stamps, pa.timestamp(unit)).cast(pa.timestamp(unit)) for unit in ("us",)),
        pa.array([one.replace(microsecond=0) for one in stamps], pa.timestamp("s")),
        pa.array([one.replace(microsecond=0) for one in stamps], pa.timestamp("ms")),
        pa.array([one.replace(tzinfo=UTC) for one in stamps], pa.timestamp("us", "UTC")),
        pa.array([one.replace(tzinfo=east) for one in stamps[2:4]], pa.timestamp("us", "Asia/Kolkata")),
        pa.array([datetime(2024, 1, 1)], pa.timestamp("ns")),
        pa.array([2**62, -(2**62)], pa.int64()).cast(pa.timestamp("us", "UTC")),
        pa.array([time(1, 2, 3), time(23, 59, 59, 999999)], pa.time64("us")),
        pa.array([timedelta(hours=36)], pa.duration("us")),
        pa.array(texts, pa.string()),
        pa.array(texts, pa.large_string()),
        pa.array(["a", None, "b", "a"]).dictionary_encode(),
        pa.array([b"\xff\x00", b""], pa.binary()),
        pa.array([[1, 2], None], pa.list_(pa.int64())),
        pa.array([{"a": 1}], pa.struct([("a", pa.int64())])),
        pa.array([None, None], pa.null()),
        pa.Array.from_buffers(
            pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
        ),  # no UTF-8
    ]


def test_a_column_of_parquet_is_written_as_the_encoders_write_it(compared):
    checked = 0
    for kind in TYPES:
        writer, pairs = ColumnWriter([kind], [encoder(kind)]), []
        for array in _arrays():
            for row in range(len(array)):
                one = array.slice(row, 1)
                try:
                    (value,) = one.to_pylist()
                    by_row = b"\\N\n" if value is None else _by_row(value, kind)
                except (ValueError, OverflowError, pa.ArrowException):
                    by_row = None
                found = writer.lines([ArrowColumn(one, pa.Array.to_pylist)])
                assert (found is None) == (by_row is None), (kind, array.type, row)
                if found is not None:
                    pairs.append((found, by_row))
        checked += len(pairs)
        compared.check(kind, [pair for pair in pairs if "range" not in kind and "[" not in kind and kind != "inet"])
    assert checked > 1000


def test_whole_numbers_up_to_one_are_those_and_no_others():
    import re

    for most in (0, 1, 9, 10, 99, 100, 127, 1000, 2047, 9999):
        found = re.compile(up_to(most))
        assert [n for n in range(12_000) if found.fullmatch(str(n))] == list(range(most + 1)), most
    for kind, most in (("smallint", 2**15), ("integer", 2**31), ("bigint", 2**63)):
        found = re.compile(str(pattern(kind)))
        assert [bool(found.fullmatch(str(most + i))) for i in (-2, -1, 0, 1)] == [True, True, False, False]


COLUMNS = (
    Column("id", "integer", nullable=False),
    Column("a", "varchar(3)"),
    Column("b", "text"),
    Column("amount", "numeric(5,2)"),
)
KINDS = {"id": "integer", "a": "character varying(3)", "b": "text", "amount": "numeric(5,2)"}
HEADS = (b"id,a,b,amount\n", b"amount,b,x,a,id\r\n", b"\xef\xbb\xbfid,a,b,amount,x\n", b'"id","a","b","amount"\r')
TOKENS = [
    *(
        b",",
        b",",
        b",",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b'"',
        b'""',
        b'"a"',
        b'","',
        b'"\n',
        b"\\N",
        b"\\.",
        b"\t",
        b"\\",
    ),
    *(b"1", b"23", b"1.5", b"a", b"ab", b"abc", b"abcd", "é".encode(), "山".encode(), b"\xff", b"\0", b" ", b"-0"),
    *(b"1,a,b,2.50\n", b'2,"x","y z",3\n', b'3,,"q,""r""",\n', b"4,,,\n", b"5,a,b,c,d\n", b"\n", b'"6","a\nb",c,1\r\n'),
]


class OfAFolder:
    """The source of files in a folder, read by columns or not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        address = ("localhost", 0, str(path), "public", "", "", SourceKind.FILES)
        self.source = FilesSource(ConnectionInfo(*address))

    def read(self, name: str, content: bytes, options: FileOptions | None = None) -> bytes | str:
        """Return the lines of a file, or the error."""
        (self.path / name).write_bytes(content)
        dataset, into = Dataset("t", COLUMNS, ("id",), table=name, files=options), io.BytesIO()
        try:
            self.source.begin([dataset])
            rows = self.source.copy_out(dataset, KINDS, False, into)
        except StreamFactoryError as error:
            return str(error)
        assert into.getvalue().count(b"\n") == rows
        return into.getvalue()


@pytest.fixture(scope="module")
def of_a_folder(tmp_path_factory):
    return OfAFolder(tmp_path_factory.mktemp("in"))


def _meaning(found: bytes | str) -> object:
    if isinstance(found, str):
        return found
    rows = [row.split("\t") for row in found.decode().split("\n")[:-1]]
    return [
        (int(id_) if id_ != "\\N" else None, a, b, Decimal(amount) if amount != "\\N" else None)
        for id_, a, b, amount in rows
    ]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.sampled_from(HEADS),
    body=st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join),
    null=st.sampled_from(["", "\\N", "ab"]),
    size=st.sampled_from([1, 7, 40, 1 << 20]),
)
def test_csv_that_nobody_expects_is_read_by_pieces_as_it_is_row_by_row(of_a_folder, head, body, null, size):
    with pytest.MonkeyPatch.context() as patch:
        options = FileOptions(null=null)
        patch.setattr(source_module, "LARGE", 1 << 40)
        by_row = of_a_folder.read("t.csv", head + body, options)
        patch.setattr(source_module, "LARGE", 0)
        patch.setattr(utf8_lines, "PIECE", size)
        patch.setattr(utf8_lines, "SMALL_PIECE", 1 + size // 4)
        by_piece = of_a_folder.read("t.csv", head + body, options)
    if isinstance(by_row, str) and isinstance(by_piece, str) and size < 1 << 20:
        return  # of two errors the first piece's is said
    assert _meaning(by_piece) == _meaning(by_row)


def test_pieces_are_given_as_they_are_where_they_are_certain_and_lines_are_counted(of_a_folder, monkeypatch):
    monkeypatch.setattr(source_module, "LARGE", 0)
    monkeypatch.setattr(utf8_lines, "PIECE", 1000)
    monkeypatch.setattr(utf8_lines, "SMALL_PIECE", 100)
    good = b"".join(b'%d,"ab",some text,%d.25\r\n' % (n, n % 100) for n in range(400))
    odd = b'400,"a","two\r\nlines, and ""more""",1\r\n'
    content = b"id,a,b,amount\r\n" + good + odd + good
    columns = [encoder(one) for one in KINDS.values()]
    assert len(columns) == 4
    with io.BytesIO(content) as stream:
        reader = Reader("here", "t.csv", stream, FileOptions(), COLUMNS, list(KINDS.values()))
        parts = list(reader.parts())
    as_they_are = sum(len(part) for part in parts if isinstance(part, LinePart))
    assert sum(map(len, parts)) == 801
    assert as_they_are > 760
    assert len(of_a_folder.read("t.csv", content).splitlines()) == 801
    said = of_a_folder.read("t.csv", content + b"1,a,b,x\r\n")
    assert "t.csv, line 804: column amount: a text where the model has numeric(5,2)" in said
    said = of_a_folder.read("t.csv", content + b"1,a,b\r\n" + good)
    assert "t.csv, line 804: it has 3 fields" in said


def test_a_value_of_parquet_that_does_not_fit_is_said_with_its_row(of_a_folder):
    def written(values: list[object]) -> bytes:
        into = io.BytesIO()
        ids = pa.array(range(len(values)), pa.int64())
        parquet.write_table(pa.table({"id": ids, "a": values, "b": values, "amount": ids}), into)
        return into.getvalue()

    assert len(of_a_folder.read("t.parquet", written(["x"] * 900)).splitlines()) == 900
    said = of_a_folder.read("t.parquet", written(["x"] * 900 + ["long"]))
    assert "t.parquet, line 901: column a: a text that is longer than the type" in said
    said = of_a_folder.read("t.parquet", written(["x"] * 1100))
    assert "t.parquet, line 1001: column amount: a number beyond the range" in said
