"""How soon after each other a schedule's ticks can come. Plain arithmetic on the fields: no date is searched for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import pairwise

from croniter import croniter

from config_schema.cron import PRESETS

MINUTE, DAY = 60, 86400
MINUTES_OF_DAY = 1440
EVERY = ["*"]
RANDOM = re.compile(r"(?:^|[ ,])[hr](?:$|[ ,/])", re.IGNORECASE)  # croniter's own, another time at each look

Field = Sequence[int | str]


def is_random(schedule: str) -> bool:
    """Whether the schedule leaves its times to chance."""
    return RANDOM.search(schedule) is not None


@lru_cache(maxsize=4096)
def least_gap(schedule: str) -> int:
    """The least seconds between two ticks by the clock on the wall, told up to a day; 0 for @continuous.

    Of days such as `1#2` or `L` it takes that they may follow each other. Raises ValueError for what is no schedule.
    """
    if schedule == "@continuous":
        return 0
    if schedule == "@once":
        return DAY
    (minutes, hours, *days), nth = croniter.expand(PRESETS.get(schedule, schedule))
    times = sorted(hour * 60 + minute for hour in _numbers(hours, 24) for minute in _numbers(minutes, 60))
    within = min((later - earlier for earlier, later in pairwise(times)), default=MINUTES_OF_DAY)
    over_midnight = MINUTES_OF_DAY - times[-1] + times[0]
    if over_midnight < within and (nth or "l" in days[0] or _two_in_a_row(*days)):
        return over_midnight * MINUTE
    return within * MINUTE


def _numbers(field: Field, count: int) -> Sequence[int]:
    return range(count) if field == EVERY else [int(number) for number in field]


def _two_in_a_row(days: Field, months: Field, weekdays: Field) -> bool:
    """Whether two days that follow each other are both meant; cron means either where both kinds of day are given."""
    before = False
    for month, day, weekday in _calendar():
        by_day, by_weekday = days != EVERY and day in days, weekdays != EVERY and weekday in weekdays
        meant = by_day or by_weekday or (days == EVERY and weekdays == EVERY)
        meant = meant and (months == EVERY or month in months)
        if meant and before:
            return True
        before = meant
    return False


@cache
def _calendar() -> list[tuple[int, int, int]]:
    """Month, day and weekday (0 is Sunday) of the 28 years in which every kind of year stands."""
    first = date(2000, 1, 1)
    dates = (first + timedelta(days=number) for number in range(28 * 365 + 8))
    return [(one.month, one.day, one.isoweekday() % 7) for one in dates]
