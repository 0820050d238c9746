"""What a batch writes to a lake: the new versions of rows, and which versions have ended. Nothing there is rewritten.

A version holds from the batch `ds_batch_in` on, until before the batch `ds_batch_out` of its closing. The libraries for
Iceberg are loaded by those who need them.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg2 import sql

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model.lake import TYPES, LakeType, refusals, type_of
from merge_jobs.errors import values_rejected
from merge_jobs.misfit import Reason
from merge_jobs.process.signal_mask import signals_blocked
from merge_jobs.stores.postgres.merge_store import DryRunStore, MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.table import Table

    from merge_jobs.stores.lake.catalog import ControlCatalog

log = logging.getLogger(__name__)

Columns = Sequence[tuple[str, LakeType, bool]]  # name, type, whether it may be NULL
BATCH_IN: Columns = [("ds_batch_in", TYPES["integer"], False)]
BATCH_OUT: Columns = [("ds_batch_out", TYPES["integer"], False)]


class LakeFailed(StreamFactoryError):
    """The lake's files or its catalogue could not be written or read.

    Look at the warehouse's storage, and try again: nothing was merged.
    """

    code = "DF5227"
    retryable = True

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what, "See that the job can write to the warehouse, and try again")


class DatasetNotForLake(StreamFactoryError):
    """The model gives a dataset of a platform with a lake what no lake can hold, or not yet.

    Change the dataset as the error says, or assign it to a platform without a lake.
    """

    code = "DF5230"

    def __init__(self, where: str, found: Sequence[tuple[str, str, str]]) -> None:
        self.found = tuple(found)
        super().__init__(where, "; ".join(what for _, what, _ in found), found[0][2])


class LibrariesMissing(StreamFactoryError):
    """The image or environment of the job lacks what Iceberg tables are written with.

    Install the package with its extra `lake`.
    """

    code = "DF5228"

    def __init__(self, module: str) -> None:
        self.module = module
        todo = "Install airflow-stream-factory[lake] there, or use an image that has it"
        super().__init__("merge-job", f"the platform has a lake, and the module {module} is missing", todo)


def open_catalog(store: MergeStore) -> ControlCatalog:
    """Return the catalogue of the platform's lake. Raises LibrariesMissing."""
    lake = store.stream.platform.lake
    assert lake is not None
    try:
        with signals_blocked():
            from merge_jobs.stores.lake.catalog import ControlCatalog
    except ModuleNotFoundError as error:
        raise LibrariesMissing(error.name or "pyiceberg") from error
    return ControlCatalog(store, lake)


def prepare(store: MergeStore) -> None:
    """Create the catalogue's tables where they are missing. Commits.

    Raises LibrariesMissing, and DatasetNotForLake for what a lake cannot hold.
    """
    for dataset in store.stream.datasets:
        found = list(refusals(store.stream.store, dataset))
        if found:
            raise DatasetNotForLake(f"{store.stream} {dataset.name}", found)
    open_catalog(store)
    from merge_jobs.stores.lake.catalog import create_catalog

    create_catalog(store)


def version_columns(tables: DatasetTables) -> Columns:
    """Return the columns of the table of versions."""
    key = tables.dataset.primary_key
    return [*((one.name, type_of(one), one.name not in key) for one in tables.dataset.columns), *BATCH_IN]


def closing_columns(tables: DatasetTables) -> Columns:
    """Return the columns of the table of closings."""
    types = {one.name: type_of(one) for one in tables.dataset.columns}
    return [*((name, types[name], False) for name in tables.dataset.primary_key), *BATCH_IN, *BATCH_OUT]


def table_names(tables: DatasetTables) -> tuple[str, str]:
    """Return the names of the tables of versions and of closings."""
    of = tables.store.stream.store.name
    return names.lake_table(of, tables.name, "versions"), names.lake_table(of, tables.name, "closings")


def create_tables(tables: DatasetTables) -> None:
    """Create both tables of a dataset, empty. Raises LakeTableStands, or LakeFailed."""
    from merge_jobs.stores.lake.arrow_rows import arrow_schema
    from merge_jobs.stores.lake.catalog import TABLE_PROPERTIES

    catalog = open_catalog(tables.store)
    about = {"stream-factory.stream": tables.store.stream.key, "stream-factory.dataset": tables.name}
    versions, closings = table_names(tables)
    for name, columns in ((versions, version_columns(tables)), (closings, closing_columns(tables))):
        with _failures_named(tables):
            with signals_blocked():
                catalog.new_table(name, arrow_schema(columns), {**TABLE_PROPERTIES, **about})
            catalog.sync()


