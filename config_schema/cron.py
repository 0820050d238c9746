"""Checks of schedules and time zones, in models and in rows, and the time between the runs of a schedule.

Airflow itself finds some of these mistakes only when it computes the next run, which is too late for a row.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

NOT_CRON = ("@once", "@continuous")
PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
MINUTE, DAY = 60, 86400  # seconds
MINUTES_OF_DAY = 1440
EVERY = "*"
LAST = "l"
RANDOM = re.compile(r"(?:^|[ ,])[hr](?:$|[ ,/])", re.IGNORECASE)  # croniter's own, another time at each look
# Every kind of year is in 28 years, and from any of them 29 February comes within four or five more.
FIRST_DAY, DAYS = date(2000, 1, 1), 33 * 366

Field = Sequence[int | str]


@cache
def schedule_fault(schedule: str | None) -> str | None:
    """Return why a schedule never comes, as on 30 February; None if it does."""
    if schedule is None or schedule in NOT_CRON:
        return None
    from croniter import CroniterError, croniter  # what Airflow's cron timetables use; a merge job needs none of it

    try:
        croniter(PRESETS.get(schedule, schedule)).get_next()
    except (CroniterError, ValueError) as error:
        return f"{schedule!r} names no time ({error})"
    return None


@cache
def timezone_exists(name: str) -> bool:
    """Return whether this machine knows the IANA name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def is_random(schedule: str) -> bool:
    """Return whether the schedule leaves its times to chance."""
    return RANDOM.search(schedule) is not None


@lru_cache(maxsize=4096)
def least_gap(schedule: str) -> int:
    """Return the least seconds between two runs by the clock on the wall, at most a day; 0 for @continuous.

    Days such as `1#2` or `L` count as if they could follow each other. Raises ValueError if it is not a schedule.
    """
    if schedule in NOT_CRON:
        return DAY if schedule == "@once" else 0
    times, days = _times_and_days(schedule)
    within = min((later - earlier for earlier, later in pairwise(times)), default=MINUTES_OF_DAY)
    over_midnight = MINUTES_OF_DAY - times[-1] + times[0]
    if over_midnight < within and (days.are_counted or 1 in days.apart()):
        return over_midnight * MINUTE
    return within * MINUTE


@cache
def longest_wait(schedule: str) -> float:
    """Return the most seconds between two runs, inf if it runs once or never. Raises ValueError like `least_gap`.

    Changes to and from daylight saving time are not counted.
    """
    if schedule in NOT_CRON:
        return inf if schedule == "@once" else 0.0
    times, days = _times_and_days(schedule)
    apart = max(days.apart(), default=None)
    if apart is None:
        return inf
    within = max((later - earlier for earlier, later in pairwise(times)), default=0)
    over_midnight = MINUTES_OF_DAY - times[-1] + times[0]
    return float(MINUTE * max(within, over_midnight + MINUTES_OF_DAY * (apart - 1)))


@dataclass(frozen=True)
class _Days:
    """The days of a cron expression, by croniter's fields; `nth` are those such as `1#2`, by weekday."""

    days: Field
    months: Field
    weekdays: Field
    nth: Mapping[int, set[int | str]]

    @property
    def are_counted(self) -> bool:
        """Whether some days are counted within their month, as `1#2` and `L` are."""
        return bool(self.nth) or LAST in self.days

    def apart(self) -> Iterator[int]:
        """Yield the numbers of days between two consecutive runs."""
        runs = (number for number, day in enumerate(_calendar()) if self._include(day))
        return (later - earlier for earlier, later in pairwise(runs))

    def _include(self, day: date) -> bool:
        if EVERY not in self.months and day.month not in self.months:
            return False
        last = LAST in self.days and day.day == monthrange(day.year, day.month)[1]
        of_month = EVERY in self.days or day.day in self.days or last
        weekday = day.isoweekday() % 7
        of_week = EVERY in self.weekdays or weekday in self.weekdays
        if of_week and weekday in self.nth:
            last = LAST in self.nth[weekday] and (day + timedelta(7)).month != day.month
            of_week = (day.day - 1) // 7 + 1 in self.nth[weekday] or last
        # Where days of the month and of the week are both given, cron takes either.
        either = EVERY not in self.days and EVERY not in self.weekdays
        return of_month or of_week if either else of_month and of_week


@cache
def _calendar() -> Sequence[date]:
    return [FIRST_DAY + timedelta(number) for number in range(DAYS)]


def _times_and_days(schedule: str) -> tuple[Sequence[int], _Days]:
    """Return the minutes of a day at which it runs, sorted, and its days."""
    from croniter import croniter

    fields: Any = croniter.expand(PRESETS.get(schedule, schedule))  # its stubs leave out what `L` and `#` give
    (minutes, hours, days, months, weekdays), nth = fields[:2]
    times = sorted(60 * hour + minute for hour in _numbers(hours, 24) for minute in _numbers(minutes, 60))
    return times, _Days(days, months, weekdays, nth)


def _numbers(field: Field, count: int) -> Sequence[int]:
    return range(count) if EVERY in field else [int(number) for number in field]
