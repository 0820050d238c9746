"""Lines of COPY's text format that MySQL or MariaDB itself writes, a text for each row.

A driver's Python reads a value in a microsecond, and an encoder writes it in another; the server does both for a row in
less. What it writes is what the encoders of values/ would: a type or a target for which that is not certain has no
expression here, and then the encoders write all of its rows. Rows in which a value may not fit (a NUL character, a date
that does not exist) have no line, and the encoders judge them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import types as t
from sqlalchemy.dialects import mysql as my

from config_schema.model import SourceKind
from config_schema.model.sql_types import INTEGERS, base_type, holds_every_value, parsed
from merge_jobs.sources.sql.column_types import postgres_type

# Hexadecimal literals are bytes in every sql_mode and character set.
NUL, TAB, LINE, BLANK, NULL = "x'00'", "x'09'", "x'0A'", "x'20'", "x'5C4E'"
ESCAPES = (("x'5C'", "x'5C5C'"), (TAB, "x'5C74'"), (LINE, "x'5C6E'"), ("x'0D'", "x'5C72'"))
BYTES = "x'5C5C78'"  # before the digits of a bytea
MOST_BYTES = 65_535  # of a value; the encoders write longer ones, so that a line fits into a packet
CHARACTER_BYTES = 4  # of UTF-8, at most
OTHER_BYTES = 512  # numbers and times have less

TEXTS = (my.CHAR, my.VARCHAR, my.TINYTEXT, my.TEXT, my.MEDIUMTEXT, my.LONGTEXT, my.ENUM, my.SET)
WHOLE = (my.TINYINT, my.SMALLINT, my.MEDIUMINT, my.INTEGER, my.BIGINT, my.YEAR)
BLOBS = (t.BINARY, t.VARBINARY, t.BLOB, my.TINYBLOB, my.MEDIUMBLOB, my.LONGBLOB)
NUMBERS = frozenset(["smallint", "integer", "bigint", "numeric"])
OF_TEXTS = frozenset(["text", "character varying", "character", "json", "jsonb"])


HASHING = "lines 1"  # another one where lines or their hashes are written in another way


def quoted(name: str) -> str:
    """Return the name of a column as SQL has it."""
    return "`{}`".format(name.replace("`", "``"))


def key_literal(text: str | None, kind: str) -> str:
    """Return a key's value, as PostgreSQL writes it, so that an index finds it; empty where that is not sure."""
    if text is None:
        return ""
    if kind in INTEGERS:
        return text
    return f"_utf8mb4 x'{text.encode().hex()}'" if base_type(kind) in ("text", "character varying") else ""


def hash_of(line: str) -> str:
    """Return the expression for a line's hash, a whole number of 64 bits with a sign."""
    return f"CAST(CONV(LEFT(MD5({line}), 16), 16, -10) AS SIGNED)"


def hash_of_line(line: bytes) -> int:
    """Return the hash that the server computes of a line."""
    return int.from_bytes(hashlib.md5(line, usedforsecurity=False).digest()[:8], "big", signed=True)


@dataclass(frozen=True)
class ValueText:
    """How the server writes a column's value: an expression, the condition that it fits, and the most bytes of it."""

    text: str
    fits: tuple[str, ...] = ()
    most_bytes: int = OTHER_BYTES


@dataclass(frozen=True)
class RowLines:
    """The expression for a row's line without its end, NULL where the encoders must judge the row.

    `most_bytes` is what a line can have, and `others` are columns that the server cannot write: then there is no line.
    """

    line: str
    most_bytes: int
    others: tuple[str, ...] = ()

    @staticmethod
    def of(columns: Sequence[tuple[str, t.TypeEngine[Any]]], types: Mapping[str, str]) -> RowLines:
        """Return the lines of these columns, for a table with columns of these types."""
        values = {name: _value(name, of, types[name]) for name, of in columns}
        known = [value for value in values.values() if value is not None]
        others = tuple(name for name, value in values.items() if value is None)
        written = (f"COALESCE({value.text}, {NULL})" for value in known)
        conditions = [condition for value in known for condition in value.fits]
        line = f"CAST(CONCAT({f', {TAB}, '.join(written)}) AS BINARY)"
        if conditions:
            line = f"CASE WHEN {' AND '.join(conditions)} THEN {line} END"
        return RowLines(line, sum(value.most_bytes + 1 for value in known), others)


def _value(name: str, of: t.TypeEngine[Any], ours: str) -> ValueText | None:
    column, target = quoted(name), parsed(ours)
    if target is None or target.array:
        return None
    write = next((write for kinds, write in WRITERS if type(of) in kinds), None)
    return None if write is None else write(column, of, ours)


