"""When a static DAG runs, as a stream's config says it: a cron or a preset, and its time zone."""

from __future__ import annotations

from typing import Any

from airflow_plugin.migrate.values import Imported, Made, Unread

TIMETABLES = ("CronTriggerTimetable", "CronDataIntervalTimetable")
UNITS = (("minutes", 60, "*/{} * * * *"), ("hours", 24, "0 */{} * * *"))
NAMED = {("days", 1): "@daily", ("hours", 1): "@hourly", ("weeks", 1): "@weekly", ("minutes", 1): "* * * * *"}


def zone_and_schedule(dag: Made, start_date: Any) -> tuple[str, str | None] | Unread:
    """The time zone, UTC where the file names none, and the schedule; None: only a trigger starts it."""
    name = next((one for one in ("schedule", "schedule_interval", "timetable") if one in dag.kwargs), None)
    if name is None:
        return Unread(dag.line, "the DAG names no schedule, which is daily in Airflow 2 and none in Airflow 3")
    value = dag.kwargs[name]
    start = dag.given("start_date")
    zone = _zone(start if start is not None else start_date)
    if isinstance(zone, Unread) or isinstance(value, Unread):
        return value if isinstance(value, Unread) else zone
    if value is None:
        return zone, None
    if isinstance(value, str):
        return zone, (None if value == "None" else value)
    if isinstance(value, Made) and value.kind == "timedelta":
        cron = _cron(value)
        return cron if isinstance(cron, Unread) else ("UTC", cron)
    if isinstance(value, Made) and value.kind in TIMETABLES:
        return _of_timetable(value)
    return Unread(dag.line, f"a schedule of {value.kind if isinstance(value, Made) else 'several assets'} is no cron")


def _of_timetable(timetable: Made) -> tuple[str, str | None] | Unread:
    cron, zone = timetable.given("cron", 0), timetable.given("timezone")
    zone = _named_zone(zone, timetable.line)
    if isinstance(zone, Unread) or not isinstance(cron, str):
        return zone if isinstance(zone, Unread) else Unread(timetable.line, "the timetable's cron is no text")
    return zone, cron


def _cron(delta: Made) -> str | Unread:
    """The cron that comes as often, where there is one."""
    if not delta.args and len(delta.kwargs) == 1:
        ((unit, amount),) = delta.kwargs.items()
        if isinstance(amount, int) and (unit, amount) in NAMED:
            return NAMED[unit, amount]
        for name, whole, cron in UNITS:
            if unit == name and isinstance(amount, int) and 1 < amount < whole and whole % amount == 0:
                return cron.format(amount)
    return Unread(delta.line, "no cron comes as often as this timedelta")


def _zone(start_date: Any) -> Any:
    """That of a start date, which is the DAG's."""
    if isinstance(start_date, Unread):
        return start_date
    if not isinstance(start_date, Made):
        return "UTC"
    return _named_zone(start_date.given("tz", 99) or start_date.given("tzinfo", 99), start_date.line)


def _named_zone(value: Any, line: int) -> str | Unread:
    if isinstance(value, Made) and value.args:  # pendulum.timezone("..."), ZoneInfo("...")
        value = value.args[0]
    if value is None or (isinstance(value, Imported) and value.name.lower().endswith(("utc", "utc.utc"))):
        return "UTC"
    if isinstance(value, str):
        return value
    return value if isinstance(value, Unread) else Unread(line, "the time zone is no text")
