"""Readers of the formats: each yields rows with the line that they stand in, or the row's number in a Parquet file.

What a reader does not understand is refused with the file and the line. Values are as the format has them: texts of
CSV, JSON's own types, Arrow's as Python has them. Where pyarrow is there, CSV and Parquet are also given as columns, or
as lines of COPY's text format, so that no value passes through Python; whatever is not certain is given as rows.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from config_schema.errors import StreamFactoryError
from config_schema.model import Column, FileFormat, FileOptions
from merge_jobs.errors import SourceColumnMissing
from merge_jobs.sources.files.errors import FolderNotRead, FormatBroken
from merge_jobs.sources.files.utf8_lines import Utf8Lines
from merge_jobs.sources.values.json_values import (
    NotExactJson,
    is_json,
    json_text,
    json_value,
    nested_as_json,
    parsed_json,
)

if TYPE_CHECKING:
    from merge_jobs.sources.values.arrow_text import ArrowColumn

LONGEST_LINE = 64 << 20  # bytes of JSON; characters of a field of CSV
ROWS_AT_ONCE, BYTES_AT_ONCE = 1000, 8 << 20  # a part ends with whichever comes first
ROWS_OF_COLUMNS = 8_000  # at once, of Parquet
Row = tuple[int, Sequence[Any]]  # the line, and a value for each column
PASSED_ON = (StreamFactoryError, MemoryError)  # what is not the fault of a file
NO_HEAD = "Correct the names in the model, or let the file begin with a line of its columns' names (it is not shown)"
csv.field_size_limit(LONGEST_LINE)


def format_of(options: FileOptions, name: str) -> FileFormat | None:
    """Return the format that a dataset names, otherwise that of the file's ending; None for another ending."""
    if options.format is not None:
        return options.format
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    return {"csv": FileFormat.CSV, "jsonl": FileFormat.JSON_LINES, "ndjson": FileFormat.JSON_LINES}.get(
        ending, FileFormat.PARQUET if ending == "parquet" else None
    )


@dataclass(frozen=True)
class RowPart:
    """Rows of a file, each with its line; `are_texts` where no value is anything else, or NULL."""

    rows: Sequence[Row]
    are_texts: bool = False

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class LinePart:
    """Rows of a file as lines of COPY's text format, with values that their columns take."""

    lines: bytes
    number: int

    def __len__(self) -> int:
        return self.number


@dataclass(frozen=True)
class ColumnPart:
    """Rows of a file as columns; `first` is the number of the first row, `damaged` the error for one that is none."""

    columns: Sequence[ArrowColumn]
    first: int
    damaged: Callable[[int], FormatBroken]

    def __len__(self) -> int:
        return len(self.columns[0].array)

    def rows(self) -> list[Row]:
        """Return them as rows. Raises FormatBroken for a value that Python cannot have."""
        try:
            return list(enumerate(zip(*(column.values() for column in self.columns), strict=True), self.first))
        except PASSED_ON:
            raise
        except Exception as error:  # of dates that Python has not, time zones that nobody has
            raise self.damaged(self.first + self._first_damaged()) from error

    def _first_damaged(self) -> int:
        for i in range(len(self)):
            try:
                for column in self.columns:
                    list(column.values(i))
            except PASSED_ON:
                raise
            except Exception:
                return i
        return 0


Part = RowPart | LinePart | ColumnPart


