"""Values for columns of numbers and booleans. A number may come as a text."""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal, InvalidOperation
from typing import Any

from config_schema.model.sql_types import INTEGERS, SqlType
from merge_jobs.misfit import (
    RANGE,
    ROUNDED,
    Encoder,
    Misfit,
    wrong_kind,
)

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
TRUTHS = frozenset(["true", "t", "yes", "y", "on", "1"])
FALSEHOODS = frozenset(["false", "f", "no", "n", "off", "0"])


def decimal(value: Any, type_name: str) -> Decimal:
    """Return the number that a value is, also one written as a text."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        try:
            return Decimal(value)
        except InvalidOperation:
            raise Misfit(*RANGE) from None
    raise wrong_kind(value, type_name)


def integer_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of an integer column."""
    most = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}[of.base]

    def encode(value: Any) -> str:
        if type(value) is not int:
            value = _whole(value, type_name)
        if not -most <= value < most:
            raise Misfit(*RANGE)
        return str(value)

    return encode


def _whole(value: Any, type_name: str) -> int:
    if isinstance(value, str) and not WHOLE.fullmatch(value):
        raise wrong_kind(value, type_name)
    number = decimal(value, type_name)
    if not number.is_finite() or number.adjusted() > INTEGERS["bigint"]:
        raise Misfit(*RANGE)
    if number != int(number):
        raise Misfit(*ROUNDED)
    return int(number)


def numeric_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a numeric column."""
    precision, scale = of.first, of.second

    def encode(value: Any) -> str:
        number = decimal(value, type_name)
        if precision is not None and not number.is_nan():
            if number.is_infinite() or (number and number.adjusted() >= precision - scale):
                raise Misfit(*RANGE)
            if _decimal_places(number, scale) > scale:
                raise Misfit(*ROUNDED)
        return number_text(number)

    return encode


def _decimal_places(number: Decimal, enough: int) -> int:
    """Return how many decimal places the number needs, or `enough` if no more than that."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or -exponent <= enough or not number:
        return enough
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return -exponent - zeros


def number_text(number: Decimal) -> str:
    """Return a decimal number as PostgreSQL reads it."""
    if number.is_finite():
        return str(number)
    return "NaN" if number.is_nan() else ("Infinity" if number > 0 else "-Infinity")


def double_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a double precision column."""

    def encode(value: Any) -> str:
        if type(value) is float:
            return float_text(value)
        number = decimal(value, type_name)
        try:
            nearest = float(number)
        except OverflowError:
            raise Misfit(*RANGE) from None
        if number.is_finite() and (not math.isfinite(nearest) or Decimal(repr(nearest)) != number):
            raise Misfit(*ROUNDED)
        return float_text(nearest)

    return encode


def real_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a real column."""
    wide = double_encoder(of, type_name)

    def encode(value: Any) -> str:
        text = wide(value)
        number = float(text)
        try:
            (narrow,) = struct.unpack("f", struct.pack("f", number))
        except OverflowError:
            raise Misfit(*RANGE) from None
        # A decimal number need only come back as itself; one of 64 bits has to be the same one.
        same = narrow == number if isinstance(value, float) else Decimal(shortest(number)) == Decimal(text)
        if not same and not math.isnan(number):
            raise Misfit(*ROUNDED)
        return text

    return encode


def float_text(value: float) -> str:
    """Return a float as PostgreSQL reads it."""
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def shortest(value: float) -> str:
    """Return the fewest digits that stand for a number of 32 bits, as PostgreSQL writes a real."""
    if not math.isfinite(value):
        return float_text(value)
    image = struct.pack("f", value)
    return next(
        (text for digits in range(6, 9) if struct.pack("f", float(text := f"{value:.{digits}g}")) == image),
        f"{value:.9g}",
    )


def boolean_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a boolean column."""

    def encode(value: Any) -> str:
        word = value.lower() if isinstance(value, str) else str(int(value)) if isinstance(value, int) else ""
        if word in TRUTHS:
            return "t"
        if word in FALSEHOODS:
            return "f"
        raise wrong_kind(value, type_name)

    return encode
