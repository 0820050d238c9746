"""Loads all rows of a table over several pipes: each copies ranges of blocks, with row versions, until none is left.

The pipes copy into one table that is committed, under the staging table's name: nobody reads it, and if the batch fails
or the job dies the next run drops it. In the transaction of the batch it gets the merge table's name.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import psycopg2
from psycopg2 import sql

from config_schema.errors import StreamFactoryError
from merge_jobs.database.copy_pipe import copy_through
from merge_jobs.process import shutdown
from merge_jobs.process.signal_mask import SMALL_STACK, start_without_signals
from merge_jobs.sql import composed
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.progress import Pieces
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, become_merge_table, create_merge_table_to_come
from merge_jobs.strategies.bulk_copy import check_columns, is_exact_in_binary, warn_of_conversions
from merge_jobs.strategies.guard import Leaf
from merge_jobs.strategies.load_pipes import LoadPipe, range_parts
from merge_jobs.strategies.step import Condition, Step, on_source, on_store
from merge_jobs.strategies.strategy import VERSIONS_OUT, Staging
from merge_jobs.strategies.version_diff import BLOCKS_AT_ONCE, Window, map_window

log = logging.getLogger(__name__)

RANGES_EACH = 4  # of a table for each pipe, at least: the last ones are done at about the same time
CANCEL_SECONDS = 0.2  # until the pipes beside one that failed are cancelled again: between statements it hits none
SEVERAL_WORDS = "where several connections load"
SEVERAL: Condition[Staging] = Condition(SEVERAL_WORDS, lambda state: bool(state.reading.pipes))


def windows(leaves: Sequence[Leaf], pipes: int) -> Iterator[Window]:
    """Yield all blocks of the leaves in ranges: some for each pipe, none larger than a map takes at once."""
    size = min(max(-(-sum(leaf.blocks for leaf in leaves) // (pipes * RANGES_EACH)), 1), BLOCKS_AT_ONCE)
    for leaf in leaves:
        for first in range(0, leaf.blocks, size):
            yield leaf, first, min(first + size, leaf.blocks)


def _load(state: Staging) -> None:
    tables, pipes, began = state.tables, state.reading.pipes, time.monotonic()
    first = replace(tables, store=pipes[0].store)
    state.made = create_merge_table_to_come(first, state.reading.batch_id)
    if _maps_versions(state):
        row_maps.create_map(first, MapKind.VERSIONS)
    first.store.commit()
    loading = _Loading.of(state)
    try:
        loading.run()
    except BaseException:
        _drop(first, _maps_versions(state))
        raise
    become_merge_table(tables)
    state.rows = state.staged = loading.rows
    seconds = time.monotonic() - began
    done = (loading.rows, seconds, loading.rows / max(seconds, 1e-3), len(pipes))
    log.info("%s: copied %d rows in %.1f s, %d rows/s, by %d connections", tables.where, *done)


def _maps_versions(state: Staging) -> bool:
    return state.reading.map_kind is MapKind.VERSIONS


def _drop(tables: DatasetTables, with_map: bool) -> None:
    """Drop what the pipes have loaded; if that fails the next run does it."""
    made = [tables.staging_name, *([tables.map_name] if with_map else [])]
    with contextlib.suppress(psycopg2.Error, StreamFactoryError):
        tables.store.rollback()
        tables.store.run("leftovers.drop", tables=sql.SQL(", ").join(map(tables.store.table, made)))
        tables.store.commit()


@dataclass
class _Loading:
    """Work of several threads, one for each pipe: ranges of blocks, until none is left or one of them has failed."""

    state: Staging
    selected: sql.Composable
    binary: bool
    left: Iterator[Window]
    progress: Pieces
    rows: int = 0
    error: BaseException | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    failed: threading.Event = field(default_factory=threading.Event)

    @staticmethod
    def of(state: Staging) -> _Loading:
        reading, tables, made = state.reading, state.tables, state.made
        source = reading.pipes[0].source
        assert reading.sight is not None
        columns = source.columns(tables.dataset)
        check_columns(tables, source, columns)
        binary = is_exact_in_binary(tables, columns, made, [column.name for column in tables.dataset.columns])
        warn_of_conversions(tables, columns, made)
        leaves = reading.sight.leaves
        progress = Pieces(tables, "blocks loaded", sum(leaf.blocks for leaf in leaves))
        selected = source.selected(tables.dataset, made.columns)
        return _Loading(state, selected, binary, windows(leaves, len(reading.pipes)), progress)

    def run(self) -> None:
        """Load all ranges. Raises the first error of any pipe, after all of them have ended."""
        threads = []
        try:
            for number, pipe in enumerate(self.state.reading.pipes, start=1):
                # In a copy of our context: what it runs is held to the statements of the step.
                run = contextvars.copy_context().run
                threads.append(start_without_signals(run, f"load {number}", self._work, pipe, stack=SMALL_STACK))
        except RuntimeError as error:  # there is no room for one more
            self._fail(error)
        for thread in threads:
            while thread.is_alive():
                thread.join(CANCEL_SECONDS)
                if self.failed.is_set() and thread.is_alive():
                    for pipe in self.state.reading.pipes:
                        pipe.cancel()
        if self.error is not None:
            raise self.error

    def _work(self, pipe: LoadPipe) -> None:
        try:
            while (window := self._next()) is not None:
                rows = self._copy(pipe, window)
                with self.lock:
                    self.rows += rows
                    self.progress.did(window[2] - window[1])
            pipe.source.check_snapshot()
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self.lock:
            self.error = self.error or error
        self.failed.set()

    def _next(self) -> Window | None:
        if self.failed.is_set():
            return None
        shutdown.check()
        with self.lock:
            return next(self.left, None)

    def _copy(self, pipe: LoadPipe, window: Window) -> int:
        """Copy the rows of a range, and their versions where they are mapped, and commit; return their number."""
        leaf, first, end = window
        tables, state = replace(self.state.tables, store=pipe.store), self.state
        form = sql.SQL("binary" if self.binary else "text")
        parts = {"columns": self.selected, "table": leaf.table, **range_parts(first, end), "format": form}
        copy_out = composed("load.blocks", parts, {})
        rows = copy_through(
            lambda into: pipe.source.copy_query(copy_out, into),
            pipe.source.cancel,
            tables.name,
            pipe.store.session,
            tables.composed("dataset.copy_to_staging", format=form),
        )
        if _maps_versions(state):
            assert state.reading.sight is not None
            sight = replace(state.reading.sight, next_transaction=pipe.next_transaction)
            reading = replace(state.reading, tables=tables, source=pipe.source, sight=sight)
            map_window(reading, state.made, "version_diff.copy_to_map_in_parts", window)
        pipe.store.commit()
        return rows


LOAD_IN_PARTS: Step[Staging] = Step(
    _load,
    (
        on_store(
            "a table made as the merge table is, under another name, and committed", "load.leave_alone", postgresql=True
        ),
        on_source("ranges of its blocks go out, by each session", "load.blocks", postgresql=True),
        on_store("into that table, and into the map, each range committed", "dataset.copy_to_staging", postgresql=True),
        on_store(
            "in the transaction of the batch it becomes the merge table",
            *("load.name_merge_table", "load.as_other_tables"),
            postgresql=True,
        ),
    ),
    also=(
        *("live.create_merge_table", "forensic.create_merge_table"),
        *("dataset.comment_staging", "dataset.comment_merge_table"),
        *("version_diff.create_map", "row_map.comment_map"),
        *VERSIONS_OUT.statements,
        *("version_diff.copy_to_map_in_parts", "leftovers.drop"),
    ),
    when=SEVERAL,
)
