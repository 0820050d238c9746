"""Values for columns of texts, JSON, UUIDs, bytes and bits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from config_schema.model.sql_types import SqlType
from merge_jobs.misfit import (
    BLANKS,
    CUT,
    NUL,
    RANGE,
    Encoder,
    Misfit,
    refuse,
    wrong_kind,
)
from merge_jobs.sources.values.numbers import float_text, number_text
from merge_jobs.sources.values.times import duration

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
NAME_BYTES = 63
# In a column of texts: numbers and times as they are written. Bytes are no text.
TEXTS_OF: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (str, str),
    (bool, lambda value: "t" if value else "f"),
    (int, str),
    (float, float_text),
    (Decimal, number_text),
    (datetime, lambda value: value.isoformat(sep=" ")),
    (date, lambda value: value.isoformat()),
    (time, lambda value: value.isoformat()),
    (timedelta, duration),
    (UUID, str),
    (dict, lambda value: json.dumps(value, ensure_ascii=False)),
    (list, lambda value: json.dumps(value, ensure_ascii=False)),
)


def escaped(value: str) -> str:
    """Return a text with COPY's escapes. Raises Misfit for a NUL character."""
    if "\0" in value:
        raise Misfit(*NUL)
    return value.translate(ESCAPES)


def plain(value: Any, type_name: str) -> str:
    """Return the text of a value that is no text."""
    write = next((write for kind, write in TEXTS_OF if isinstance(value, kind)), None)
    if write is None:
        raise wrong_kind(value, type_name)
    return write(value)


def text_encoder(type_name: str, limit: int | None) -> Encoder:
    """Return the encoder of a column of texts with at most `limit` characters."""

    def encode(value: Any) -> str:
        text = value if type(value) is str else plain(value, type_name)
        if limit is not None and len(text) > limit:
            raise Misfit(*CUT)
        return escaped(text)

    return encode


def varchar_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a varchar column."""
    return text_encoder(type_name, of.first)


def character_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a character column; trailing blanks are refused, as PostgreSQL drops them."""
    encode = text_encoder(type_name, of.first)

    def padded(value: Any) -> str:
        if isinstance(value, str) and value.endswith(" "):
            raise Misfit(*BLANKS)
        return encode(value)

    return padded


def name_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a name column, which PostgreSQL cuts at 63 bytes."""
    encode = text_encoder(type_name, None)

    def cut(value: Any) -> str:
        if len(str(value).encode(errors="replace")) > NAME_BYTES:
            raise Misfit(*CUT)
        return encode(value)

    return cut


def json_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a json or jsonb column."""

    def encode(value: Any) -> str:
        if isinstance(value, str):
            return escaped(value)
        if isinstance(value, dict | list | int) or (isinstance(value, float) and math.isfinite(value)):
            return escaped(json.dumps(value, ensure_ascii=False))
        return plain(value, type_name) if isinstance(value, Decimal) else refuse(value, type_name)

    return encode


def uuid_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a uuid column."""

    def encode(value: Any) -> str:
        if isinstance(value, str):
            try:
                return str(UUID(value))
            except ValueError:
                raise wrong_kind(value, type_name) from None
        return str(value) if isinstance(value, UUID) else refuse(value, type_name)

    return encode


def bytea_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a bytea column."""

    def encode(value: Any) -> str:
        if isinstance(value, bytes | bytearray | memoryview):
            return "\\\\x" + value.hex()
        raise wrong_kind(value, type_name)

    return encode


def bit_encoder(of: SqlType, type_name: str) -> Encoder:
    """Return the encoder of a bit column."""
    length = of.first or (1 if of.base == "bit" else None)

    def encode(value: Any) -> str:
        text = str(int(value)) if isinstance(value, bool) else value
        if not isinstance(text, str) or text.strip("01"):
            raise wrong_kind(value, type_name)
        if of.base == "bit" and len(text) != length and length is not None:
            text = text.lstrip("0").rjust(length, "0")
        if length is not None and len(text) > length:
            raise Misfit(*RANGE)
        return text

    return encode
