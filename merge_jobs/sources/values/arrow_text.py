"""Columns of Arrow as lines of COPY's text format, a whole column at a time.

A column whose values are not certain to fit as they are is written by its type's encoder, value by value. What does not
fit at all is for the caller to find, row by row.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from config_schema.model.sql_types import INTEGERS, SqlType, parsed
from merge_jobs.misfit import Encoder
from merge_jobs.sources.values.patterns import RANGES, is_text, most_characters, pattern
from merge_jobs.sources.values.row_writer import NULL
from merge_jobs.sources.values.texts import ESCAPES

# Arrow's own pool keeps tens of megabytes of what is free again.
pa.set_memory_pool(pa.system_memory_pool())

WHOLE_IN_A_DOUBLE = 2**53
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6}
# The years that have four digits, in days and in seconds.
FIRST_DAY, LAST_DAY = date(1000, 1, 1), date(9999, 12, 31)
EPOCH = date(1970, 1, 1)
FIRST_SECOND, LAST_SECOND = (FIRST_DAY - EPOCH).days * 86400, ((LAST_DAY - EPOCH).days + 1) * 86400 - 1
PLACES = 6


@dataclass(frozen=True)
class ArrowColumn:
    """A column, and what gives its values as the encoders take them."""

    array: Any
    convert: Callable[[Any], Iterable[Any]]

    def values(self, row: int | None = None) -> Iterable[Any]:
        """Return the column's values, or that of one row."""
        return self.convert(self.array if row is None else self.array.slice(row, 1))


class ColumnWriter:
    """Write columns of these types in the merge store."""

    def __init__(self, types: Sequence[str], encoders: Sequence[Encoder]) -> None:
        self._writers = [_Writer(name, encode) for name, encode in zip(types, encoders, strict=True)]

    def lines(self, columns: Sequence[ArrowColumn]) -> bytes | None:
        """Return the rows' lines in UTF-8; None if a value does not fit, or cannot be known to."""
        try:
            written = [write(column) for write, column in zip(self._writers, columns, strict=True)]
            data = self._joined(written)
            if not data.isascii():
                data.decode()
        except MemoryError:
            raise
        except Exception:  # of Arrow, of Python for a date that it has not, of time zones that nobody has
            return None
        return None if b"\0" in data else data

    def _joined(self, written: Sequence[tuple[Any, bool]]) -> bytes:
        arrays = [array for array, _ in written]
        if not any(is_escaped for _, is_escaped in written):
            data, rows = joined(arrays), len(arrays[0])
            # As many of each as there are without any in the values.
            found = tuple(map(data.count, (b"\t", b"\n", b"\\"))), b"\r" in data
            if found == ((rows * (len(arrays) - 1), rows, sum(array.null_count for array in arrays)), False):
                return data
        escaped = [
            _escaped(array) if writer.is_text and not is_escaped else array
            for (array, is_escaped), writer in zip(written, self._writers, strict=True)
        ]
        return joined(escaped)


class _Writer:
    """Writes a column as texts; the second thing it returns is whether they have COPY's escapes already."""

    def __init__(self, type_name: str, encode: Encoder) -> None:
        self._of, self._encode = parsed(type_name), encode
        self.is_text, self._most = is_text(type_name), most_characters(type_name)
        expression = pattern(type_name)
        self._pattern = None if expression is None else rf"\A(?:{expression})\z"

    def __call__(self, column: ArrowColumn) -> tuple[Any, bool]:
        array = column.array
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        texts = self._checked(array) if _is_string(array.type) else self._typed(array)
        if texts is not None:
            return texts, False
        encode = self._encode
        return pa.array([None if one is None else encode(one) for one in column.values()], pa.string()), True

    def _checked(self, array: Any) -> Any:
        """Return a column of texts as it is, if every one fits; None if not."""
        array = array.cast(pa.string())
        if self.is_text:
            is_short = self._most is None or (pc.max(pc.utf8_length(array)).as_py() or 0) <= self._most
            return array if is_short else None
        if self._pattern is None:
            return None
        return array if pc.all(pc.match_substring_regex(array, self._pattern)).as_py() is not False else None

    def _typed(self, array: Any) -> Any:
        """Return a column of other values as texts, if every one fits; None if that is not certain."""
        if self._of is None or self._of.array or self.is_text:
            return None
        for is_such, write in TYPED:
            if is_such(array.type):
                return write(array, self._of)
        return None


