"""The catalogue of Iceberg tables in a platform's database, which changes in the transaction of a batch.

So what readers find is what is committed: the tables of all datasets move on at once, with the batch, or none does.
Files of a batch that was not committed are in no table.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from psycopg2 import sql
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import CommitTableResponse, StagedTable, Table
from pyiceberg.table.update import TableRequirement, TableUpdate

from config_schema import names
from config_schema.model import Lake
from config_schema.sql.locks import lock_number
from merge_jobs.errors import StoreMismatch
from merge_jobs.stores.postgres.merge_store import MergeStore

TABLES = ("iceberg_tables", "iceberg_namespace_properties")
KEPT_SNAPSHOTS = 20  # and at most as many more: each batch reads and writes what there is of them
TABLE_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    # Else each batch would write a list of all that were before it. No file goes: a merge store that is restored from
    # yesterday's dump has the metadata of yesterday in its catalogue.
    "commit.manifest-merge.enabled": "true",
    "write.metadata.previous-versions-max": "10",
}


class LakeTableStands(StoreMismatch):
    """A dataset is loaded for the first time, and the lake's catalogue has a table under its name already.

    Drop that table, or restore the platform's database that belongs to it.
    """

    code = "DF5226"

    def __init__(self, where: str, table: str) -> None:
        self.table = table
        what = f"the catalogue has the table {table}, and this is the first load of the dataset"
        super().__init__(where, what, "Drop that table, or restore the database with the batches that it is of")


class RecordingFiles(PyArrowFileIO):
    """Reads and writes files of the warehouse, and remembers which it has written."""

    def __init__(self, written: set[str]) -> None:
        super().__init__()
        self._recorded = written

    def new_output(self, location: str) -> PyArrowFile:
        """Return a file to write."""
        self._recorded.add(location)
        return super().new_output(location)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ControlCatalog(SqlCatalog):
    """A catalogue in SQL whose statements run in the transaction of a session on the merge store."""

    def __init__(self, store: MergeStore, lake: Lake) -> None:
        MetastoreCatalog.__init__(self, lake.catalog, warehouse=lake.warehouse)
        self._store, self._namespace = store, store.stream.platform_name
        self._written: set[str] = set()

    def load_table(self, identifier: Any) -> Table:
        """Return a table of the platform. Raises NoSuchTableError."""
        name = self.table_name_from(identifier)
        location = self._store.value("lake.find_table", self._named(name), **_tables(self._store, "iceberg_tables"))
        if location is None:
            raise NoSuchTableError(f"{self._namespace}.{name}")
        return self.table_at(name, location)

    def table_at(self, name: str, location: str) -> Table:
        """Return a table as its metadata at `location` describes it."""
        io = self._load_file_io()
        metadata = FromInputFile.table_metadata(io.new_input(location))
        return Table((self._namespace, name), metadata, location, io, self)

    def _load_file_io(self, properties: Any = None, location: str | None = None) -> FileIO:
        """Return what reads and writes files; a table's properties are not to name another way."""
        return RecordingFiles(self._written)

    def sync(self) -> None:
        """Bring what was written, and the folders that have it, to the disk: the commit must not be there without."""
        files, self._written = self._written, set()
        paths = {Path(one.removeprefix("file://")) for one in files}
        warehouse = Path(self.properties["warehouse"].removeprefix("file://"))
        folders = {folder for path in paths for folder in path.parents if folder.is_relative_to(warehouse)}
        for path in (*paths, *folders, warehouse.parent):
            with suppress(FileNotFoundError):  # of an attempt to commit that was made again
                _sync(path)

    def expire(self, table: Table) -> None:
        """Forget old snapshots of a table, of which no file goes, if there are too many."""
        snapshots = sorted(table.snapshots(), key=lambda one: one.sequence_number or 0)
        if len(snapshots) >= 2 * KEPT_SNAPSHOTS:
            old = [one.snapshot_id for one in snapshots[:-KEPT_SNAPSHOTS]]
            table.maintenance.expire_snapshots().by_ids(old).commit()

    def stands(self) -> bool:
        """Return whether there are the catalogue's tables, and batches of the platform."""
        return stands(self._store, names.batch_counter_table(self._namespace))

    def locations(self, tables: Sequence[str]) -> tuple[dict[str, str], int]:
        """Return where the metadata of tables is, by name, and the last committed batch, all of one moment."""
        values = {**self._named(None), "tables": list(tables), "key": self._store.stream.key}
        counter = self._store.table(names.batch_counter_table(self._namespace))
        parts = {**_tables(self._store, "iceberg_tables"), "counter": counter}
        rows = self._store.run("lake.find_tables", values, **parts).fetchall()
        return {name: location for name, location, _ in rows}, max((batch or 0 for _, _, batch in rows), default=0)

    def files(self, name: str, location: str) -> list[str]:
        """Return the paths of the files of a table, as its metadata at `location` describes it."""
        tasks = self.table_at(name, location).scan().plan_files()
        return sorted(task.file.file_path.removeprefix("file://") for task in tasks)

    def new_table(self, name: str, schema: pa.Schema, properties: dict[str, str]) -> Table:
        """Create an empty table. Raises LakeTableStands if there is one."""
        location = f"{self.properties['warehouse']}/{self._namespace}/{name}"
        made = self._create_staged_table((self._namespace, name), schema, location, properties=properties)
        self._write_metadata(made.metadata, made.io, made.metadata_location)
        self._store.run("lake.create_namespace", self._named(None), **_tables(self._store, "iceberg_namespaces"))
        values = {**self._named(name), "location": made.metadata_location}
        if self._store.run("lake.create_table", values, **_tables(self._store, "iceberg_tables")).rowcount != 1:
            raise LakeTableStands(self._store.where, f"{self._namespace}.{name}")
        return self.table_at(name, made.metadata_location)

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Move a table on, in the transaction of the batch. Raises CommitFailedException if somebody else has."""
        current = self.load_table(table.name())
        staged: StagedTable = self._update_and_stage_table(current, table.name(), requirements, updates)
        self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
        values = {
            **self._named(self.table_name_from(table.name())),
            "location": staged.metadata_location,
            "before": current.metadata_location,
        }
        if self._store.run("lake.move_table", values, **_tables(self._store, "iceberg_tables")).rowcount != 1:
            raise CommitFailedException(f"{table.name()}: somebody else has changed the table")
        return CommitTableResponse.model_construct(metadata=staged.metadata, metadata_location=staged.metadata_location)

    def _named(self, table: str | None) -> dict[str, str]:
        return {"catalog": self.name, "namespace": self._namespace, **({} if table is None else {"table": table})}


def _tables(store: MergeStore, *wanted: str) -> dict[str, sql.Composable]:
    every = dict(zip(("iceberg_tables", "iceberg_namespaces"), map(store.table, TABLES), strict=True))
    return {name: every[name] for name in wanted}


def stands(store: MergeStore, *more: str) -> bool:
    """Return whether the catalogue's tables are there, and `more` of the schema."""
    tables = [*TABLES, *more]
    return bool(store.value("batches.count_tables", {"schema": store.place.schema, "tables": tables}) == len(tables))


def create_catalog(store: MergeStore) -> None:
    """Create the catalogue's tables where they are missing. Commits."""
    if not stands(store):
        store.run("lake.lock_catalog", {"lock": lock_number(f"iceberg catalogue of {store.place.schema}")})
        store.run("lake.create_catalog", None, **_tables(store, "iceberg_tables", "iceberg_namespaces"))
    store.commit()
