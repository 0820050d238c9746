"""What a schedule must be, in models and in rows.

Airflow itself finds some of it only when it looks for the next run, too late for a row.
"""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter  # what Airflow's cron timetables use

NOT_CRON = ("@once", "@continuous")
PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}


@cache
def schedule_fault(schedule: str | None) -> str | None:
    """Why a schedule never comes, also 30 February; None if it does."""
    if schedule is None or schedule in NOT_CRON:
        return None
    try:
        croniter(PRESETS.get(schedule, schedule)).get_next()
    except (CroniterError, ValueError) as error:
        return f"{schedule!r} names no time ({error})"
    return None


@cache
def timezone_exists(name: str) -> bool:
    """Whether this machine knows the IANA name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
