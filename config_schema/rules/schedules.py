"""A platform's schedule is one, and runs often enough for the dataset groups that the platform is assigned."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from math import inf
from typing import Any
from zoneinfo import available_timezones

from croniter import croniter

from config_schema.cron import PRESETS, schedule_fault, timezone_exists
from config_schema.errors import Finding, choose_from, did_you_mean
from config_schema.model import DatasetGroup, Ecosystem, Platform
from config_schema.model.mapping import DsgMapping
from config_schema.rules.parts import assigned

Field = list[int | str]  # numbers, `*`, and `l` for the last day of a month
WAITS = {"@continuous": 0.0, "@once": inf}
DAY = 86400.0
FIRST_DAY, DAYS = date(2024, 1, 1), 8 * 366  # so long that the 29th of February comes twice


def schedules_hold(ecosystem: Ecosystem) -> Iterator[Finding]:
    for i, platform in enumerate(ecosystem.platforms):
        if schedule_fault(platform.schedule) is not None:
            todo = "Write five fields such as '*/10 * * * *', or a preset such as @hourly"
            yield f"platforms[{i}].schedule", f"{platform.schedule!r} is no schedule", todo
        if not timezone_exists(platform.timezone):
            todo = f"{did_you_mean(platform.timezone, available_timezones())}Write an IANA name such as Europe/Zurich"
            yield f"platforms[{i}].timezone", f"{platform.timezone!r} is no time zone", todo


def schedules_meet_latencies(ecosystem: Ecosystem, mappings: tuple[DsgMapping, ...]) -> Iterator[Finding]:
    """Only schedules are looked at: how long a run takes, and who triggers where there is none, nobody knows here."""
    by_asset = {store.name for store in ecosystem.datastores if store.schedule_assets}
    for one in assigned(ecosystem, mappings):
        if all(sink.datastore in by_asset for sink in one.group.sinks) or _meets(one.platform, one.group):
            continue
        wait = longest_wait(one.platform.schedule or "")
        seldom = "once" if wait == inf else f"up to {wait:g} s apart"
        runs = f"{one.platform.name} runs {seldom} ({one.platform.schedule})"
        what = f"{one.group.name} needs changes within {one.group.latency_seconds} s, and {runs}"
        fitting = [platform.name for platform in ecosystem.platforms if _meets(platform, one.group)]
        yield (
            f"{one.path}.dataPlatform",
            what,
            f"Mend schedule or latency_seconds. {choose_from(one.platform.name, fitting)}",
        )


def _meets(platform: Platform, group: DatasetGroup) -> bool:
    if platform.schedule is None or group.latency_seconds is None or schedule_fault(platform.schedule):
        return True
    return longest_wait(platform.schedule) <= group.latency_seconds


@cache
def longest_wait(schedule: str) -> float:
    """The most seconds between two runs of a cron expression or preset, inf if it runs once or never.

    A change of clocks is not counted.
    """
    if schedule in WAITS:
        return WAITS[schedule]
    fields: Any = croniter.expand(PRESETS.get(schedule, schedule))  # its stubs leave out what `L` and `#` give
    (minutes, hours, days, months, weekdays), nth = fields[:2]
    times = [60.0 * (60 * hour + minute) for hour in _numbers(hours, 24) for minute in _numbers(minutes, 60)]
    inside = max((later - earlier for earlier, later in pairwise(times)), default=0.0)
    over_night = DAY - times[-1] + times[0]
    dates = (FIRST_DAY + timedelta(number) for number in range(DAYS))
    runs = [number for number, day in enumerate(dates) if _runs_on(day, days, months, weekdays, nth)]
    if len(runs) < 2:
        return inf
    apart = max(later - earlier for earlier, later in pairwise(runs))
    return max(inside, over_night + DAY * (apart - 1))


def _numbers(field: Field, most: int) -> list[int]:
    return sorted(range(most) if "*" in field else {int(number) for number in field})


def _runs_on(day: date, days: Field, months: Field, weekdays: Field, nth: dict[int, set[int | str]]) -> bool:
    """As cron has it: where days of the month and of the week are both given, either will do."""
    if "*" not in months and day.month not in months:
        return False
    last = day.day == calendar.monthrange(day.year, day.month)[1]
    of_month = "*" in days or day.day in days or (last and "l" in days)
    weekday = day.isoweekday() % 7
    of_week = "*" in weekdays or weekday in weekdays
    if of_week and weekday in nth:
        of_week = (day.day - 1) // 7 + 1 in nth[weekday] or (
            "l" in nth[weekday] and (day + timedelta(7)).month != day.month
        )
    return (of_month and of_week) if "*" in days or "*" in weekdays else (of_month or of_week)
