"""Which function writes the values of a column, by its type in the merge store and the driver's type."""

from __future__ import annotations

from collections.abc import Callable

from config_schema.model.sql_types import INTEGERS, SqlType, parsed
from merge_jobs.misfit import Encoder
from merge_jobs.sources.values import numbers, texts, times
from merge_jobs.sources.values.numbers import shortest
from merge_jobs.sources.values.texts import text_encoder

FAMILIES: dict[str, Callable[[SqlType, str], Encoder]] = {
    **dict.fromkeys(INTEGERS, numbers.integer_encoder),
    "numeric": numbers.numeric_encoder,
    "double precision": numbers.double_encoder,
    "real": numbers.real_encoder,
    "boolean": numbers.boolean_encoder,
    "character varying": texts.varchar_encoder,
    "text": texts.varchar_encoder,
    "character": texts.character_encoder,
    "name": texts.name_encoder,
    "bytea": texts.bytea_encoder,
    "bit": texts.bit_encoder,
    "bit varying": texts.bit_encoder,
    "date": times.date_encoder,
    "timestamp": times.timestamp_encoder,
    "time": times.time_encoder,
    "interval": times.interval_encoder,
    "json": texts.json_encoder,
    "jsonb": texts.json_encoder,
    "uuid": texts.uuid_encoder,
}


def encoder(type_name: str) -> Encoder:
    """Return the function that writes values for a column of the type, named as format_type() names it."""
    of = parsed(type_name)
    if of is None or of.array or of.base not in FAMILIES:
        return text_encoder(type_name, None)
    return FAMILIES[of.base](of, type_name)


def single_precision(encode: Encoder, type_name: str) -> Encoder:
    """Return an encoder for 32-bit values that a driver gives as 64-bit: with the fewest digits that identify them."""
    if type_name == "real":
        return lambda value: shortest(value) if isinstance(value, float) else encode(value)
    return lambda value: encode(float(shortest(value)) if isinstance(value, float) else value)


def bits(encode: Encoder, type_name: str, length: int) -> Encoder:
    """Return an encoder for a driver's bytes that mean `length` bits: as bits, or as the number that they are."""
    of = parsed(type_name)
    if of is not None and of.base in ("bit", "bit varying"):
        return lambda value: encode(format(int.from_bytes(value, "big"), f"0{length}b"))
    if type_name == "bytea":
        return encode
    return lambda value: encode(int.from_bytes(value, "big"))
