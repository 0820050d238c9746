"""Times of a database as Python's datetimes: a time outside their range becomes the nearest one within it.

Whoever may write a row may write any time into it, before our era too. The driver's own error would end the reading of
all rows. The bounds leave room for sums, of a time and a clock that is ahead, for instance.
"""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg2 import DataError, extensions

EARLIEST, LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)


def bound_times(connection: extensions.connection) -> None:
    """Let a connection read each time as one between EARLIEST and LATEST."""
    extensions.register_type(_BOUNDED, connection)


def _bounded(text: str | bytes | None, cursor: extensions.cursor) -> datetime | None:
    if text is None:
        return None
    try:
        found: datetime = extensions.PYDATETIMETZ(text, cursor)
        return min(max(found, EARLIEST), LATEST)
    except (ValueError, OverflowError, DataError):
        return EARLIEST if str(text).endswith("BC") else LATEST


_BOUNDED = extensions.new_type(extensions.PYDATETIMETZ.values, "BOUNDED_TIME", _bounded)
