"""Which values of a source do not fit the model's types: searched after a server refused them, reported by column.

A server's error names one value, which is not shown, and rarely the column. So the source is queried again: for each
column with another type than the model's, how many of its values do not fit. That query has its own snapshot, because
the error ended the batch's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import psycopg2
from psycopg2 import errorcodes, sql

from config_schema.model import Dataset
from config_schema.model.sql_types import keeps_every_value, long_name, with_schema
from merge_jobs.database_errors import database_failed
from merge_jobs.errors import DatabaseFailed, ValuesRejected, values_rejected
from merge_jobs.misfit import (
    CUT,
    INVALID_UTF8,
    NO_STAMP,
    RANGE,
    Reason,
)
from merge_jobs.sources import Source
from merge_jobs.sources.postgres.conversions import fits
from merge_jobs.sources.postgres.source import PostgresSource, of_view
from merge_jobs.stores.postgres.tables import DatasetTables

INPUT_CHECKS = 160000  # from this version on a server can say whether a text is a value of a type
COPY_COLUMN = re.compile(r"^COPY .+?, line \d+, column (?P<rest>.+)", re.DOTALL | re.MULTILINE)
NO_VALUE = Reason("a value that is none of the model's type", "Model the column with the type that the source has")
LABEL = Reason(
    "a label that the merge store's type does not have",
    "Add it there with ALTER TYPE ... ADD VALUE, or model the column as text",
)
REASONS = {
    errorcodes.NUMERIC_VALUE_OUT_OF_RANGE: Reason(*RANGE),
    errorcodes.STRING_DATA_RIGHT_TRUNCATION: Reason(*CUT),
    errorcodes.INVALID_DATETIME_FORMAT: Reason(*NO_STAMP),
    errorcodes.DATETIME_FIELD_OVERFLOW: Reason(*NO_STAMP),
    errorcodes.CHARACTER_NOT_IN_REPERTOIRE: Reason(*INVALID_UTF8),
    errorcodes.UNTRANSLATABLE_CHARACTER: Reason(
        r"a character that the merge store cannot hold, such as \u0000 in jsonb",
        "Give the merge store a database in UTF8, correct the values, or model the column as text",
    ),
}


@contextlib.contextmanager
def refusals_named(tables: DatasetTables, source: Source) -> Iterator[None]:
    """Translate what a server refuses while a dataset is read: the dataset, columns, and numbers of rows.

    Raises ValuesRejected for values that do not fit the model's types.
    """
    try:
        yield
    except psycopg2.DataError as error:
        found = _counted(tables, source) or {(_column(tables.dataset, error), _reason(error)): None}
        raise values_rejected(_where(tables, source), tables.dataset, found, error.pgcode) from error
    except psycopg2.Error as error:
        raise database_failed(error, f"{tables.store.where}: dataset {tables.name}") from error
    except ValuesRejected:
        raise
    except DatabaseFailed as error:
        if error.where != source.where or error.sqlstate is None:
            raise
        found = _counted(tables, source) if error.sqlstate[:2] == "22" else {}
        if found:
            raise values_rejected(_where(tables, source), tables.dataset, found, error.sqlstate) from error
        raise of_view(error, _where(tables, source)) from error


def _where(tables: DatasetTables, source: Source) -> str:
    return f"{source.where}: dataset {tables.name}"


def _reason(error: psycopg2.Error) -> Reason:
    if "input value for enum" in (error.diag.message_primary or ""):
        return LABEL
    return REASONS.get(error.pgcode or "", NO_VALUE)


def _column(dataset: Dataset, error: psycopg2.Error) -> str:
    """Return the column that a COPY had reached; empty if the text does not say. What follows it there is a value."""
    at = COPY_COLUMN.search(error.diag.context or "")
    names = sorted((column.name for column in dataset.columns), key=len, reverse=True)
    return next((name for name in names if at and at["rest"].startswith(f"{name}:")), "")


def _counted(tables: DatasetTables, source: Source) -> dict[tuple[str, Reason], int | None]:
    """Count the values that do not fit, by column; None if reading them all meets an error."""
    if not isinstance(source, PostgresSource):
        return {}
    try:
        source.begin_anew()
        columns = source.columns(tables.dataset)
        types = {column.name: long_name(column.type) for column in tables.dataset.columns}
        retyped = {name: kind for name, kind in types.items() if columns[name].type != kind}
        found: dict[tuple[str, Reason], int | None] = {}
        for name, kind in source.known_types(retyped).items():
            rows = _misfits(source, tables.dataset, name, columns[name].type, kind)
            if rows != 0:
                found[name, _no_room(columns[name].type, kind)] = rows
        return found
    except DatabaseFailed:
        return {}  # the source has gone: the first error is the one to name


def _no_room(theirs: str, ours: str) -> Reason:
    return Reason(
        f"a value that {ours} does not hold as it is ({theirs} in the source)",
        f"Model the column with the type of the source, {theirs}, or correct the values",
    )


def _misfits(source: PostgresSource, dataset: Dataset, name: str, theirs: str, ours: str) -> int | None:
    """Count the values of a column that do not fit the type; 0 if only the merge store could tell."""
    lossless = keeps_every_value(theirs, ours)
    column = sql.Identifier(name)
    same: sql.Composable = sql.SQL("true") if lossless else fits(name, theirs, ours)
    if source.version >= INPUT_CHECKS:
        there = sql.SQL("{}::pg_catalog.text").format(column)
        back = sql.SQL("{}::{}::pg_catalog.text").format(there, sql.SQL(with_schema(ours)))
        for text, type_name in ((back, theirs), (there, ours)):
            same = sql.SQL("CASE WHEN pg_catalog.pg_input_is_valid({}, {}) THEN {} ELSE false END").format(
                text, sql.Literal(with_schema(type_name)), same
            )
    elif lossless:
        return 0
    parts = {"table": source.table(dataset), "column": column, "fits": same}
    try:
        ((rows,),) = source.rows("postgres_source.count_misfits", parts=parts)
    except DatabaseFailed as error:
        source.begin_anew()
        if (error.sqlstate or "")[:2] != "22":
            raise
        return None
    return int(rows)
