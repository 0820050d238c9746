"""What is certain of a piece of CSV, which are whole lines in UTF-8, without a look at each of its values.

If every line of a piece has, in the place of each column, a text that the column takes as it is, then the piece itself
needs only other signs between its fields to be lines of COPY's text format. One expression says so for all lines: RE2
matches it in a time that grows with the piece alone. Every other piece is read by Python's csv.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from config_schema.model import FileOptions
from merge_jobs.sources.values.arrow_text import ArrowColumn, joined
from merge_jobs.sources.values.patterns import is_text, most_characters, pattern
from merge_jobs.sources.values.row_writer import NULL

# Signs that stand in no number, time or truth, so that a line has one meaning.
DELIMITERS, QUOTES = frozenset(",;|\t^~!#$%&*@"), frozenset("\"'`")
# How many characters of a text an expression counts, in one column and in all: each is a state of its automaton.
COUNTED, COUNTED_IN_ALL = 256, 4096
# The forms of a field, by the text that stands for NULL.
FORMS = {
    "": ("(?:FIELD|QUOTEFIELDQUOTE)", "(?:FIELD|QUOTEFIELDQUOTE|QUOTEQUOTE)?"),
    NULL: (r"(?:FIELD|QUOTEFIELDQUOTE|\\N|QUOTE\\NQUOTE)",),
}
TWICE = (b"\t\t", b"\t\\N\t")  # of three signs in a row the second is not seen the first time
EMPTY = (TWICE, TWICE, (b"\n\t", b"\n\\N\t"), (b"\t\n", b"\t\\N\n"))


class CertainLines:
    """What lines with these columns are where that is certain. `at` is the place of each of the model's columns."""

    def __init__(self, options: FileOptions, width: int, at: Sequence[int], types: Sequence[str]) -> None:
        self._width, self._at = width, at
        self._signs = bytes.maketrans(options.delimiter.encode(), b"\t"), f"{options.quote}\r".encode()
        fields = _fields(options, width, dict(zip(at, types, strict=True)))
        # First that of lines without an empty field, if that is NULL: most pieces have none, or soon one.
        self._expressions = [_lines(options, fields, form) for form in FORMS[options.null]]

    @property
    def is_possible(self) -> bool:
        """Whether there is an expression for such lines."""
        return bool(self._expressions)

    def text(self, piece: bytes) -> bytes | None:
        """Return a piece as lines of COPY's text format; None where that is not certain."""
        try:
            if not piece.isascii():
                piece.decode()
        except UnicodeDecodeError:
            return None
        if not piece.endswith(b"\n"):
            piece += b"\n"
        found = self._matched(piece)
        if found is None:
            return None
        text = piece.translate(*self._signs)
        if found:
            text = _with_nulls(text)
        return text if list(self._at) == list(range(self._width)) else self._chosen(text)

    def _matched(self, piece: bytes) -> int | None:
        """Return the number of the expression that a piece matches; None if it matches none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        whole = pa.scalar(piece, pa.binary())
        try:
            matches = (pc.match_substring_regex(whole, one).as_py() for one in self._expressions)
            return next((i for i, is_match in enumerate(matches) if is_match), None)
        except pa.ArrowException:  # of so many columns that no automaton is made for them
            self._expressions = []
            return None

    def _chosen(self, text: bytes) -> bytes | None:
        """Return lines with the columns of the model only, in its order."""
        import pyarrow as pa
        from pyarrow import csv

        names = [str(i) for i in range(self._width)]
        try:
            table = csv.read_csv(
                pa.BufferReader(text),
                csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
                csv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False),
                csv.ConvertOptions(
                    check_utf8=False,
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[NULL],
                    strings_can_be_null=True,
                    include_columns=[names[i] for i in self._at],
                ),
            ).combine_chunks()
        except pa.ArrowException:
            return None
        return joined([column.chunk(0) for column in table.columns])


def certain_lines(
    options: FileOptions, header: Sequence[str], at: Sequence[int], types: Sequence[str]
) -> CertainLines | None:
    """Return what is certain of lines with this header; None where nothing ever is."""
    is_known = options.delimiter in DELIMITERS and options.quote in QUOTES and options.null in FORMS
    if not is_known or len(header) < 2 or not all(is_text(one) or pattern(one) for one in types):
        return None
    return CertainLines(options, len(header), at, types)


def _lines(options: FileOptions, fields: Sequence[str], form: str) -> str:
    quote, between = (f"\\x{ord(sign):02x}" for sign in (options.quote, options.delimiter))
    each = (form.replace("FIELD", field).replace("QUOTE", quote) for field in fields)
    return rf"\A(?:{between.join(each)}\r?\n)*\z"


def _fields(options: FileOptions, width: int, types: Mapping[int, str]) -> list[str]:
    """Return the expression of each field's value."""
    signs = "".join(f"\\x{ord(sign):02x}" for sign in (options.delimiter, options.quote))
    sign, least = rf"[^{signs}\n\r\t\\\x00]", 1 if options.null == "" else 0
    bounded = [most for most in map(most_characters, types.values()) if most is not None]
    most_counted = max(16, min(COUNTED, COUNTED_IN_ALL // max(1, len(bounded))))

    def field(name: str | None) -> str:
        if name is not None and not is_text(name):
            return str(pattern(name))
        most = None if name is None else most_characters(name)
        return f"{sign}{{{least},{'' if most is None else min(most, most_counted)}}}"

    return [field(types.get(i)) for i in range(width)]


def _with_nulls(text: bytes) -> bytes:
    """Return lines with COPY's NULL in each empty field."""
    text = b"\n" + text
    for found, written in EMPTY:
        text = text.replace(found, written)
    return text[1:]


def columns_of(rows: Sequence[tuple[int, Sequence[Any]]]) -> list[ArrowColumn]:
    """Return the columns of rows of texts. Raises ValueError for a text that UTF-8 does not have."""
    import pyarrow as pa

    values = zip(*(row for _, row in rows), strict=True)
    return [ArrowColumn(pa.array(column, pa.string()), pa.Array.to_pylist) for column in values]
