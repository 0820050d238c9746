"""How far a dataset has been read by its cursor: kept with the row map's description, and measured on what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from psycopg2 import sql

from config_schema.errors import StreamFactoryError
from config_schema.model import Cursor, Dataset, NullCursors
from config_schema.model.sql_types import INTEGERS, base_type, long_name
from merge_jobs.sources import Since
from merge_jobs.stores.postgres.tables import DatasetTables

LEAST_INTEGER = -(2**63)
NOW = "statement_timestamp()"
# The latest value that the next batch may begin at, by the type of the cursor.
MOST = {
    "bigint": "NULL::bigint",
    "date": f"timezone('UTC', {NOW})::date",
    "timestamp without time zone": f"timezone('UTC', {NOW})",
    "timestamp with time zone": NOW,
}


class CursorsUnusable(StreamFactoryError):
    """Rows of the source have NULL, or an infinite time, in the column by which changed rows are found.

    Give them a value in the source, or let every batch read rows with NULL: `nulls: read` in the model's `cursor`.
    Nothing was merged.
    """

    code = "DF5113"

    def __init__(self, where: str, column: str, missing: int, infinite: int) -> None:
        self.column, self.missing, self.infinite = column, missing, infinite
        found = {"NULL": missing, "an infinite time": infinite}
        said = [f"{number} row{'s' if number != 1 else ''} with {what}" for what, number in found.items() if number]
        todo = "Give them a value in the source"
        if missing:
            todo += ", or write nulls: read in the model's cursor, and every batch reads them"
        super().__init__(
            f"{where}: column {column}", f"changed rows are found by it, and there are {' and '.join(said)}", todo
        )


@dataclass(frozen=True)
class CursorPosition:
    """How far a batch has read: the greatest value, and the greatest tie breaker of the rows with that value.

    `value` is None if no row had one. `swept_at` is when all keys were last compared with the source's, by the merge
    store's clock, and `is_swept` whether this batch did that.
    """

    column: str
    value: str | None
    swept_at: str
    is_swept: bool
    tie_breaker: str | None = None
    tie: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return asdict(self)


def position_of(guard: Mapping[str, Any]) -> CursorPosition | None:
    """Return the position that a batch has stored; None if it has none."""
    stored = guard.get("cursor")
    return (
        None
        if stored is None or "column" not in stored  # what is known of files that are read once
        else CursorPosition(**{name: stored[name] for name in CursorPosition.__dataclass_fields__})
    )


def is_swept(guard: Mapping[str, Any] | None) -> bool:
    """Return whether a batch that has stored this has compared all keys."""
    position = position_of(guard or {})
    return position is not None and position.is_swept


def cursor_kind(dataset: Dataset) -> str:
    """Return the type in which values of the dataset's cursor are compared."""
    cursor = _cursor(dataset)
    base = next(base_type(long_name(one.type)) for one in dataset.columns if one.name == cursor.column)
    return "bigint" if base in INTEGERS else base


def since(tables: DatasetTables, before: CursorPosition) -> Since:
    """Return which rows a batch reads after one that has read up to a position."""
    cursor, kind = _cursor(tables.dataset), cursor_kind(tables.dataset)
    last = before.value
    assert last is not None
    at_least = last
    if cursor.lookback and kind in INTEGERS:
        at_least = str(max(int(last) - cursor.lookback, LEAST_INTEGER))
    elif cursor.lookback:
        of, lookback = _literal(last, kind), sql.Literal(cursor.lookback)
        at_least = str(tables.value("cursor.at_least", cursor_kind=sql.SQL(kind), last=of, lookback=lookback))
    tie_breaker = None if before.tie is None or cursor.lookback else before.tie_breaker
    return Since(cursor.column, kind, at_least, last, tie_breaker, before.tie)


def shown_since(dataset: Dataset) -> Since:
    """Return which rows a batch reads, to be printed: the values are none that a batch has."""
    cursor, kind = _cursor(dataset), cursor_kind(dataset)
    value = "0" if kind in INTEGERS else "2000-01-01"
    return Since(cursor.column, kind, value, value, cursor.tie_breaker, "0")


def shown_parts(dataset: Dataset) -> dict[str, sql.Composable]:
    """Return the placeholders of the statements on a cursor that depend on the dataset."""
    cursor, kind = _cursor(dataset), cursor_kind(dataset)
    columns = {"cursor": cursor.column, "tie_breaker": cursor.tie_breaker, "deleted_at": cursor.deleted_at}
    return {
        **{name: sql.Identifier(column) for name, column in columns.items() if column is not None},
        "cursor_kind": sql.SQL(kind),
        "is_infinite": _is_infinite(cursor.column, kind),
        "most": sql.SQL(MOST[kind]),
    }


def measure(
    tables: DatasetTables, loaded: sql.Composable, before: CursorPosition | None, now: datetime, swept: bool
) -> tuple[CursorPosition, bool]:
    """Return how far the rows in a table reach, and whether they end before the last position.

    Raises CursorsUnusable for rows by which no later batch can know where to begin.
    """
    cursor, kind = _cursor(tables.dataset), cursor_kind(tables.dataset)
    last = None if before is None else before.value
    row = tables.run(
        "cursor.measure",
        loaded=loaded,
        cursor=sql.Identifier(cursor.column),
        cursor_kind=sql.SQL(kind),
        is_infinite=_is_infinite(cursor.column, kind),
        most=sql.SQL(MOST[kind]),
        last=_literal(last, kind),
    ).fetchone()
    assert row is not None
    missing, infinite, value, is_behind = row
    if infinite or (missing and cursor.nulls is NullCursors.REFUSE):
        raise CursorsUnusable(tables.where, cursor.column, missing, infinite)
    tie = None
    if value is not None and cursor.tie_breaker is not None:
        tie = tables.value(
            "cursor.greatest_tie",
            loaded=loaded,
            tie_breaker=sql.Identifier(cursor.tie_breaker),
            cursor=sql.Identifier(cursor.column),
            last=_literal(value, kind),
        )
        if before is not None and before.value == value and before.tie is not None:
            tie = str(max(int(before.tie), int(tie or before.tie)))
    swept_at = now.isoformat() if swept or before is None else before.swept_at
    return CursorPosition(cursor.column, value, swept_at, swept, cursor.tie_breaker, tie), bool(is_behind)


def measure_again(
    tables: DatasetTables, loaded: sql.Composable, before: CursorPosition | None, first: CursorPosition, now: datetime
) -> CursorPosition:
    """Return the position `first`, which was measured on all rows, without values of keys that have left the table.

    Values of other columns stay: they are of no key, and the next batch need not read these rows again.
    """
    if not {first.column, first.tie_breaker} & {*tables.dataset.primary_key}:
        return first
    again, _ = measure(tables, loaded, before, now, first.is_swept)
    return again if again.value is not None or before is None else replace(again, value=before.value, tie=before.tie)


def _cursor(dataset: Dataset) -> Cursor:
    assert dataset.cursor is not None
    return dataset.cursor


def _literal(value: str | None, kind: str) -> sql.Composable:
    return sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(kind))


def _is_infinite(column: str, kind: str) -> sql.Composable:
    return sql.SQL("false") if kind in INTEGERS else sql.SQL("NOT isfinite({})").format(sql.Identifier(column))
