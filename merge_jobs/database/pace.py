"""How fast a job reads: so many bytes a second at most, over all of its connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import BinaryIO

MEGABYTE = 1_000_000
CREDIT_SECONDS = 1.0  # in which nothing was read, or less, are made up for


class Pace:
    """A limit of bytes a second. Whoever has read waits until that many could have been read; threads share it."""

    def __init__(
        self,
        megabytes_per_second: float,
        pause: Callable[[float], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds_each = 1 / (megabytes_per_second * MEGABYTE)
        self._pause, self._clock = pause, clock
        self._free_at = clock()  # when all that was read could have been read
        self._lock = threading.Lock()

    def did(self, size: int) -> None:
        """Wait after so many bytes were read."""
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now - CREDIT_SECONDS) + size * self._seconds_each
            left = self._free_at - now
        if left > 0:
            self._pause(left)


class PacedReader:
    """What COPY reads from, at a pace: the source cannot write faster into the pipe than this reads."""

    def __init__(self, reader: BinaryIO, pace: Pace) -> None:
        self._reader, self._pace = reader, pace

    def read(self, size: int = -1) -> bytes:
        """Read as the reader does."""
        found = self._reader.read(size)
        self._pace.did(len(found))
        return found
