"""The log of a container: its lines, of which none can grow the worker's memory, and how far it was read.

A stream that broke goes on behind the last line.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any

from airflow.providers.cncf.kubernetes.utils.pod_manager import parse_log_line

from airflow_plugin.operators.child_process import LINE_BYTES

KEPT_LINES = 1000  # by which the lines of the next stream are known again: stdout and stderr may change places
DIGEST_BYTES = 16  # of each, as lines may be long
MARGIN_SECONDS = 300  # a line is older than its arrival


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a log without their ends, each cut after LINE_BYTES.

    A container runtime cuts long lines, and the API server joins them again: no server limits a line.
    """
    line = bytearray()
    for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line += end[: LINE_BYTES - len(line)]
            yield bytes(line)
            line.clear()
        line += rest[: LINE_BYTES - len(line)]
    if line:
        yield bytes(line)


class BoundedAnswer:
    """An answer of the API server; the lines of its stream are not longer than those of `lines_of`."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        """Yield the answer line by line."""
        for line in lines_of(self._answer.stream(*args, **kwargs)):
            yield line + b"\n"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)


class LogPosition:
    """Takes each line of a log once, although streams repeat lines; each line begins with the node's time."""

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
