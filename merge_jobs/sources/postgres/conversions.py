"""Columns of a PostgreSQL producer with another type than the model's: sent as text, if that keeps the value.

The source itself reads each value as the model's type and back, in the statement that copies the rows: a value that
comes back different ends the statement. config_schema.model.sql_types says which conversions keep every value. All
names are qualified, because these expressions are resolved by the search_path of the producer's role.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg2 import sql

from config_schema.model.sql_types import SqlType, is_text, keeps_every_value, parsed, with_schema
from merge_jobs.sources import SourceColumn

SAME_TEXT = (
    "{c}::pg_catalog.text::{ours}::pg_catalog.text::{theirs}::pg_catalog.text OPERATOR(pg_catalog.=) "
    '{c}::pg_catalog.text COLLATE pg_catalog."C"'
)
NUMBERS = frozenset(["numeric", "real", "double precision"])
ZONE = r"(Z|[+-]\d\d(:?\d\d)?)?"
CLOCK = r"\d\d:\d\d(:\d\d(\.\d{{0,{places}}}0*)?)?"
# The texts that are taken for a time: ISO format, so that no `now` and no `10:00 tomorrow` is among them.
TEXTS = {
    "date": r"^(\d{{4,}}-\d\d-\d\d|-?infinity)$",
    "timestamp": r"^(\d{{4,}}-\d\d-\d\d([ T]" + CLOCK + r"{zone})?|-?infinity)$",
    "time": "^" + CLOCK + "{zone}$",
}


def converted(columns: Mapping[str, SourceColumn], types: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return the columns that could lose something on the way, with their type in the merge store."""
    return {name: types[name] for name in names if not keeps_every_value(columns[name].type, types[name])}


def checked_column(name: str, theirs: str, ours: str) -> sql.Composable:
    """Return an expression for the column's value, which is an error if the type `ours` would change it."""
    column = sql.Identifier(name)
    # Division by what is 0 for any text, and not a constant: that would be an error before a row is read.
    return sql.SQL(
        "CASE WHEN {c} IS NULL OR {fits} THEN {c} ELSE (1 OPERATOR(pg_catalog./) (pg_catalog.length("
        "{c}::pg_catalog.text) OPERATOR(pg_catalog.*) 0))::pg_catalog.text::{theirs} END"
    ).format(c=column, fits=fits(name, theirs, ours), theirs=sql.SQL(with_schema(theirs)))


def fits(name: str, theirs: str, ours: str) -> sql.Composable:
    """Return the condition that a column's value, if not NULL, is the same as a value of the type `ours`."""
    column, of = sql.Identifier(name), parsed(ours)
    parts = {"c": column, "theirs": sql.SQL(with_schema(theirs)), "ours": sql.SQL(with_schema(ours))}
    if is_text(theirs) and of is not None and not of.array and of.base in TEXTS:
        pattern = TEXTS[of.base].format(places=6 if of.first is None else of.first, zone=_zone(of))
        matches = '{c}::pg_catalog.text COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) {pattern}'
        return sql.SQL(matches).format(c=column, pattern=sql.Literal(pattern))
    if of is not None and of.base in NUMBERS:
        return sql.SQL(_number_fits(theirs, of)).format(**parts)
    return sql.SQL(SAME_TEXT).format(**parts)


def _zone(of: SqlType) -> str:
    return ZONE if of.zone == " with time zone" else ""


def _number_fits(theirs: str, of: SqlType) -> str:
    if theirs == "double precision" and of.base == "real":
        # As numbers of 64 bits: 0.1 is another one in 32.
        return "{c}::pg_catalog.text::{ours}::double precision OPERATOR(pg_catalog.=) {c}"
    if of.array:
        # PostgreSQL's own equality is that of arrays of any type, and not of a type that is somebody's own.
        is_array = theirs.endswith("[]")
        return (
            "{c}::pg_catalog.text::{ours}::pg_catalog.text::{theirs} OPERATOR(pg_catalog.=) {c}"
            if is_array
            else SAME_TEXT
        )
    return "{c}::pg_catalog.text::{ours}::pg_catalog.text::numeric OPERATOR(pg_catalog.=) {c}::pg_catalog.text::numeric"
