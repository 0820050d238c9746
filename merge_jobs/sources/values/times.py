"""Values for columns of dates, times and durations. A text is taken in ISO format only: PostgreSQL reads much more."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any

from config_schema.model.sql_types import SqlType
from merge_jobs.misfit import (
    CLOCK_LOST,
    FINER,
    NO_DURATION,
    NO_STAMP,
    NO_TIME_OF_DAY,
    ZERO,
    ZONED,
    Encoder,
    Misfit,
    refuse,
    wrong_kind,
)

DAY = r"\d{4}-\d\d-\d\d"
CLOCK = r"(?P<clock>\d\d:\d\d(?::\d\d(?:\.(?P<fraction>\d+))?)?)"
ZONE = r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?"
STAMP = re.compile(rf"(?P<day>{DAY})(?:[ T]{CLOCK}{ZONE})?", re.ASCII)
TIME = re.compile(CLOCK + ZONE, re.ASCII)
DURATION = re.compile(r"-?\d+:[0-5]\d:[0-5]\d(?:\.(?P<fraction>\d+))?", re.ASCII)
ZERO_DATE = re.compile(r"0000-|\d{4}-00|\d{4}-\d\d-00", re.ASCII)
DAY_LENGTH = timedelta(days=1)


def date_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a date column; a time of day would be lost, and is refused."""

    def encode(value: Any) -> str:
        if isinstance(value, datetime):
            if value.time() != time.min or value.tzinfo is not None:
                raise Misfit(*CLOCK_LOST)
            value = value.date()
        if isinstance(value, str):
            found = _stamp_parts(value)
            if found["zone"] is not None or (found["clock"] or "").strip("0:."):
                raise Misfit(*CLOCK_LOST)
            return found["day"]
        return value.isoformat() if isinstance(value, date) else refuse(value, type_name)

    return encode


def _stamp_parts(value: str) -> re.Match[str]:
    """Return the parts of a date or time. Raises Misfit for a text that is none, or whose date does not exist."""
    if ZERO_DATE.match(value):
        raise Misfit(*ZERO)
    found = STAMP.fullmatch(value)
    if found is None:
        raise Misfit(*NO_STAMP)
    try:
        date.fromisoformat(found["day"])
    except ValueError:
        raise Misfit(*ZERO) from None
    _check_clock(found["clock"])
    return found


def _check_clock(clock: str | None) -> None:
    """Raise Misfit for a time of day that there is not: PostgreSQL takes 23:59:60 for the next day."""
    try:
        if clock is not None:
            time.fromisoformat(clock.partition(".")[0])
    except ValueError:
        raise Misfit(*ZERO) from None


def timestamp_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a timestamp column."""
    places, zoned = _places(of), of.zone == " with time zone"

    def encode(value: Any) -> str:
        if isinstance(value, str):
            found = _stamp_parts(value)
            _check_places(found["fraction"], places)
            has_zone = found["zone"] is not None
        elif isinstance(value, datetime):
            if value.microsecond:
                _check_places(f"{value.microsecond:06d}", places)
            has_zone, value = value.tzinfo is not None, value.isoformat(sep=" ")
        elif isinstance(value, date):
            has_zone, value = False, value.isoformat()
        else:
            raise wrong_kind(value, type_name)
        if has_zone and not zoned:
            raise Misfit(*ZONED)
        return str(value)

    return encode


def _places(of: SqlType) -> int:
    return 6 if of.first is None else of.first


def _check_places(fraction: str | None, places: int) -> None:
    if fraction and len(fraction.rstrip("0")) > places:
        raise Misfit(*FINER)


def time_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a time column."""
    places, zoned = _places(of), of.zone == " with time zone"

    def encode(value: Any) -> str:
        if isinstance(value, timedelta):
            if not timedelta(0) <= value <= DAY_LENGTH:
                raise Misfit(*NO_TIME_OF_DAY)
            value = duration(value)
        text = value.isoformat() if isinstance(value, time) else value
        if not isinstance(text, str):
            raise wrong_kind(value, type_name)
        found = TIME.fullmatch(text)
        if found is None:
            raise Misfit(*NO_STAMP)
        if found["zone"] is not None and not zoned:
            raise Misfit(*ZONED)
        if found["clock"].strip("0:.") != "24":  # 24:00:00 is a time of day to both
            _check_clock(found["clock"])
        _check_places(found["fraction"], places)
        return text

    return encode


def interval_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of an interval column."""
    places = _places(of)

    def encode(value: Any) -> str:
        text = duration(value) if isinstance(value, timedelta) else value
        if not isinstance(text, str):
            raise wrong_kind(value, type_name)
        found = DURATION.fullmatch(text)
        if found is None:
            raise Misfit(*NO_DURATION)
        _check_places(found["fraction"], places)
        return text

    return encode


def duration(value: timedelta) -> str:
    """Return hours, minutes and seconds: what MySQL calls a TIME."""
    sign, micros = ("-", -value) if value < timedelta(0) else ("", value)
    hours, rest = divmod(micros, timedelta(hours=1))
    minutes, seconds = divmod(rest, timedelta(minutes=1))
    return f"{sign}{hours:02d}:{minutes:02d}:{seconds.seconds:02d}.{seconds.microseconds:06d}"
