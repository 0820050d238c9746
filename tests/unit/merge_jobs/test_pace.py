"""How much of a producer's time a job takes: the pace of its reading, and the pauses of a time slice."""

from __future__ import annotations

import io

import pytest

from merge_jobs.database.pace import MEGABYTE, Pace, PacedReader
from merge_jobs.run.job import LEAST_PAUSE_SECONDS, pause_between


class Clock:
    """Time that passes in pauses, and when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def test_what_is_read_takes_the_time_that_the_pace_gives_it():
    clock = Clock()
    pace = Pace(2, clock.pause, lambda: clock.now)
    reader = PacedReader(io.BytesIO(bytes(3 * MEGABYTE)), pace)
    read = b"".join(iter(lambda: reader.read(MEGABYTE // 2), b""))
    assert len(read) == 3 * MEGABYTE
    assert clock.now - 100 == pytest.approx(1.5)


def test_the_time_of_the_reading_itself_counts_and_of_idle_time_a_second():
    clock = Clock()
    pace = Pace(1, clock.pause, lambda: clock.now)
    pace.did(MEGABYTE)
    clock.now += 0.4  # the next megabyte has taken this long
    pace.did(MEGABYTE)
    assert clock.pauses == pytest.approx([1, 0.6])
    clock.now += 1000
    pace.did(MEGABYTE)
    pace.did(MEGABYTE)
    assert clock.pauses[2:] == pytest.approx([1])


def test_threads_share_a_pace():
    clock = Clock()
    waits: list[float] = []
    pace = Pace(1, waits.append, lambda: clock.now)
    for _ in range(3):  # at the same time
        pace.did(MEGABYTE)
    assert waits == pytest.approx([1, 2, 3])


@pytest.mark.parametrize(
    ("seconds", "share", "idle", "pause"),
    [
        (3.0, None, True, 12.0),
        (3.0, 0.5, True, 3.0),
        (3.0, 1.0, True, LEAST_PAUSE_SECONDS),
        (0.01, None, True, LEAST_PAUSE_SECONDS),
        (3.0, None, False, 12.0),
        (0.01, None, False, 0.04),
        (3.0, 1.0, False, 0.0),
    ],
)
def test_the_source_is_read_for_its_share_of_a_time_slice(seconds, share, idle, pause):
    assert pause_between(seconds, share, is_idle=idle) == pytest.approx(pause)
