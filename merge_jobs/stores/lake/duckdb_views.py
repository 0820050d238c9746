"""A script of DuckDB's views of a stream's rows in a lake, as the last committed batch has left them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from config_schema.errors import StreamFactoryError
from config_schema.model import Milestoning
from merge_jobs.stores.lake.writing import (
    Columns,
    closing_columns,
    open_catalog,
    table_names,
    version_columns,
)
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables

if TYPE_CHECKING:
    from merge_jobs.stores.lake.catalog import ControlCatalog

OPEN = 2147483647
HEAD = """\
-- Views of {stream} as batch {batch} has left it: run them again to see a later batch.
CREATE SCHEMA IF NOT EXISTS {schema};
"""


class NothingInLake(StreamFactoryError):
    """No batch of the stream has been committed into the lake yet.

    Let the stream's DAG run once.
    """

    code = "DF5231"

    def __init__(self, store: MergeStore) -> None:
        super().__init__(f"{store.stream}", "the lake has nothing of it yet", "Let its DAG run once")


def script(store: MergeStore) -> str:
    """Return the SQL of the views of all datasets of a stream, as they are now. Raises NothingInLake."""
    catalog, schema = open_catalog(store), quoted(store.stream.platform_name)
    every = [DatasetTables(store, dataset) for dataset in store.stream.datasets]
    if not catalog.stands():
        raise NothingInLake(store)
    locations, batch = catalog.locations([name for tables in every for name in table_names(tables)])
    if not locations:
        raise NothingInLake(store)
    head = HEAD.format(stream=str(store.stream).replace("\n", " "), batch=batch, schema=schema)
    return "\n".join([head, *(view for tables in every for view in _views(tables, catalog, locations, schema))])


def _views(tables: DatasetTables, catalog: ControlCatalog, locations: Mapping[str, str], schema: str) -> Iterator[str]:
    versions, closings = table_names(tables)
    if versions not in locations or closings not in locations:
        return
    rows = _relation(version_columns(tables), catalog.files(versions, locations[versions]))
    ended = _relation(closing_columns(tables), catalog.files(closings, locations[closings]))
    names = [quoted(name) for name, _, _ in version_columns(tables)]
    using = ", ".join([*(quoted(name) for name in tables.dataset.primary_key), "ds_batch_in"])
    name = f"{tables.store.stream.store.name}_{tables.name}"
    yield (
        f"CREATE OR REPLACE VIEW {schema}.{quoted(f'{name}_live')} AS\n"
        f"SELECT {', '.join(names[:-1])} FROM {rows} v\nANTI JOIN {ended} c USING ({using});\n"
    )
    if tables.store.stream.platform.milestoning is Milestoning.FORENSIC:
        of_versions = ", ".join(f"v.{one}" for one in names)
        yield (
            f"CREATE OR REPLACE VIEW {schema}.{quoted(f'{name}_full')} AS\n"
            f"SELECT {of_versions}, coalesce(c.ds_batch_out, {OPEN}) AS ds_batch_out\n"
            f"FROM {rows} v\nLEFT JOIN {ended} c USING ({using});\n"
        )


def _relation(columns: Columns, files: Sequence[str]) -> str:
    """Return what a table's rows are read from; an empty relation with the same columns where it has no file."""
    if not files:
        empty = ", ".join(f"CAST(NULL AS {of.duckdb}) AS {quoted(name)}" for name, of, _ in columns)
        return f"(SELECT {empty} WHERE false)"
    return "read_parquet([{}])".format(", ".join("'" + file.replace("'", "''") + "'" for file in files))


def quoted(name: str) -> str:
    """Return a name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'
