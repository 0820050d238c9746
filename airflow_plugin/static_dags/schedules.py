"""When a static DAG runs, as a stream's config says it: a cron or a preset, and its time zone."""

from __future__ import annotations

from typing import Any

from airflow_plugin.static_dags.ast_values import Imported, Made, Unread

TIMETABLES = ("CronTriggerTimetable", "CronDataIntervalTimetable")
SECONDS = {"weeks": 604800, "days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
UNITS = ((60.0, 60, "*/{} * * * *"), (3600.0, 24, "0 */{} * * *"))
NAMED: dict[float, str] = {60: "* * * * *", 3600: "@hourly", 86400: "@daily", 604800: "@weekly"}


def zone_and_schedule(dag: Made, start_date: Any) -> tuple[str, str | None] | Unread:
    """Return the time zone, UTC by default, and the schedule; None if only a trigger starts the DAG."""
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


def cron_of_seconds(seconds: float) -> str | None:
    """Return the cron expression with the same interval, if there is one."""
    if seconds in NAMED:
        return NAMED[seconds]
    for unit, whole, cron in UNITS:
        times = seconds / unit
        if times.is_integer() and 1 < times < whole and whole % times == 0:
            return cron.format(int(times))
    return None


def _cron(delta: Made) -> str | Unread:
    seconds = seconds_of(delta)
    cron = None if seconds is None else cron_of_seconds(seconds)
    return cron or Unread(delta.line, "no cron comes as often as this timedelta")


def seconds_of(delta: Made) -> float | None:
    """Return the seconds of a timedelta of numbers; None for another."""
    named = {**dict(zip(("days", "seconds"), delta.args, strict=False)), **delta.kwargs}
    if len(delta.args) > 2 or not named.keys() <= SECONDS.keys():
        return None
    if not all(isinstance(amount, int | float) for amount in named.values()):
        return None
    return float(sum(amount * SECONDS[unit] for unit, amount in named.items()))


def _zone(start_date: Any) -> Any:
    """Return the time zone of a start date, which is the DAG's."""
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
