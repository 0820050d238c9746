"""Texts that a column certainly takes as they are, as expressions of RE2, which Arrow matches for many texts at once.

Each stands for fewer texts than the type's encoder takes, and PostgreSQL reads each of them as the value that the
encoder would write. What does not match is left to the encoder. All are ASCII, so that bytes can be matched too.
"""

from __future__ import annotations

from collections.abc import Callable

from config_schema.model.sql_types import INTEGERS, SqlType, parsed
from merge_jobs.sources.values.encoders import FAMILIES

RANGES = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
TEXTS = ("character varying", "text", "json", "jsonb")
DIGITS = 100  # of a numeric without a precision
MONTH_AND_DAY = "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
LEAP_YEAR = "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)"
DAY = f"(?:[1-9][0-9]{{3}}-{MONTH_AND_DAY}|{LEAP_YEAR}-02-29)"
HOUR, SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
ZONE = f"(?:Z|[+-](?:0[0-9]|1[0-4])(?::?{SIXTY})?)?"
BOOLEAN = "(?:[Tt](?:[Rr][Uu][Ee])?|[Ff](?:[Aa][Ll][Ss][Ee])?|[Yy](?:[Ee][Ss])?|[Nn][Oo]?|[Oo][Nn]|[Oo][Ff][Ff]|[01])"
HEX = "[0-9a-fA-F]"
UUID = f"{HEX}{{8}}-(?:{HEX}{{4}}-){{3}}{HEX}{{12}}"


def pattern(type_name: str) -> str | None:
    """Return the expression of texts that such a column takes; None for a column of texts, and where there is none."""
    of = parsed(type_name)
    if of is None or of.array or of.base not in PATTERNS:
        return None
    return PATTERNS[of.base](of)


def is_text(type_name: str) -> bool:
    """Return whether a column takes every text up to its length, as it is."""
    of = parsed(type_name)
    return of is None or bool(of.array) or of.base in TEXTS or of.base not in FAMILIES


def most_characters(type_name: str) -> int | None:
    """Return the length of a column of texts; None if it has none."""
    of = parsed(type_name)
    return of.first if of is not None and of.base == "character varying" and not of.array else None


def up_to(most: int) -> str:
    """Return the expression of the whole numbers from 0 to `most`, without leading zeros."""
    digits = str(most)
    found = ["0", f"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    for i, digit in enumerate(digits):
        least = 1 if i == 0 and len(digits) > 1 else 0
        if int(digit) > least:
            rest = len(digits) - i - 1
            found.append(f"{digits[:i]}[{least}-{int(digit) - 1}]" + (f"[0-9]{{{rest}}}" if rest else ""))
    return f"(?:{'|'.join([*found, digits])})"


def _numeric(of: SqlType) -> str | None:
    whole, places = (DIGITS, DIGITS) if of.first is None else (of.first - of.second, of.second)
    if not 1 <= whole <= 1000 or not 0 <= places <= 1000:
        return None
    return f"[+-]?[0-9]{{1,{whole}}}" + (rf"(?:\.[0-9]{{1,{places}}})?" if places else "")


def _stamp(of: SqlType) -> str:
    return f"{DAY}(?:[ T]{HOUR}:{SIXTY}(?::{SIXTY}{_fraction(of)})?{ZONE if _has_zone(of) else ''})?"


def _time(of: SqlType) -> str:
    return f"{HOUR}:{SIXTY}(?::{SIXTY}{_fraction(of)})?{ZONE if _has_zone(of) else ''}"


def _fraction(of: SqlType) -> str:
    places = 6 if of.first is None else of.first
    return rf"(?:\.[0-9]{{1,{places}}})?" if places else ""


def _has_zone(of: SqlType) -> bool:
    return of.zone == " with time zone"


PATTERNS: dict[str, Callable[[SqlType], str | None]] = {
    **dict.fromkeys(INTEGERS, lambda of: f"[+-]?{up_to(RANGES[of.base] - 1)}"),
    "numeric": _numeric,
    # So few digits come back as they are from a number of 64 bits, and of 32.
    "double precision": lambda _: r"[+-]?[0-9]{1,8}(?:\.[0-9]{1,7})?",
    "real": lambda _: r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,3})?",
    "boolean": lambda _: BOOLEAN,
    "date": lambda _: DAY,
    "timestamp": _stamp,
    "time": _time,
    "uuid": lambda _: UUID,
}
