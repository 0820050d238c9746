"""Loading all rows of a source, and mapping them, for a batch that reads all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from psycopg2 import sql

from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, Described
from merge_jobs.strategies import key_hash_diff, version_diff
from merge_jobs.strategies.bulk_copy import read_into
from merge_jobs.strategies.strategy import Reading


@dataclass(frozen=True)
class Target:
    """New, empty tables for rows and map, and the statements that copy into them.

    `described` is the table of the rows, which has the model's columns.
    """

    described: Described
    rows: sql.Identifier
    copy_rows: str
    map: sql.Identifier
    copy_map: str


def merge_target(tables: DatasetTables, made: Described) -> Target:
    """The merge table and the map themselves, for a first load."""
    rows, row_map = tables.store.table(tables.merge_name), tables.store.table(tables.map_name)
    return Target(made, rows, "dataset.copy_to_new_merge_table", row_map, "copy_to_map")


def staging_target(tables: DatasetTables, made: Described) -> Target:
    """The staging table, and the map to come."""
    rows, row_map = tables.store.table(tables.staging_name), tables.store.table(tables.staged_map_name)
    return Target(made, rows, "dataset.copy_all_to_staging", row_map, "copy_to_map_to_come")


def load_all(reading: Reading, into: Target) -> int:
    """Load every row, and map it if a map is wanted; return the number of rows."""
    match reading.map_kind:
        case MapKind.VERSIONS:
            # Two passes: what has row versions is covered by the source's snapshot.
            rows = read_into(reading.tables, reading.source, into.described, into.copy_rows)
            version_diff.map_all(reading, into.described, f"version_diff.{into.copy_map}")
            return rows
        case MapKind.KEY_HASHES:
            return key_hash_diff.load_and_map(reading, into.described, into.rows, into.map)
        case None:
            return read_into(reading.tables, reading.source, into.described, into.copy_rows)
    assert_never(reading.map_kind)
