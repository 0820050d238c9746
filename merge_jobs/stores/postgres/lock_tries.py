"""Exclusive locks in short tries.

Whoever asks for a table while another session waits for an exclusive lock on it waits behind that session. So one long
reader would block all other readers for as long as the job waits: the job asks for a moment only, again and again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from merge_jobs.process import shutdown

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 2.0
PAUSE_SECONDS = 1.0  # between two tries: those who have queued meanwhile go first


def lock_tries(seconds: float) -> Iterator[tuple[int, bool]]:
    """Yield for each try its lock timeout in milliseconds, and whether it is the last one within so many seconds.

    Raises Ended if the job is asked to end in a pause.
    """
    give_up, length = time.monotonic() + seconds, FIRST_SECONDS
    while True:
        is_last = time.monotonic() + length + PAUSE_SECONDS >= give_up
        yield int(length * 1000), is_last
        if is_last:
            return
        shutdown.pause(PAUSE_SECONDS)
        shutdown.check()
        length = min(2 * length, LONGEST_SECONDS)