def joined(arrays: Sequence[Any]) -> bytes:
    """Return the lines of columns of texts: the data of one column of texts, which ends each line, is all of them."""
    of_null: dict[str, Any] = {"null_handling": "replace", "null_replacement": NULL}
    last = pc.binary_join_element_wise(arrays[-1], "", "\n", **of_null)
    rows = last if len(arrays) == 1 else pc.binary_join_element_wise(*arrays[:-1], last, "\t", **of_null)
    _, offsets, data = rows.buffers()
    if data is None or not len(rows):
        return b""
    first, end = (struct.unpack_from("=i", offsets, 4 * (rows.offset + at))[0] for at in (0, len(rows)))
    return bytes(memoryview(data)[first:end])


def _escaped(array: Any) -> Any:
    for character, written in ESCAPES.items():  # the backslash first
        array = pc.replace_substring(array, chr(character), written)
    return array


def _is_string(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_within(array: Any, least: int, most: int) -> bool:
    found = pc.min_max(array).as_py()
    return found["min"] is None or (least <= found["min"] and found["max"] <= most)


def _integers(array: Any, of: SqlType) -> Any:
    if of.base in INTEGERS:
        bound = RANGES[of.base]
        return array.cast(pa.string()) if _is_within(array, -bound, bound - 1) else None
    if of.base == "numeric" and of.second >= 0:
        least_too_large = None if of.first is None else 10 ** max(0, of.first - of.second)
        fits = least_too_large is None or _is_within(array, 1 - least_too_large, least_too_large - 1)
        return array.cast(pa.string()) if fits else None
    if of.base == "double precision" and _is_within(array, -WHOLE_IN_A_DOUBLE, WHOLE_IN_A_DOUBLE):
        return array.cast(pa.string())
    return None


def _booleans(array: Any, of: SqlType) -> Any:
    return pc.if_else(array, "t", "f") if of.base == "boolean" else None


def _decimals(array: Any, of: SqlType) -> Any:
    kind = array.type
    if of.base != "numeric" or min(kind.scale, of.second) < 0:
        return None
    fits = of.first is None or (kind.scale <= of.second and kind.precision - kind.scale <= of.first - of.second)
    return array.cast(pa.string()) if fits or _keeps_all(array, of) else None


def _keeps_all(array: Any, of: SqlType) -> bool:
    """Return whether a column of decimal numbers has the same ones in another type."""
    assert of.first is not None
    if not 0 <= of.second <= of.first <= 76:
        return False
    try:
        array.cast(pa.decimal256(76, array.type.scale)).cast(pa.decimal256(of.first, of.second))
    except pa.ArrowException:
        return False
    return True


def _days(array: Any, of: SqlType) -> Any:
    first, last = (FIRST_DAY - EPOCH).days, (LAST_DAY - EPOCH).days
    is_short = of.base == "date" and _is_within(array.cast(pa.int32()), first, last)
    return array.cast(pa.string()) if is_short else None


def _stamps(array: Any, of: SqlType) -> Any:
    kind = array.type
    has_zone = kind.tz is not None
    if of.base != "timestamp" or kind.unit not in PER_SECOND or kind.tz not in (None, "UTC"):
        return None
    if (has_zone and of.zone != " with time zone") or of.first not in (None, PLACES):
        return None
    each = PER_SECOND[kind.unit]
    if not _is_within(array.cast(pa.int64()), FIRST_SECOND * each, (LAST_SECOND + 1) * each - 1):
        return None
    texts = array.view(pa.timestamp(kind.unit)).cast(pa.string())
    return pc.binary_join_element_wise(texts, "Z", "") if has_zone else texts


def _floats(array: Any, of: SqlType) -> Any:
    narrow = bool(pa.types.is_float32(array.type))
    if of.base == "double precision":
        array = array.cast(pa.float64())
    elif of.base != "real" or not narrow:
        return None
    return array.cast(pa.string()) if pc.all(pc.is_finite(array)).as_py() is not False else None


TYPED: tuple[tuple[Callable[[Any], bool], Callable[[Any, SqlType], Any]], ...] = (
    (pa.types.is_integer, _integers),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_date32, _days),
    (pa.types.is_timestamp, _stamps),
    (lambda kind: pa.types.is_float32(kind) or pa.types.is_float64(kind), _floats),
)
