"""How far the log of a container was read, so that a stream that broke goes on behind the last line."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from datetime import datetime
from hashlib import blake2b

from airflow.providers.cncf.kubernetes.utils.pod_manager import parse_log_line

KEPT_LINES = 1000  # by which the lines of the next stream are known again: stdout and stderr may change places
DIGEST_BYTES = 16  # of each, as lines may be long
MARGIN_SECONDS = 300  # a line is older than its arrival


class LogPosition:
    """Takes each line of a log once, whatever the streams repeat; their lines begin with the time of the node."""

    def __init__(self) -> None:
        self._last: deque[tuple[datetime, bytes]] = deque(maxlen=KEPT_LINES)
        self._repeated: Counter[bytes] = Counter()
        self._oldest: datetime | None = None
        self._arrived = 0.0

    def next_stream(self) -> int | None:
        """Return how many seconds of the log the next stream must have; None: all of it."""
        self._repeated = Counter(digest for _, digest in self._last)
        # Until so many lines were read, each of them is known.
        self._oldest = min(written for written, _ in self._last) if len(self._last) == self._last.maxlen else None
        return math.ceil(time.monotonic() - self._arrived) + MARGIN_SECONDS if self._last else None

    def take(self, line: str) -> str | None:
        """Return the text of a line that was not read before, without its time; None for a line that was."""
        written, text = parse_log_line(line)
        if written is None:
            return text
        if self._oldest is not None and written < self._oldest:
            return None
        digest = blake2b(line.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()
        if self._repeated[digest] > 0:
            self._repeated[digest] -= 1
            return None
        self._last.append((written, digest))
        self._arrived = time.monotonic()
        return text