def _whole_number(column: str, of: Any, ours: str) -> ValueText | None:
    text = f"CAST({column} AS CHAR)"
    if ours == "boolean":
        return ValueText(text, (f"COALESCE({column} IN (0, 1), TRUE)",))
    return ValueText(text) if _base(ours) in NUMBERS and _is_wide_enough(of, ours) else None


def _decimal(column: str, of: Any, ours: str) -> ValueText | None:
    fits = _base(ours) == "numeric" and _is_wide_enough(of, ours)
    return ValueText(f"CAST({column} AS CHAR)") if fits else None


def _double(column: str, of: Any, ours: str) -> ValueText | None:
    return ValueText(f"CAST({column} AS CHAR)") if ours == "double precision" else None


def _single(column: str, of: Any, ours: str) -> ValueText | None:
    # As a double, of which the server writes every digit; of a FLOAT it writes six.
    return ValueText(f"CAST({column} + 0e0 AS CHAR)") if ours == "real" else None


def _text(column: str, of: Any, ours: str) -> ValueText | None:
    if _base(ours) not in OF_TEXTS:
        return None
    if _base(ours) not in ("json", "jsonb") and not _holds(of, ours):
        return None
    # As bytes: collations take control characters for nothing.
    value = f"CAST(CONVERT({column} USING utf8mb4) AS BINARY)"
    fits = [f"COALESCE(LOCATE({NUL}, {value}), 0) = 0", *_short(column, of)]
    if _base(ours) == "character":
        fits.append(f"COALESCE(RIGHT({value}, 1), {NUL}) <> {BLANK}")
    text = value
    for character, escape in ESCAPES:
        text = f"REPLACE({text}, {character}, {escape})"
    length = getattr(of, "length", None) if isinstance(of, my.CHAR | my.VARCHAR) else None
    return ValueText(text, tuple(fits), 2 * CHARACTER_BYTES * (length or MOST_BYTES))


def _bytes(column: str, of: Any, ours: str) -> ValueText | None:
    if ours != "bytea":
        return None
    length = of.length if isinstance(of, t.BINARY | t.VARBINARY) else None
    return ValueText(f"CONCAT({BYTES}, HEX({column}))", tuple(_short(column, of)), 2 * (length or MOST_BYTES) + 3)


def _day(column: str, of: Any, ours: str) -> ValueText | None:
    return ValueText(f"CAST({column} AS CHAR)", _exists(column)) if ours == "date" else None


def _stamp(column: str, of: Any, ours: str) -> ValueText | None:
    fits = _base(ours) == "timestamp" and _is_wide_enough(of, ours)
    return ValueText(f"CAST({column} AS CHAR)", _exists(column)) if fits else None


def _time(column: str, of: Any, ours: str) -> ValueText | None:
    fits = _base(ours) == "interval" and _is_wide_enough(of, ours)
    return ValueText(f"CAST({column} AS CHAR)") if fits else None


Writer = Callable[[str, Any, str], ValueText | None]
WRITERS: tuple[tuple[tuple[type[t.TypeEngine[Any]], ...], Writer], ...] = (
    (WHOLE, _whole_number),
    ((my.DECIMAL, my.NUMERIC), _decimal),
    ((my.DOUBLE,), _double),
    ((my.FLOAT,), _single),
    (TEXTS, _text),
    (BLOBS, _bytes),
    ((t.DATE,), _day),
    ((my.DATETIME, my.TIMESTAMP), _stamp),
    ((my.TIME,), _time),
)


def _exists(column: str) -> tuple[str, ...]:
    """Return the condition that a date exists: the server has 0000-00-00, 2024-00-10 and 2024-02-31 too."""
    return (f"({column} IS NULL OR FROM_DAYS(TO_DAYS({column})) <=> CAST({column} AS DATE))",)


def _short(column: str, of: Any) -> list[str]:
    is_long = isinstance(of, my.MEDIUMTEXT | my.LONGTEXT | my.MEDIUMBLOB | my.LONGBLOB)
    return [f"COALESCE(LENGTH({column}), 0) <= {MOST_BYTES}"] if is_long else []


def _base(ours: str) -> str:
    of = parsed(ours)
    return "" if of is None else of.base


def _is_wide_enough(of: t.TypeEngine[Any], ours: str) -> bool:
    theirs = postgres_type(of, SourceKind.MYSQL)
    return theirs == ours or holds_every_value(theirs, ours)


def _holds(of: t.TypeEngine[Any], ours: str) -> bool:
    """Return whether the type contains every text of a column; of `character`, blanks at the end are seen to apart."""
    theirs, wanted = (
        re.sub(r"^character\(", "character varying(", kind) for kind in (postgres_type(of, SourceKind.MYSQL), ours)
    )
    return theirs == wanted or holds_every_value(theirs, wanted)
