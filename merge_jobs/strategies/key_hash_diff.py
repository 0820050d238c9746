"""Key-hash diff: reads only rows with a new hash, from sources without row versions."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import cached_property

from psycopg2 import sql

from merge_jobs.errors import MapWrong
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.erased_keys import keep_away
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable
from merge_jobs.strategies.incremental import change_steps, compare_steps
from merge_jobs.strategies.rejected_keys import KEY_CHECKS, refuse_bad_keys
from merge_jobs.strategies.row_hashes import RowHashes, row_hashes
from merge_jobs.strategies.step import Condition, Step, on_source, on_store
from merge_jobs.strategies.strategy import (
    CREATE_STAGING,
    INTO_STAGING,
    Doubt,
    Reading,
    Staging,
    Strategy,
    create_staged_map,
)

log = logging.getLogger(__name__)

# From this part of the rows on, one look for all of them costs less than one for each piece.
MANY = 0.2


@dataclass(frozen=True)
class Look:
    """The result of the first pass: rows of the source, new or changed hashes, missing keys, and new keys."""

    rows: int
    changed: int
    gone: int
    new: int


@dataclass
class HashStaging(Staging):
    """A dataset while it is staged by hashes, with the result of the first pass."""

    look: Look = Look(0, 0, 0, 0)

    @cached_property
    def source(self) -> RowHashes:
        """The source, read by the hashes of its rows."""
        return row_hashes(self.reading, self.made)


def load_and_map(reading: Reading, made: DescribedTable, loaded: sql.Identifier, new_map: sql.Identifier) -> int:
    """Load all rows and map their hashes, in one pass: a row and its hash have one state, whatever the source is.

    `loaded` is a new, empty table with the model's columns, described by `made`. Returns the number of rows.
    """
    tables, began = reading.tables, time.monotonic()
    rows = row_hashes(reading, made).copy_rows_and_hashes(loaded)
    seconds = time.monotonic() - began
    log.info("%s: copied %d rows in %.1f s, %d rows/s", tables.where, rows, seconds, rows / max(seconds, 1e-3))
    tables.run("key_hash_diff.map_loaded", loaded=loaded, new_map=new_map)
    tables.run("key_hash_diff.drop_hashes", loaded=loaded)
    return rows


def _hash(state: HashStaging) -> None:
    """Find the rows that may have changed. Raises KeysRejected or Doubt if the row counts do not match."""
    source, tables = state.source, state.tables
    tables.run("key_hash_diff.drop_look")
    tables.run("key_hash_diff.create_hashes")
    began = time.monotonic()
    state.rows = source.copy_hashes()
    if state.reading.erased:
        state.kept_away = keep_away(tables, sql.Identifier("ds_hashes"))
        state.rows -= state.kept_away
    tables.run("key_hash_diff.analyze_hashes")
    found = tables.run("key_hash_diff.stage_changes").fetchone()
    assert found is not None
    state.look = look = Look(state.rows, *found)
    changed, seconds = look.changed + look.gone, time.monotonic() - began
    log.info("%s: %d of %d rows may have changed, seen in %.1f s", tables.where, changed, state.rows, seconds)
    _check_that_it_adds_up(tables, look)


def _read(state: HashStaging) -> None:
    """Stage a row for each new hash. Raises Doubt or MapWrong if a hash has none."""
    began, look = time.monotonic(), state.look
    many = look.changed > look.rows * MANY
    state.staged, unread = _all_rows(state) if many else _changed_rows(state, look.changed)
    log.info("%s: copied %d rows in %.1f s", state.tables.where, state.staged, time.monotonic() - began)
    if unread:
        _refuse_or_doubt(state.source, unread)


def _end_look(state: HashStaging) -> None:
    state.tables.run("key_hash_diff.drop_look")


def _check_that_it_adds_up(tables: DatasetTables, look: Look) -> None:
    """Raise KeysRejected for a key that the source repeats, even if no row has changed; Doubt for a wrong map."""
    known = row_maps.find(tables)
    assert known is not None
    mapped = known.rows if known.rows is not None else int(tables.value("key_hash_diff.count_map"))
    if mapped - look.gone + look.new != look.rows:
        refuse_bad_keys(tables, sql.Identifier("ds_hashes"))
        raise Doubt("the map of its rows lacks some of them")


def _all_rows(state: HashStaging) -> tuple[int, int]:
    """Stage every row in one pass over the source; return their number, and how many changes it may have missed."""
    tables, staging = state.tables, state.tables.store.table(state.tables.staging_name)
    staged = state.source.copy_rows_and_hashes(staging)
    staged -= _without_erased(state)
    is_another = bool(tables.value("key_hash_diff.is_another_state"))
    tables.run("key_hash_diff.drop_hashes", loaded=staging)
    return staged, staged if is_another else 0


def _changed_rows(state: HashStaging, changed: int) -> tuple[int, int]:
    """Stage the rows with a new hash; return their number, and the number of keys of which no row was found."""
    staged = state.source.copy_rows_of_new_hashes(changed) - _without_erased(state)
    return staged, int(state.tables.value("key_hash_diff.count_unread"))


def _without_erased(state: HashStaging) -> int:
    """Delete staged rows of erased keys; return their number."""
    tables = state.tables
    return keep_away(tables, tables.store.table(tables.staging_name)) if state.reading.erased else 0


def _refuse_or_doubt(source: RowHashes, unread: int) -> None:
    tables = source.tables
    if source.snapshot_may_not_cover():
        raise MapWrong(
            tables.where,
            f"the source changed while it was read: {unread} rows were no longer as they had been hashed",
            tables.name,
            "Try again: the next batch reads every row in one pass",
        )
    raise Doubt(f"{unread} rows could not be read by their hashes")


# Where a fifth of the rows or more may have changed, all of them are read by one look instead.
BY_ONE_LOOK = tuple(
    f"key_hash_diff.{name}"
    for name in ("rows_and_hashes", "add_hashes", "copy_with_hashes", "is_another_state", "drop_hashes")
)

WITHOUT_ERASED = on_store("only where keys are erased: theirs are taken out again", "erased_keys.keep_away")

KEY_HASH_DIFF = Strategy(
    name="key_hash_diff",
    resumable=True,
    staging=HashStaging,
    stage_steps=(
        CREATE_STAGING,
        create_staged_map(MapKind.KEY_HASHES),
        Step(
            _hash,
            (
                on_store("room for a hash of each row", "key_hash_diff.drop_look", "key_hash_diff.create_hashes"),
                on_source("a hash of each row, with its key", "key_hash_diff.hashes"),
                on_store("into that room", "key_hash_diff.copy_hashes"),
                WITHOUT_ERASED,
                on_store(
                    "which hashes are not as they were",
                    "key_hash_diff.analyze_hashes",
                    "key_hash_diff.stage_changes",
                    "row_map.find",
                ),
            ),
            also=("key_hash_diff.count_map", *KEY_CHECKS),
        ),
        Step(
            _read,
            (
                on_store("the new ones, in pieces", "key_hash_diff.new_hashes"),
                on_source("their rows, by their hashes", "key_hash_diff.rows"),
                INTO_STAGING,
                WITHOUT_ERASED,
                on_store(
                    "each key with a new hash has its row, or all rows are read",
                    "key_hash_diff.count_unread",
                ),
            ),
            also=(*BY_ONE_LOOK, "key_hash_diff.may_change_meanwhile"),
            when=Condition("where hashes are new", lambda state: state.look.changed > 0),
        ),
        Step(_end_look, (on_store("the look is over", "key_hash_diff.drop_look"),)),
    ),
    apply_steps=change_steps(MapKind.KEY_HASHES),
    compare_steps=compare_steps(MapKind.KEY_HASHES),
)
