"""Why a column of the merge store cannot contain a value, and what to do; never the value itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Encoder = Callable[[Any], str]

KINDS = {
    bool: "a boolean",
    int: "an integer",
    float: "a floating point number",
    Decimal: "a decimal number",
    dict: "an object",
    list: "a list",
}


@dataclass(frozen=True)
class Reason:
    """Why a column cannot contain a value, to continue `rows with ...`, and what to do about it."""

    what: str
    todo: str


class Misfit(Exception):
    """A value that does not fit its column. It has the reason, never the value."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what, todo)
        self.reason = Reason(what, todo)


NUL = ("the character NUL, which PostgreSQL cannot hold", "Remove it at the source")
CUT = ("a text that is longer than the type", "Model the column with a longer type, or as text")
BLANKS = ("blanks at the end, which character(n) does not keep", "Model the column as text")
RANGE = ("a number beyond the range of the type", "Model the column with a larger type, such as numeric")
ROUNDED = (
    "a number that the type would round",
    "Model the column with a type that keeps every digit, such as numeric or double precision",
)
ZERO = (
    "a date or time that does not exist, such as MySQL's 0000-00-00",
    "Correct the dates, or set them to NULL, or read the table through a view that does: NULLIF(d, '0000-00-00')",
)
NO_STAMP = (
    "a text that is no date or time as 2024-02-29 13:00:00",
    "Correct the values at the source, or model the column as text",
)
CLOCK_LOST = ("a time of day, which date does not keep", "Model the column as timestamp")
FINER = ("a time that is finer than the type", "Model the column with more decimal places: timestamp(6)")
ZONED = ("a time with a zone, which the type does not keep", "Model the column as timestamp with time zone")
NO_TIME_OF_DAY = ("a time below zero or of more than a day", "Model the column as interval")
NO_DURATION = ("a text that is no duration as 36:00:00", "Correct the values, or model the column as text")
INVALID_UTF8 = (
    "a text that is no valid UTF-8",
    "Correct the text at the source, or read it through a view that casts it to bytes, modelled as bytea",
)
SURROGATE = ("half of a character, which UTF-8 cannot hold", "Correct the text at the source")


def wrong_kind(value: Any, type_name: str) -> Misfit:
    """Return the error for a value of another kind than the column's type."""
    kind = "bytes" if isinstance(value, bytes | bytearray | memoryview) else KINDS.get(type(value))
    kind = kind or ("a text" if isinstance(value, str) else f"a value of the driver's type {type(value).__name__}")
    return Misfit(f"{kind} where the model has {type_name}", "Model the column as what it holds, or correct the values")


def refuse(value: Any, type_name: str) -> str:
    """Raise the error for a value of another kind, where an expression is needed."""
    raise wrong_kind(value, type_name)
