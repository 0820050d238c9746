"""When a schedule comes next. Pure; what Airflow's CronTriggerTimetable says, without Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from croniter import croniter

from config_schema.cron import NOT_CRON, PRESETS


def next_times(schedule: str | None, timezone: str, after: datetime, count: int = 3) -> list[datetime]:
    """Return the next times of a valid cron expression, in its time zone; none for another schedule."""
    if schedule is None or schedule in NOT_CRON:
        return []
    zone, times = ZoneInfo(timezone), [after]
    for _ in range(count):
        times.append(_next(PRESETS.get(schedule, schedule), zone, times[-1]))
    return [time.astimezone(zone) for time in times[1:]]


def _next(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    wall = after.astimezone(zone).replace(tzinfo=None)
    found = croniter(cron, start_time=wall)
    coming: datetime = found.get_next(datetime)
    if found.expanded[1] == ["*"]:  # every hour: when clocks go back, also in the hour that comes twice
        return after + (coming - wall)
    # A time that comes twice, or not at all: the later of what it can mean.
    return max(coming.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
