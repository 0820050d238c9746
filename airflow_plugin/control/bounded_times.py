"""Times of a database as Python holds them, whatever a row says: one that no datetime can be is the nearest that can.

Whoever may write a row may write any time into it, before our era too. The driver's own error would end the reading of
all rows. The bounds leave room for sums, of a time and a clock that is ahead, for instance.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from psycopg2 import DataError, extensions

EARLIEST, LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)


def bound_times(connection: extensions.connection) -> None:
    """Let a connection read each time as one between EARLIEST and LATEST."""
    extensions.register_type(_BOUNDED, connection)


def _bounded(text: str | None, cursor: Any) -> datetime | None:
    if text is None:
        return None
    try:
        return min(max(extensions.PYDATETIMETZ(text, cursor), EARLIEST), LATEST)  # type: ignore[attr-defined]
    except (ValueError, OverflowError, DataError):
        return EARLIEST if text.endswith("BC") else LATEST


_BOUNDED = extensions.new_type(extensions.PYDATETIMETZ.values, "BOUNDED_TIME", _bounded)  # type: ignore[attr-defined]
