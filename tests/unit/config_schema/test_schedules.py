"""How far apart a schedule's runs are at most: held against croniter, run by run."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count, pairwise, takewhile
from math import inf

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from config_schema.cron import longest_wait

START = datetime(2024, 1, 1)


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("@continuous", 0),
        ("* * * * *", 60),
        ("@hourly", 3600),
        ("@weekly", 7 * 86400),
        ("@quarterly", 92 * 86400),
        ("0 0 29 2 *", 1461 * 86400),
        ("*/10 8-17 * * mon-fri", (2 * 24 + 14) * 3600 + 600),
        ("0 0 * * 5#2", 35 * 86400),
        ("0 0 L * *", 31 * 86400),
        ("0 0 30 2 *", inf),
        ("@once", inf),
    ],
)
def test_the_longest_wait_of_a_schedule(schedule, seconds):
    assert longest_wait(schedule) == seconds


def field(first: int, last: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    return st.lists(number, min_size=1, max_size=most).map(lambda found: ",".join(map(str, found)))


days = st.just("*") | field(1, 28, 3)
weekdays = st.just("*") | field(0, 6, 3)


@settings(max_examples=25)
@given(st.tuples(field(0, 59, 1), field(0, 23, 2), days, st.just("*"), weekdays).map(" ".join))
def test_runs_are_never_further_apart_than_that_and_nearly_so_once_in_a_year(schedule):
    runs = croniter(schedule, START)
    times = list(takewhile(lambda time: time < START + timedelta(400), (runs.get_next(datetime) for _ in count())))
    apart = max((later - earlier).total_seconds() for earlier, later in pairwise(times))
    longest = longest_wait(schedule)
    # Where days of the month and of the week are both given, how they fall differs from year to year.
    slack = 7 * 86400 if "*" not in schedule.split()[2] + schedule.split()[4] else 0
    assert apart <= longest <= apart + slack
