"""Loads and maps all rows of a source, for a batch that reads all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from psycopg2 import sql

from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.erased_keys import keep_away, keep_away_from_map
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable, merge_table
from merge_jobs.strategies import key_hash_diff, version_diff
from merge_jobs.strategies.bulk_copy import read_into
from merge_jobs.strategies.cursor import (
    CHECK_CURSOR,
    DELETED_AT_WORDS,
    MEASURE,
    deleted_at,
    measure_cursor,
    measure_without_erased,
)
from merge_jobs.strategies.step import Condition, Step, on_source, on_store
from merge_jobs.strategies.strategy import KEYS_ERASED, VERSIONS_OUT, Applying, Staging

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadTarget:
    """New, empty tables for rows and for the map: their names, and the statements that copy into them.

    The table of the rows has the model's columns.
    """

    rows: Callable[[DatasetTables], str]
    rows_title: str
    copy_rows: str
    map: Callable[[DatasetTables], str]
    map_title: str
    copy_map: str


MERGE_TABLE = LoadTarget(
    *(lambda tables: tables.merge_name, "straight into the new table", "dataset.copy_to_new_merge_table"),
    *(lambda tables: tables.map_name, "into the map", "version_diff.copy_to_map"),
)
STAGING_TABLE = LoadTarget(
    *(lambda tables: tables.staging_name, "into the staging table", "dataset.copy_all_to_staging"),
    *(lambda tables: tables.staged_map_name, "into that map", "version_diff.copy_to_map_to_come"),
)

# What is printed makes a map of row versions, as of a plain table. One of hashes comes with the rows, in one pass.
WITH_HASHES = tuple(
    f"key_hash_diff.{name}"
    for name in ("rows_and_hashes", "add_hashes", "copy_with_hashes", "map_loaded", "drop_hashes")
)
# Several pipes load and map the rows by a step of their own (parallel_load.py).
ONE_CONNECTION: Condition[Staging] = Condition("", lambda state: not state.reading.pipes)
MAP_WANTED: Condition[Staging] = Condition(
    "", lambda state: state.reading.map_kind is not None and not state.reading.pipes
)
VERSIONS_WANTED: Condition[Staging] = Condition(
    "", lambda state: state.reading.map_kind is MapKind.VERSIONS and not state.reading.pipes
)
MAP_STAGED: Condition[Applying] = Condition("", lambda state: state.staged.map_kind is not None)


UNLISTED_WORDS = "only where an endpoint does not list all records"
CURSOR_WORDS = "only where the model has `strategy: cursor`"
CURSOR_WANTED: Condition[Staging] = Condition(CURSOR_WORDS, lambda state: state.tables.dataset.cursor is not None)
DELETED_AT: Condition[Staging] = Condition(DELETED_AT_WORDS, lambda state: deleted_at(state.tables) is not None)


def keep_unlisted(tables: DatasetTables, existing: DescribedTable, made: DescribedTable, loaded: sql.Composable) -> int:
    """Add the rows of the merge table whose keys the source does not list to the loaded ones; return how many."""
    columns = [name for name in made.columns if name in existing.columns]
    kept = sql.SQL(", ").join(map(sql.Identifier, columns))
    number = tables.run(".keep_unlisted", kept=kept, loaded=loaded).rowcount
    log.info("%s: %d rows are not listed by the source, and stay", tables.where, number)
    return number


def _keep_unlisted(state: Staging) -> None:
    tables, existing = state.tables, merge_table(state.tables)
    if existing is not None:
        number = keep_unlisted(tables, existing, state.made, tables.store.table(tables.staging_name))
        state.rows, state.staged = state.rows + number, state.staged + number


KEEP_UNLISTED = (
    Step(
        _keep_unlisted,
        (on_store("rows that the endpoint does not list stay", ".keep_unlisted"),),
        when=Condition(UNLISTED_WORDS, lambda state: not state.tables.dataset.source_lists_all),
    ),
)


def load_steps(target: LoadTarget) -> tuple[Step[Staging], ...]:
    """Return the steps that load every row, and map it if a map is needed.

    Row versions take a second pass: tables that have them are covered by the source's snapshot.
    """
    out = on_source("all rows go out, through a pipe into the next COPY", "postgres_source.copy_out")
    rows = (out, on_store(target.rows_title, target.copy_rows))
    versions_out = on_source(VERSIONS_OUT.title, *VERSIONS_OUT.statements, postgresql=True)
    versions = (versions_out, on_store(target.map_title, target.copy_map, postgresql=True))
    kept_away = (
        on_store("rows of erased keys are taken out again", "erased_keys.keep_away"),
        on_store("and out of the map", "erased_keys.keep_away_from_map", postgresql=True),
    )
    return (
        CHECK_CURSOR,
        Step(partial(_load, target), rows, also=WITH_HASHES, when=ONE_CONNECTION),
        Step(
            partial(_measure, target),
            (on_store("how far the cursor has come", "cursor.measure"),),
            also=("cursor.greatest_tie",),
            when=CURSOR_WANTED,
        ),
        *(KEEP_UNLISTED if target is STAGING_TABLE else ()),
        Step(partial(_map_versions, target), versions, when=VERSIONS_WANTED),
        Step(partial(_keep_away, target), kept_away, also=MEASURE, when=KEYS_ERASED),
        Step(
            partial(_leave_out_deleted, target),
            (on_store("rows that the source has marked as deleted are taken out again", "cursor.leave_out_deleted"),),
            when=DELETED_AT,
        ),
    )


def finish_map(target: LoadTarget, title: str) -> Step[Applying]:
    """Return the step that prepares a filled map for use."""

    def finish(state: Applying) -> None:
        row_maps.finish(state.tables, MapKind(state.staged.map_kind), target.map(state.tables))

    section = on_store(title, "version_diff.index_map", "version_diff.analyze_map", postgresql=True)
    return Step(finish, (section,), also=("key_hash_diff.analyze_map",), when=MAP_STAGED)


def _load(target: LoadTarget, state: Staging) -> None:
    if state.reading.map_kind is MapKind.KEY_HASHES:
        store, tables = state.tables.store, state.tables
        loaded, new_map = store.table(target.rows(tables)), store.table(target.map(tables))
        state.rows = key_hash_diff.load_and_map(state.reading, state.made, loaded, new_map)
    else:
        state.rows = read_into(state.tables, state.reading.source, state.made, target.copy_rows)
    state.staged = state.rows


def _keep_away(target: LoadTarget, state: Staging) -> None:
    tables = state.tables
    state.kept_away = keep_away(tables, tables.store.table(target.rows(tables)))
    state.rows, state.staged = state.rows - state.kept_away, state.staged - state.kept_away
    measure_without_erased(state, tables.store.table(target.rows(tables)), in_full=True)
    match state.reading.map_kind:
        case MapKind.VERSIONS:
            keep_away_from_map(tables, tables.store.table(target.map(tables)))
        case MapKind.KEY_HASHES:
            keep_away(tables, tables.store.table(target.map(tables)))


def _measure(target: LoadTarget, state: Staging) -> None:
    measure_cursor(state, state.tables.store.table(target.rows(state.tables)), in_full=True)


def _leave_out_deleted(target: LoadTarget, state: Staging) -> None:
    tables, column = state.tables, sql.Identifier(str(deleted_at(state.tables)))
    loaded = tables.store.table(target.rows(tables))
    left_out = tables.run("cursor.leave_out_deleted", loaded=loaded, deleted_at=column).rowcount
    state.rows, state.staged = state.rows - left_out, state.staged - left_out


def _map_versions(target: LoadTarget, state: Staging) -> None:
    version_diff.map_all(state.reading, state.made, target.copy_map)