def refuse_misfits(tables: DatasetTables) -> None:
    """Raise ValuesRejected for new or changed rows with values that have no place in Iceberg's types."""
    checked = [
        (column.name, of.misfit, of.reason)
        for column in tables.dataset.columns
        if (of := type_of(column)).misfit is not None and of.reason is not None
    ]
    if not checked:
        return
    conditions = sql.SQL(", ").join(
        sql.SQL("count(*) FILTER (WHERE {})").format(_filled(condition, name)) for name, condition, _ in checked
    )
    row = tables.run("lake.count_misfits", misfits=conditions).fetchone()
    assert row is not None
    found: dict[tuple[str, Reason], int | None] = {
        (name, Reason(*reason)): rows for (name, _, reason), rows in zip(checked, row, strict=True) if rows
    }
    if found:
        raise values_rejected(tables.where, tables.dataset, found)


def find_closed(tables: DatasetTables) -> None:
    """Remember which versions end with the batch, before the merge table changes."""
    tables.run("lake.find_closed")


def write(tables: DatasetTables, batch_id: int, new: int, closed: int) -> None:
    """Append new versions, and closings, so many of each, to the lake. The caller commits. Raises LakeFailed."""
    if not isinstance(tables.store, DryRunStore):
        catalog, began = open_catalog(tables.store), time.monotonic()
        versions, closings = table_names(tables)
        of_versions, of_closings = version_columns(tables), closing_columns(tables)
        parts = [
            _Part(versions, of_versions, "versions_out", "written_columns", of_versions[:-1], new),
            _Part(closings, of_closings, "closings_out", "written_key", of_closings[:-2], closed),
        ]
        for part in parts:
            if part.rows:
                with _failures_named(tables):
                    _append(catalog, tables, batch_id, part)
        seconds = time.monotonic() - began
        done = (tables.where, batch_id, new, closed, seconds)
        log.info("%s batch %d: %d versions and %d closings written to the lake in %.1f s", *done)
    tables.later("lake.drop_closed")


@dataclass(frozen=True)
class _Part:
    """A table of the lake, and the statement that writes its rows out.

    `written` are the columns of the source among its columns, whose expressions are the statement's `placeholder`.
    """

    name: str
    columns: Columns
    statement: str
    placeholder: str
    written: Columns
    rows: int


def _append(catalog: ControlCatalog, tables: DatasetTables, batch_id: int, part: _Part) -> None:
    from merge_jobs.stores.lake.arrow_rows import CsvRows

    properties = {"stream-factory.batch": str(batch_id), "stream-factory.run": tables.store.run_id}
    with signals_blocked():
        table: Table = catalog.load_table(part.name)
        transaction = table.transaction()

    def take(piece: pa.Table) -> None:
        transaction.append(piece, snapshot_properties=properties)

    into = CsvRows(part.columns, take)
    written = sql.SQL(", ").join(_filled(of.written, name) for name, of, _ in part.written)
    extra = {part.placeholder: written, "batch": sql.Literal(batch_id)}
    with tables.store.session.cursor() as cursor:
        cursor.copy_expert(tables.composed(f"lake.{part.statement}", **extra), into)
    into.flush()
    if into.rows != part.rows:
        raise LakeFailed(tables.where, f"{part.rows} rows were to be written, and {into.rows} were")
    with signals_blocked():
        transaction.commit_transaction()
        catalog.expire(table)
    catalog.sync()


@contextmanager
def _failures_named(tables: DatasetTables) -> Iterator[None]:
    """Translate what storage and catalogue refuse; nothing of it is in an error, as it may hold a value."""
    from pyarrow import ArrowException
    from pyiceberg.exceptions import CommitFailedException

    try:
        yield
    except CommitFailedException as error:
        raise LakeFailed(tables.where, "somebody else changes the table in the lake again and again") from error
    except OSError as error:
        what = f"the lake's files cannot be written or read: {os.strerror(error.errno) if error.errno else 'no reason'}"
        raise LakeFailed(tables.where, what) from error
    except ArrowException as error:
        raise LakeFailed(tables.where, f"the lake's files cannot be written: {type(error).__name__}") from error


def _filled(text: str, column: str) -> sql.Composable:
    """Return an expression of config_schema/model/lake.py for a column of a staged row."""
    return sql.SQL(text.replace("{0}", "{}").replace("{}", "{column}")).format(column=sql.Identifier("s", column))
