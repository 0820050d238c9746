"""Whether a batch can find the changed rows of a dataset by its `cursor`."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.errors import choose_from
from config_schema.model import Column, Cursor, Dataset, DatasetStrategy, Ecosystem
from config_schema.model.sql_types import INTEGERS, TIMES, base_type, long_name
from config_schema.problem import Finding
from config_schema.rules.parts import datasets


def cursors_can_be_followed(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield cursors without their strategy, and columns of cursors that are missing or have another type."""
    for path, _, dataset in datasets(ecosystem):
        by_cursor = dataset.strategy is DatasetStrategy.CURSOR
        if dataset.cursor is None:
            if by_cursor:
                what = "the strategy cursor needs the column that grows with each change of a row"
                yield f"{path}.cursor", what, "Add cursor: {column: ...}, or take strategy: cursor out"
            continue
        if not by_cursor:
            yield f"{path}.cursor", "only the strategy cursor follows one", "Add strategy: cursor, or take cursor out"
        yield from _of_columns(f"{path}.cursor", dataset, dataset.cursor)


def _of_columns(path: str, dataset: Dataset, cursor: Cursor) -> Iterator[Finding]:
    columns = {column.name: column for column in dataset.columns}
    grows = [name for name, column in columns.items() if _base(column) in (*INTEGERS, *TIMES)]
    yield from _fits(f"{path}.column", cursor.column, columns, grows, "a cursor is a timestamp, a date or an integer")
    if cursor.tie_breaker is not None:
        numbers = [name for name in grows if _base(columns[name]) in INTEGERS and name != cursor.column]
        at = f"{path}.tie_breaker"
        yield from _fits(at, cursor.tie_breaker, columns, numbers, "a tie breaker is another column with integers")
        if cursor.lookback:
            todo = "Take one of them out"
            yield at, "a tie breaker has no effect where rows before the last value are read again (lookback)", todo
    if cursor.deleted_at is not None:
        marks = [name for name, column in columns.items() if column.nullable and name != cursor.column]
        what = "rows that are not deleted have NULL in deleted_at"
        yield from _fits(f"{path}.deleted_at", cursor.deleted_at, columns, marks, what)


def _fits(at: str, name: str, columns: dict[str, Column], fitting: list[str], what: str) -> Iterator[Finding]:
    if name not in columns:
        yield at, f"{name!r} is no column", choose_from(name, fitting)
    elif name not in fitting:
        null = "" if columns[name].nullable else ", not nullable"
        yield at, f"{name!r} is of type {columns[name].type}{null}, and {what}", choose_from(name, fitting)


def _base(column: Column) -> str:
    return "array" if "[" in column.type else base_type(long_name(column.type))
