"""The rows that a platform's streams changed in each hour of the last day; computed at intervals."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from airflow_plugin.settings import PlatformSettings
from airflow_plugin.web import queries
from airflow_plugin.web.platforms import PlatformState
from airflow_plugin.web.pool import read
from airflow_plugin.web.stream_status import instant

FRESH_SECONDS = 30.0  # it reads a day of batches


Hours = dict[datetime, list[int]]  # batches, rows inserted, updated and deleted


class _Known:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.read_at = -FRESH_SECONDS
        self.rows: list[queries.RowsChanged] = []
        self.streams: frozenset[str] = frozenset()
        self.all: Hours = {}


def rows_changed_of(platform: PlatformState) -> list[dict[str, Any]]:
    """Return the rows changed by the streams that the user may see, by hour. Raises StreamFactoryError."""
    seen = {one.stream.stream_key for one in platform.cards}
    known = _fresh(platform.settings)
    # Most users see all streams, and there may be thousands of them in each hour.
    hours = known.all if known.streams <= seen else _hours(row for row in known.rows if row.stream_key in seen)
    keys = ("batches", "inserted", "updated", "deleted")
    return [
        {"hour": instant(hour), "platform": platform.settings.platform_name, **dict(zip(keys, sums, strict=True))}
        for hour, sums in sorted(hours.items())
    ]


def _hours(rows: Iterable[queries.RowsChanged]) -> Hours:
    hours: Hours = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        sums = hours[row.hour]
        for place, value in enumerate(row[2:]):
            sums[place] += value
    return dict(hours)


def _fresh(settings: PlatformSettings) -> _Known:
    known = _known(settings)
    with known.lock:
        if time.monotonic() - known.read_at > FRESH_SECONDS:
            known.rows, known.read_at = read(settings, queries.rows_changed), time.monotonic()
            known.streams = frozenset(row.stream_key for row in known.rows)
            known.all = _hours(known.rows)
        return known


@cache
def _known(settings: PlatformSettings) -> _Known:
    return _Known()
