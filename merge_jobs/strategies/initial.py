"""Initial: COPY into a new merge table, in the transaction that creates it; the index is created afterwards.

A large table is loaded by several connections instead, into a table that becomes the merge table (parallel_load.py).
"""

from __future__ import annotations

import logging
import time

from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.stores.postgres import as_of, row_maps, valid_times
from merge_jobs.stores.postgres.tables import DatasetTables, create_merge_table
from merge_jobs.strategies.delta_steps import VALID_TIMES_WORDS
from merge_jobs.strategies.new_files import RECORD_FILE
from merge_jobs.strategies.parallel_load import LOAD_IN_PARTS
from merge_jobs.strategies.rejected_keys import KEY_CHECKS, with_keys_checked
from merge_jobs.strategies.row_map_load import MAP_WANTED, MERGE_TABLE, ONE_CONNECTION, finish_map, load_steps
from merge_jobs.strategies.step import Condition, Step, on_store
from merge_jobs.strategies.strategy import Applying, Staging, Strategy

log = logging.getLogger(__name__)

INDEX_MEMORY = "256MB"


def _new_merge_table(state: Staging) -> None:
    state.made = create_merge_table(state.tables, state.reading.batch_id)


def _new_map(state: Staging) -> None:
    assert state.reading.map_kind is not None
    row_maps.create_map(state.tables, state.reading.map_kind)


def _judge_times(state: Applying) -> None:
    valid_times.judge_all(state.tables, state.tables.store.table(state.tables.merge_name))


def _key(state: Applying) -> None:
    tables, began = state.tables, time.monotonic()
    tables.run("dataset.index_memory", {"memory": INDEX_MEMORY})
    with_keys_checked(tables, tables.store.table(tables.merge_name), lambda: _indexed(tables))
    log.info("%s batch %d: indexed in %.1f s", tables.where, state.batch_id, time.monotonic() - began)


def _indexed(tables: DatasetTables) -> None:
    tables.run("dataset.keys_are_not_null")
    tables.run(".create_key_index")
    if tables.milestoning is Milestoning.FORENSIC:
        tables.run("forensic.drop_first_batch_default")
    tables.run("dataset.analyze_merge_table")
    as_of.keep_functions(tables)


def _save(state: Applying) -> None:
    row_maps.save(state.tables, state.staged, state.batch_id, state.tables.map_name, full=True)
    state.counts = Counts(inserted=state.staged.rows, total=state.staged.rows)


INITIAL = Strategy(
    name="initial",
    resumable=False,
    staging=Staging,
    stage_steps=(
        LOAD_IN_PARTS,
        Step(
            _new_merge_table,
            (on_store("a new merge table", ".create_merge_table", "dataset.comment_merge_table"),),
            when=ONE_CONNECTION,
        ),
        Step(
            _new_map,
            (on_store("a map of the rows", "version_diff.create_map", "row_map.comment_map", postgresql=True),),
            also=("key_hash_diff.create_map",),
            when=MAP_WANTED,
        ),
        *load_steps(MERGE_TABLE),
    ),
    apply_steps=(
        Step(
            _judge_times,
            (
                on_store(
                    "rows whose time is none to begin a version at are refused",
                    "valid_times.judge_all",
                    milestoning=Milestoning.FORENSIC,
                ),
            ),
            when=Condition(VALID_TIMES_WORDS, lambda state: valid_times.are_from_column(state.tables)),
        ),
        Step(
            _key,
            (
                on_store(
                    "the source is closed; the key, which refuses NULL and duplicates",
                    "dataset.index_memory",
                    "dataset.keys_savepoint",
                    "dataset.keys_are_not_null",
                    ".create_key_index",
                    "forensic.drop_first_batch_default",
                    "dataset.analyze_merge_table",
                ),
            ),
            also=(*KEY_CHECKS, "as_of"),
        ),
        finish_map(MERGE_TABLE, "the map is ready"),
        Step(_save, (on_store("what the map holds under", "row_map.save"),)),
        RECORD_FILE,
    ),
)