class Reader:
    """A file of a dataset, being read. `names` are the columns that it has; None for a format that has none.

    `types` are the columns' in the merge store: with them, lines of CSV are given as they are where that is certain.
    """

    def __init__(
        self,
        where: str,
        name: str,
        stream: BinaryIO,
        options: FileOptions,
        columns: Sequence[Column],
        types: Sequence[str] | None = None,
    ) -> None:
        """Read the head of the file. Raises SourceColumnMissing, and FormatBroken."""
        self._where, self._name, self._options, self._columns = where, name, options, columns
        self._types, self._are_texts = types, False
        kind = format_of(options, name)
        if kind is None:
            raise self._unreadable("its ending says no format", todo="Give `format` in `files` of the dataset")
        if name.lower().endswith(".gz") and kind is not FileFormat.PARQUET:
            if not stream.read(1):  # gzip of no rows has a head, and the module takes nothing for them
                raise self._unreadable("it is no whole gzip file", 1)
            stream.seek(0)
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=stream))
        self._line, self._lines_read = 1, 0
        self._read, self._row_from = 0, 0  # bytes, of CSV characters: in all, and before the row
        self._text: io.TextIOWrapper | None = None
        self.names: Sequence[str] | None
        with self._whole_gzip():
            match kind:
                case FileFormat.CSV:
                    self.names, self._rows = self._csv(stream)
                case FileFormat.JSON_LINES:
                    self.names, self._rows = None, self._json_rows(stream)
                case FileFormat.PARQUET:
                    self.names, self._rows = self._parquet(stream)

    def close(self) -> None:
        """Detach from the stream, which its opener closes."""
        if self._text is not None:
            self._text.detach()
            self._text = None

    def parts(self) -> Iterator[Part]:
        """Yield the rows, some at a time. Raises FormatBroken with the line."""
        while True:
            rows: list[Row] = []
            other, end = None, self._read + BYTES_AT_ONCE
            with self._whole_gzip():
                for found in islice(self._rows, ROWS_AT_ONCE):
                    if not isinstance(found, tuple):
                        other = found
                        break
                    rows.append(found)
                    if self._read >= end:
                        break
            if not rows and other is None:
                return
            if rows:
                yield RowPart(rows, self._are_texts)
            if other is not None:
                yield other

    @contextmanager
    def _whole_gzip(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._unreadable("it is no whole gzip file", self._line) from error

    # --- CSV

    def _csv(self, stream: BinaryIO) -> tuple[Sequence[str], Iterator[Row | Part]]:
        self._are_texts = self._types is not None
        lines = Utf8Lines(stream, LONGEST_LINE) if self._options.encoding == "utf-8" else None
        readline = self._readline(stream) if lines is None else lines.readline
        reader = csv.reader(
            self._lines_of_csv(readline),
            delimiter=self._options.delimiter,
            quotechar=self._options.quote,
            strict=True,
        )
        header = self._record(reader)
        if header is None:
            raise self._unreadable("it is empty, and has no line with the columns' names", 1)
        self._check_once(header, 1)
        self._check(header, may_be_a_row=True)
        rows = self._csv_rows(reader, header)
        if lines is None or self._types is None:
            return header, rows
        return header, self._csv_pieces(lines, header, self._types, rows)

    def _readline(self, stream: BinaryIO) -> Callable[[], str]:
        self._text = io.TextIOWrapper(stream, self._options.encoding, errors="strict", newline="")
        return partial(self._text.readline, LONGEST_LINE + 1)

    def _lines_of_csv(self, readline: Callable[[], str]) -> Iterator[str]:
        while line := readline():
            self._read += len(line)
            self._lines_read += 1
            if self._read - self._row_from > LONGEST_LINE:
                raise self._unreadable(f"a row of it has more than {LONGEST_LINE >> 20} million characters", self._line)
            yield line

    def _csv_pieces(
        self, lines: Utf8Lines, header: Sequence[str], types: Sequence[str], rows: Iterator[Row]
    ) -> Iterator[Row | Part]:
        """Yield pieces of whole lines as they are where that is certain, and the rows of all others."""
        from merge_jobs.sources.files.csv_text import certain_lines

        at = [header.index(one.name) for one in self._columns]
        certain = certain_lines(self._options, header, at, types)
        lines.unread()
        while certain is not None and certain.is_possible:
            while lines.is_within_piece:
                row = next(rows, None)
                if row is None:
                    return
                yield row
            self._line = self._lines_read + 1
            piece = lines.piece()
            if not piece:
                return
            text = certain.text(piece) if len(piece) <= LONGEST_LINE else None
            if text is not None:
                number = text.count(b"\n")
                self._read, self._lines_read = self._read + len(piece), self._lines_read + number
                yield LinePart(text, number)
            elif not lines.split(piece):
                lines.read(piece)
        yield from rows

    def _csv_rows(self, reader: Any, header: Sequence[str]) -> Iterator[Row]:
        places = {name: i for i, name in enumerate(header)}
        at, null, width = [places[one.name] for one in self._columns], self._options.null, len(header)
        while True:
            record = self._record(reader)
            line = self._line
            if record is None:
                return
            if len(record) != width:
                if not record and width > 1:
                    continue  # an empty line
                record = record or [""]
                if len(record) != width:
                    raise self._unreadable(f"it has {len(record)} fields, and the first line {width} columns", line)
            yield line, [None if record[i] == null else record[i] for i in at]

    def _record(self, reader: Any) -> list[str] | None:
        self._line, self._row_from = self._lines_read + 1, self._read
        line = self._line
        try:
            record: list[str] | None = next(reader, None)
        except csv.Error as error:
            raise self._unreadable(f"it is no CSV: {_known(str(error))}", line) from error
        except UnicodeError as error:
            # The text is decoded ahead of the line that is read.
            what = f"at this line or soon after it a text is no {self._options.encoding}"
            raise self._unreadable(what, line) from error
        return record

    # --- JSON Lines

    def _json_rows(self, stream: BinaryIO) -> Iterator[Row]:
        takes = [(one.name, json_value if is_json(one) else nested_as_json) for one in self._columns]
        line = 0
        while True:
            line += 1
            self._line = line
            text = stream.readline(LONGEST_LINE + 1)
            self._read += len(text)
            if not text:
                return
            if len(text) > LONGEST_LINE:
                raise self._unreadable(f"it has more than {LONGEST_LINE >> 20} MB", line)
            if not text.strip():
                continue
            record = self._record_of_json(text, line)
            try:
                values = [None if record.get(name) is None else take(record[name]) for name, take in takes]
            except RecursionError as error:
                raise self._unreadable("it is nested too deeply", line) from error
            yield line, values

    def _record_of_json(self, text: bytes, line: int) -> dict[str, Any]:
        try:
            found = parsed_json(text.decode("utf-8-sig" if line == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise self._unreadable("it is no UTF-8", line) from error
        except (ValueError, ArithmeticError, RecursionError) as error:
            said = str(error) if isinstance(error, NotExactJson) else "it is no JSON, or not whole"
            raise self._unreadable(said, line) from error
        if not isinstance(found, dict):
            raise self._unreadable("it is no JSON object", line)
        return found

    # --- Parquet

    def _parquet(self, stream: BinaryIO) -> tuple[Sequence[str], Iterator[Row | Part]]:
        try:
            from pyarrow import parquet
        except ImportError as error:
            todo = "Install airflow-stream-factory[files] into the merge-job image"
            raise FolderNotRead(
                self._where, "pyarrow, which reads Parquet, is not installed", todo, retryable=False
            ) from error
        try:
            file = parquet.ParquetFile(stream)
            names = list(file.schema_arrow.names)
        except PASSED_ON:
            raise
        except Exception as error:  # the library and its codecs have errors of many kinds
            raise self._unreadable("it is no whole Parquet file, or encrypted") from error
        self._check_once([name for name in names if any(name == one.name for one in self._columns)])
        self._check(names)
        return names, self._parquet_columns(file)

    def _parquet_columns(self, file: Any) -> Iterator[Part]:
        from merge_jobs.sources.values.arrow_text import ArrowColumn

        # A text in a column of JSON is JSON, as other databases have it.
        takes = [json_text if is_json(one) else nested_as_json for one in self._columns]
        wanted, number = [one.name for one in self._columns], 0
        try:
            for batch in file.iter_batches(_rows_of_parquet(file.metadata), columns=wanted, use_threads=False):
                columns = [
                    ArrowColumn(batch.column(name), partial(_values, take=take))
                    for name, take in zip(wanted, takes, strict=True)
                ]
                yield ColumnPart(columns, number + 1, self._damaged)
                number += batch.num_rows
        except PASSED_ON:
            raise
        except Exception as error:
            raise self._damaged(number + 1) from error

    def _damaged(self, number: int) -> FormatBroken:
        return self._unreadable("a part of it is damaged, or of a type that Python cannot have", number)

    # --- of all

    def _check_once(self, names: Sequence[str], line: int | None = None) -> None:
        """Refuse a name that two columns have. Only one of the model's is shown: a first line may be a row."""
        twice = [name for name, number in Counter(names).items() if number > 1]
        if twice:
            name = next((one.name for one in self._columns if one.name in twice), None)
            first, second = [i for i, one in enumerate(names, 1) if one == (name or twice[0])][:2]
            said = f"two columns have the name {name!r}" if name else f"columns {first} and {second} have one name"
            raise self._unreadable(said, line)

    def _check(self, names: Sequence[str], *, may_be_a_row: bool = False) -> None:
        """Raise SourceColumnMissing. A first line with few of the model's names may be a row: then it is not shown."""
        there = set(names)
        missing = [one.name for one in self._columns if one.name not in there]
        if missing:
            is_shown = not may_be_a_row or 2 * len(missing) < len(self._columns)
            raise SourceColumnMissing(self._where, self._name, missing, names, None if is_shown else NO_HEAD)

    def _unreadable(self, what: str, line: int | None = None, todo: str = "") -> FormatBroken:
        return FormatBroken(self._where, self._name, what, line, todo)


def _values(column: Any, take: Callable[[Any], Any]) -> Iterable[Any]:
    import pyarrow as pa

    values: list[Any] = column.to_pylist()
    if take is nested_as_json and not pa.types.is_nested(column.type):
        return values
    return [None if value is None else take(value) for value in values]


def _rows_of_parquet(metadata: Any) -> int:
    """Return how many rows are read at once: fewer where they are large."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    largest = max((one.total_byte_size // max(1, one.num_rows) for one in groups), default=1)
    return max(1, min(ROWS_OF_COLUMNS, BYTES_AT_ONCE // max(1, largest)))


# What Python's reader of CSV says, which is nothing of the file's.
KNOWN = ("unexpected end of data", "field larger than field limit", "line contains NUL", "'\"' expected after '\"'")


def _known(said: str) -> str:
    return next((one for one in KNOWN if one in said), "quotes and delimiters do not fit")
