"""Rows of a driver's values as lines of PostgreSQL's COPY text format, and a count of the values that do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from merge_jobs.misfit import (
    SURROGATE,
    Encoder,
    Misfit,
    Reason,
)

NULL = "\\N"


class RowWriter:
    """Write rows as long as every value fits; after the first misfit, only count misfits."""

    def __init__(self, columns: Sequence[str], encoders: Sequence[Encoder]) -> None:
        self._columns, self._encoders = columns, encoders
        self.misfits: Counter[tuple[str, Reason]] = Counter()

    def lines(self, rows: Iterable[Sequence[Any]]) -> bytes:
        """Return the rows' lines in UTF-8; nothing after a value that did not fit."""
        if not self.misfits:
            try:
                return "".join(map(self._line, rows)).encode()
            except (Misfit, UnicodeEncodeError):
                pass  # a second look tells which columns and how many rows
        for row in rows:
            self._count(row)
        return b""

    def _line(self, row: Sequence[Any]) -> str:
        return line(row, self._encoders)

    def _count(self, row: Sequence[Any]) -> None:
        for column, value, write in zip(self._columns, row, self._encoders, strict=True):
            reason = misfit_of(value, write)
            if reason is not None:
                self.misfits[column, reason] += 1


def line(row: Sequence[Any], encoders: Sequence[Encoder]) -> str:
    """Return a row's line. Raises Misfit for a value that does not fit its column."""
    encoded = [NULL if value is None else write(value) for value, write in zip(row, encoders, strict=True)]
    return "\t".join(encoded) + "\n"


def misfit_of(value: Any, write: Encoder) -> Reason | None:
    """Return why a column cannot contain the value; None if it can."""
    try:
        if value is not None:
            write(value).encode()
    except Misfit as misfit:
        return misfit.reason
    except UnicodeEncodeError:
        return Reason(*SURROGATE)
    return None
