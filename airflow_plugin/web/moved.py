"""The rows that a platform's streams moved in each hour of the last day; looked for once in a while."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from functools import cache
from typing import Any

from psycopg2.extensions import connection as Connection

from airflow_plugin.settings import PlatformSettings
from airflow_plugin.web import stored
from airflow_plugin.web.cards import instant
from airflow_plugin.web.platforms import Standing
from airflow_plugin.web.pool import pool

FRESH_SECONDS = 30.0  # it reads a day of batches


class _Known:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.read_at = -FRESH_SECONDS
        self.rows: list[stored.Moved] = []


def moved_of(standing: Standing) -> list[dict[str, Any]]:
    """By hour, of the streams that the user may see. Raises StreamFactoryError."""
    platform, seen = standing.settings.platform_name, {one.stream.stream_key for one in standing.cards}
    hours: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in _rows(standing.settings):
        if row.stream_key in seen:
            hours[row.hour] = [a + b for a, b in zip(hours[row.hour], row[2:], strict=True)]
    keys = ("batches", "inserted", "updated", "deleted")
    return [
        {"hour": instant(hour), "platform": platform, **dict(zip(keys, sums, strict=True))}
        for hour, sums in sorted(hours.items())
    ]


def _rows(settings: PlatformSettings) -> list[stored.Moved]:
    known = _known(settings)
    with known.lock:
        if time.monotonic() - known.read_at > FRESH_SECONDS:

            def read(connection: Connection) -> list[stored.Moved]:
                return stored.moved(connection, settings)

            known.rows, known.read_at = pool(settings).read(read), time.monotonic()
        return known.rows


@cache
def _known(settings: PlatformSettings) -> _Known:
    return _Known()
