"""Rows of Python values as lines of PostgreSQL's COPY text format."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

NULL = "\\N"
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_line(row: Sequence[Any]) -> str:
    """One line, with its newline.

    Raises ValueError, without the value, for a text with the character NUL, which PostgreSQL cannot hold, and
    TypeError for a value of a type that has no text here.
    """
    return "\t".join([NULL if value is None else _text(value) for value in row]) + "\n"


def _text(value: Any) -> str:
    encode = ENCODERS.get(type(value))
    if encode is None:
        encode = next((of for kind, of in ENCODERS.items() if isinstance(value, kind)), None)
        if encode is None:
            raise TypeError(f"a value of type {type(value).__name__}")
    return encode(value)


def _string(value: str) -> str:
    if "\0" in value:
        raise ValueError("a text with the character NUL")
    return value.translate(ESCAPES)


def _float(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _duration(value: timedelta) -> str:
    """As hours, minutes and seconds: what MySQL calls a TIME."""
    sign, micros = ("-", -value) if value < timedelta(0) else ("", value)
    hours, rest = divmod(micros, timedelta(hours=1))
    minutes, seconds = divmod(rest, timedelta(minutes=1))
    return f"{sign}{hours:02d}:{minutes:02d}:{seconds.total_seconds():09.6f}"


ENCODERS: dict[type, Callable[[Any], str]] = {
    str: _string,
    bool: lambda value: "t" if value else "f",
    int: str,
    float: _float,
    Decimal: str,
    bytes: lambda value: "\\\\x" + value.hex(),
    bytearray: lambda value: "\\\\x" + value.hex(),
    memoryview: lambda value: "\\\\x" + value.hex(),
    datetime: lambda value: value.isoformat(sep=" "),
    date: lambda value: value.isoformat(),
    time: lambda value: value.isoformat(),
    timedelta: _duration,
    dict: lambda value: _string(json.dumps(value)),
    list: lambda value: _string(json.dumps(value)),
}
