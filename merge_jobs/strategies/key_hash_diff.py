"""Key-hash diff: read only rows whose hash is new, where the source has no row versions to tell them by."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from psycopg2 import sql

from config_schema.result import Counts
from merge_jobs.errors import MapWrong
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, Described, create_staging
from merge_jobs.strategies.incremental import merge_changes
from merge_jobs.strategies.rejected_keys import refuse_bad_keys
from merge_jobs.strategies.row_hashes import RowHashes
from merge_jobs.strategies.strategy import Doubt, Read, Reading

log = logging.getLogger(__name__)

# From this part of the rows on, one look for all of them costs less than one for each piece.
MANY = 0.2


@dataclass(frozen=True)
class Look:
    """What the first pass has found: rows of the source, new or changed hashes, keys that are gone, and new ones."""

    rows: int
    standing: int
    gone: int
    new: int


class KeyHashDiff:
    resumable = True

    def stage(self, reading: Reading) -> Read:
        """Raise Doubt or MapWrong unless a row is staged for every key whose hash is new or changed."""
        tables = reading.tables
        made = create_staging(tables)
        row_maps.create_staged_map(tables, MapKind.KEY_HASHES)
        source = RowHashes.of(reading, made)
        tables.run("key_hash_diff.drop_look")
        tables.run("key_hash_diff.create_hashes")
        look = _look(source)
        _check_that_it_adds_up(tables, look)
        staged = 0
        if look.standing:
            began = time.monotonic()
            many = look.standing > look.rows * MANY
            staged, unread = _all_rows(source) if many else _changed_rows(source, look.standing)
            log.info("%s: copied %d rows in %.1f s", tables.where, staged, time.monotonic() - began)
            if unread:
                _refuse_or_doubt(source, unread)
        tables.run("key_hash_diff.drop_look")
        return Read(look.rows, staged)

    def apply(self, tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float) -> Counts:
        return merge_changes(tables, staged, batch_id, max_delete_fraction, MapKind.KEY_HASHES)


def load_and_map(reading: Reading, made: Described, loaded: sql.Identifier, new_map: sql.Identifier) -> int:
    """Load all rows and map their hashes, in one pass: a row and its hash are of one state, whatever the source is.

    `loaded` is a new, empty table with the model's columns, described by `made`. Return the number of rows.
    """
    tables, began = reading.tables, time.monotonic()
    rows = RowHashes.of(reading, made).copy_rows_and_hashes(loaded)
    seconds = time.monotonic() - began
    log.info("%s: copied %d rows in %.1f s, %d rows/s", tables.where, rows, seconds, rows / max(seconds, 1e-3))
    tables.run("key_hash_diff.map_loaded", loaded=loaded, new_map=new_map)
    tables.run("key_hash_diff.drop_hashes", loaded=loaded)
    return rows


def _look(source: RowHashes) -> Look:
    tables, began = source.tables, time.monotonic()
    rows = source.copy_hashes()
    tables.run("key_hash_diff.analyze_hashes")
    found = tables.run("key_hash_diff.stage_changes").fetchone()
    assert found is not None
    look = Look(rows, *found)
    changed, seconds = look.standing + look.gone, time.monotonic() - began
    log.info("%s: %d of %d rows may have changed, seen in %.1f s", tables.where, changed, rows, seconds)
    return look


def _check_that_it_adds_up(tables: DatasetTables, look: Look) -> None:
    """Raise KeysRejected for a key that the source has twice, also where no row has changed; Doubt for a wrong map."""
    known = row_maps.find(tables)
    assert known is not None
    mapped = known.rows if known.rows is not None else int(tables.value("key_hash_diff.count_map"))
    if mapped - look.gone + look.new != look.rows:
        refuse_bad_keys(tables, sql.Identifier("ds_hashes"))
        raise Doubt("the map of its rows lacks some of them")


def _all_rows(source: RowHashes) -> tuple[int, int]:
    """Stage every row by one look at the source; return their number, and how many changes it may have missed."""
    tables, staging = source.tables, source.tables.store.table(source.tables.staging_name)
    staged = source.copy_rows_and_hashes(staging)
    is_another = bool(tables.value("key_hash_diff.is_another_state"))
    tables.run("key_hash_diff.drop_hashes", loaded=staging)
    return staged, staged if is_another else 0


def _changed_rows(source: RowHashes, changed: int) -> tuple[int, int]:
    """Stage the rows with a new hash; return their number, and how many keys of such hashes have none."""
    staged = source.copy_rows_of_new_hashes(changed)
    return staged, int(source.tables.value("key_hash_diff.count_unread"))


def _refuse_or_doubt(source: RowHashes, unread: int) -> None:
    tables = source.tables
    if source.snapshot_may_not_cover():
        raise MapWrong(
            tables.where,
            f"the source changed while it was read: {unread} rows were no longer as they had been hashed",
            "Try again: the next batch reads every row in one pass",
            tables.name,
        )
    raise Doubt(f"{unread} rows could not be read by their hashes")
