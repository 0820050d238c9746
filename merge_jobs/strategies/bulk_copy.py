"""Copies a dataset of the source into a new table of the merge store, by the fastest exact form of COPY."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from psycopg2 import sql

from merge_jobs.database.copy_pipe import copy_through
from merge_jobs.errors import SourceColumnMissing
from merge_jobs.sources import Since, Source, SourceColumn, SourcePart
from merge_jobs.stores.postgres.progress import read_counted_by_server
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable

log = logging.getLogger(__name__)


def read_into(
    tables: DatasetTables, source: Source, made: DescribedTable, copy: str, part: SourcePart | Since = SourcePart.ROWS
) -> int:
    """Copy the dataset, or a part of it, by the statement `copy`; return the number of rows.

    Raises SourceColumnMissing naming every column that the source lacks.
    """
    began = time.monotonic()
    columns = source.columns(tables.dataset)
    check_columns(tables, source, columns)
    names = [column.name for column in tables.dataset.columns]
    binary = is_exact_in_binary(tables, columns, made, names)
    warn_of_conversions(tables, columns, made)
    statement = tables.composed(copy, format=sql.SQL("binary" if binary else "text"))
    read_counted_by_server(tables, None if isinstance(part, Since) else source.estimated_rows(tables.dataset))
    rows = copy_through(
        lambda into: source.copy_out(tables.dataset, made.columns, binary, into, part),
        source.cancel,
        tables.name,
        tables.store.session,
        statement,
    )
    seconds = time.monotonic() - began
    log.info("%s: copied %d rows in %.1f s, %d rows/s", tables.where, rows, seconds, rows / max(seconds, 1e-3))
    return rows


def check_columns(tables: DatasetTables, source: Source, columns: Mapping[str, SourceColumn]) -> None:
    """Raise SourceColumnMissing naming every column that the source lacks."""
    missing = [column.name for column in tables.dataset.columns if column.name not in columns]
    if missing:
        where = f"{source.where}: dataset {tables.name}"
        raise SourceColumnMissing(where, tables.dataset.source_table, missing, columns)


def is_exact_in_binary(
    tables: DatasetTables, columns: Mapping[str, SourceColumn], made: DescribedTable, names: Iterable[str]
) -> bool:
    """Return whether these columns have the same binary form in the source and in a table of the model."""
    return all(columns[name].portable and columns[name].type == made.columns[name] for name in names)


def warn_of_conversions(tables: DatasetTables, columns: Mapping[str, SourceColumn], made: DescribedTable) -> None:
    """Log each column with another type in the model than in the source."""
    for column in tables.dataset.columns:
        theirs, ours = columns[column.name].type, made.columns[column.name]
        if theirs != ours:
            log.warning(
                "%s: column %s is %s in the source, %s in the model: values are converted",
                *(tables.where, column.name, theirs, ours),
            )
