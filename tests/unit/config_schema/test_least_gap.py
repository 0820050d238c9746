"""The least gap of a schedule: known ones, and held against the times that croniter finds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from config_schema.cron import DAY, is_random, least_gap


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("* * * * *", 60),
        ("*/5 * * * *", 300),
        ("*/7 * * * *", 240),  # minute 56, then 0
        ("0,59 * * * *", 60),
        ("59 23 * * *", DAY),
        ("0 0,23 * * *", 3600),
        ("0 0,23 * * 1", 23 * 3600),  # Tuesday 0:00 is none of its times
        ("0 0,23 * * 1,2", 3600),
        ("0 0,23 1 * *", 23 * 3600),
        ("0 0,23 28,1 2,3 *", 3600),
        ("0 0,23 28,1 2,4 *", 23 * 3600),
        ("0 0,23 31,1 12,1 *", 3600),
        ("0 0,23 5 * 1", 3600),  # either the 5th or a Monday
        ("0 0,23 * * SUN,SAT", 3600),
        ("0 0,23 ? * 7", 23 * 3600),
        ("@hourly", 3600),
        ("@daily", DAY),
        ("@weekly", DAY),
        ("@yearly", DAY),
        ("@once", DAY),
        ("@continuous", 0),
    ],
)
def test_the_least_gap_is_the_one_by_the_clock_on_the_wall(schedule, seconds):
    assert least_gap(schedule) == seconds


def field(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    one = st.one_of(
        numbers.map(str),
        st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.integers(1, high).map(lambda step: f"*/{step}"),
    )
    return st.one_of(st.just("*"), st.lists(one, min_size=1, max_size=3).map(",".join))


FEW_HOURS = st.lists(st.integers(0, 23), min_size=1, max_size=3).map(lambda hours: ",".join(map(str, hours)))


@settings(max_examples=60)
@given(minute=field(0, 59), hour=FEW_HOURS, day=field(1, 28), month=field(1, 12), weekday=field(0, 6))
def test_no_two_times_that_croniter_finds_are_nearer_than_the_least_gap_and_some_are_as_near(
    minute, hour, day, month, weekday
):
    schedule = f"{minute} {hour} {day} {month} {weekday}"
    times = croniter(schedule, start_time=946684800.0)
    found = [times.get_next() for _ in range(300)]
    nearest = min(min(later - earlier for earlier, later in pairwise(found)), DAY)
    gap = least_gap(schedule)
    assert gap <= nearest
    if found[-1] - found[0] > 6 * 366 * DAY:  # long enough for every neighbour
        assert gap == nearest


@pytest.mark.parametrize("schedule", ["0 0,23 * * 1#2", "0 0,23 L * *", "0 0,23 * * L5"])
def test_of_days_that_are_counted_in_their_month_it_takes_that_they_may_follow_each_other(schedule):
    assert least_gap(schedule) == 3600


@pytest.mark.parametrize("schedule", ["", "* * * *", "61 * * * *", "a b c d e", "H H * * *", "* * * * 1#9"])
def test_what_is_no_schedule_has_no_gap(schedule):
    with pytest.raises(ValueError):  # noqa: PT011 - croniter has a dozen of them
        least_gap(schedule)


@pytest.mark.parametrize("schedule", ["R * * * *", "0 r * * *", "R/15 * * * *", "H 2 * * *", "0 0 * * R"])
def test_a_time_left_to_chance_is_known(schedule):
    assert is_random(schedule)


@pytest.mark.parametrize("schedule", ["0 0 * MAR,APR FRI,THU", "@hourly", "* * * * *", "0 0 * * L5"])
def test_months_and_weekdays_are_no_chance(schedule):
    assert not is_random(schedule)
