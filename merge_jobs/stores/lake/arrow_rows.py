"""Rows that PostgreSQL writes out as CSV, as tables of Arrow: piece by piece, so that memory is bounded."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from typing import Any, assert_never

import pyarrow as pa
from pyarrow import csv

from config_schema.model.lake import Form, LakeType
from merge_jobs.process import shutdown
from merge_jobs.process.signal_mask import signals_blocked

PIECE_BYTES = 32 << 20
SCALARS = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "uuid": pa.uuid(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "time": pa.time64("us"),
}


def arrow_type(of: LakeType) -> pa.DataType:
    """Return the type of Arrow that is the same as a type of Iceberg."""
    if of.element is not None:
        return pa.list_(pa.field("element", arrow_type(of.element)))
    if of.iceberg in SCALARS:
        return SCALARS[of.iceberg]
    digits, places = of.iceberg.removeprefix("decimal(").removesuffix(")").split(", ")
    return pa.decimal128(int(digits), int(places))


def arrow_schema(columns: Sequence[tuple[str, LakeType, bool]]) -> pa.Schema:
    """Return the schema of columns, given as name, type, and whether they may be NULL."""
    return pa.schema([pa.field(name, arrow_type(of), nullable=nullable) for name, of, nullable in columns])


class CsvRows:
    """What COPY writes its rows to, each in a call of its own: `take` gets a table of Arrow for each piece of them."""

    def __init__(self, columns: Sequence[tuple[str, LakeType, bool]], take: Callable[[pa.Table], None]) -> None:
        self._types = [of for _, of, _ in columns]
        self._schema = arrow_schema(columns)
        self._take = take
        self._waiting = bytearray()
        self.rows = 0

    def write(self, row: bytes) -> None:
        """Take one row, or what there is of one."""
        self._waiting += row
        if len(self._waiting) >= PIECE_BYTES and row.endswith(b"\n"):
            self.flush()

    def flush(self) -> None:
        """Hand on the rows that wait."""
        if self._waiting:
            waiting, self._waiting = self._waiting, bytearray()
            shutdown.check()
            with signals_blocked():
                table = _table(bytes(waiting), self._types, self._schema)
                self.rows += table.num_rows
                self._take(table)


def _table(data: bytes, types: Sequence[LakeType], schema: pa.Schema) -> pa.Table:
    names = [str(number) for number in range(len(types))]
    read = csv.read_csv(
        io.BytesIO(data),
        # One block, so that no row is cut.
        read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types={name: _written_type(of) for name, of in zip(names, types, strict=True)},
            # PostgreSQL writes NULL as nothing, and an empty text in quotes.
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    columns = [_meant(of, column.combine_chunks()) for of, column in zip(types, read.columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=schema)


def _written_type(of: LakeType) -> pa.DataType:
    """Return the type of Arrow in which values are read that PostgreSQL has written in their form."""
    match of.form:
        case Form.AS_IT_IS:
            return arrow_type(of)
        case Form.DAYS:
            return pa.int32()
        case Form.MICROSECONDS:
            return pa.int64()
        case Form.HEX | Form.LIST:
            return pa.string()
    assert_never(of.form)


def _meant(of: LakeType, written: Any) -> Any:
    """Return the values that are meant by what was written."""
    match of.form:
        case Form.AS_IT_IS:
            return written
        case Form.DAYS | Form.MICROSECONDS:
            return written.cast(arrow_type(of))
        case Form.HEX:
            raw = [None if text is None else bytes.fromhex(text) for text in written.to_pylist()]
            if of.iceberg == "uuid":
                return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(raw, pa.binary(16)))
            return pa.array(raw, pa.binary())
        case Form.LIST:
            return _lists(of, written)
    assert_never(of.form)


def _lists(of: LakeType, written: Any) -> Any:
    assert of.element is not None
    texts: list[str | None] = []
    offsets: list[int | None] = [0]
    for text in written.to_pylist():
        if text is None:
            offsets[-1] = None  # a NULL is said where the list would begin
        else:
            texts += json.loads(text)
        offsets.append(len(texts))
    elements = _meant(of.element, _from_texts(_written_type(of.element), texts))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), elements, type=arrow_type(of))


def _from_texts(kind: pa.DataType, texts: list[str | None]) -> Any:
    values = pa.array(texts, pa.string())
    return values if kind == pa.string() else values.cast(kind)
