"""The schedules of our DAGs: the timetable for a row's schedule, and what all DAGs share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from airflow_plugin.airflow_versions import CronTriggerTimetable
from config_schema.cron import NOT_CRON, PRESETS

if TYPE_CHECKING:
    from airflow.sdk.bases.timetable import BaseTimetable  # its name from Airflow 3.2 on

START = datetime(2024, 1, 1, tzinfo=UTC)
RETRY_DELAY = timedelta(minutes=1)


@cache
def timetable(schedule: str | None, timezone: str) -> BaseTimetable | str | None:
    """Return the timetable of a schedule, one object for all DAGs with the same.

    Names such as @hourly are resolved here: Airflow 3.2 keeps them, other versions store their meaning.
    """
    if schedule is None or schedule in NOT_CRON:
        return schedule
    return CronTriggerTimetable(PRESETS.get(schedule, schedule), timezone=timezone)
