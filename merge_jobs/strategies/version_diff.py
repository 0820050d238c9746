"""Version diff: reads only new row versions, found by a digest of the versions in each block."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from psycopg2 import sql

from merge_jobs.database.copy_pipe import copy_through
from merge_jobs.database.session import Names
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import composed
from merge_jobs.stores.postgres.erased_keys import keep_away, keep_away_from_map, more_kept_away
from merge_jobs.stores.postgres.progress import Pieces
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable
from merge_jobs.strategies.bulk_copy import check_columns, is_exact_in_binary
from merge_jobs.strategies.guard import WRAP, Leaf, TableState
from merge_jobs.strategies.incremental import change_steps
from merge_jobs.strategies.step import Condition, Step, on_source, on_store
from merge_jobs.strategies.strategy import CREATE_STAGING, INTO_STAGING, Reading, Staging, Strategy, create_staged_map

log = logging.getLogger(__name__)

BLOCKS_AT_ONCE = 8192  # 64 MB of a table: what the source must keep in memory to group its rows
VERSIONS_AT_ONCE = 20_000
# Of plain tables these read addresses and keys as they are stored: no code of the producer's runs.
NAMES_OF = {"digests": Names.OF_POSTGRESQL, "versions": Names.OF_POSTGRESQL}
MEMORY = "32MB"  # of the merge store, to compare the versions in changed blocks; more than that goes to its disk


@dataclass
class VersionStaging(Staging):
    """A dataset while it is staged by row versions: the blocks that have changed, and how many of them remain."""

    changed: int = 0
    remaining: int = 0

    @cached_property
    def source(self) -> _VersionSource:
        """The source, read by versions of its rows."""
        return _VersionSource.of(self.reading, self.made)


def _digest(state: VersionStaging) -> None:
    """Find the blocks that have changed."""
    tables, source, began = state.tables, state.source, time.monotonic()
    source.take_digests()
    state.rows = int(tables.value("version_diff.count_versions"))
    tables.run("version_diff.find_changed_blocks")
    state.changed, state.remaining = tables.run("version_diff.count_changed_blocks").fetchone() or (0, 0)
    blocks, seconds = sum(leaf.blocks for leaf in source.sight.leaves), time.monotonic() - began
    log.info("%s: %d of %d blocks have changed, seen in %.1f s", tables.where, state.changed, blocks, seconds)


def _stage_gone(state: VersionStaging) -> None:
    state.tables.run("version_diff.stage_gone_blocks")


def _stage_versions(state: VersionStaging) -> None:
    state.source.copy_changed_blocks()


def _read(state: VersionStaging) -> None:
    state.staged = state.source.copy_new_versions()


def _keep_away(state: VersionStaging) -> None:
    """Take the rows of erased keys out of what is staged; the map is to leave out their versions."""
    tables, reading = state.tables, state.reading
    state.staged -= keep_away(tables, tables.store.table(tables.staging_name))
    keep_away_from_map(tables, tables.store.table(tables.staged_map_name))
    state.kept_away = reading.kept_away + more_kept_away(tables)
    state.rows -= state.kept_away


def _end_look(state: VersionStaging) -> None:
    state.tables.run("version_diff.drop_look")


def map_all(reading: Reading, made: DescribedTable, copy: str) -> None:
    """Map every row of the source, by the statement `copy`. `made` is a table that has the model's columns."""
    _VersionSource.of(reading, made).copy_all_blocks(copy)


@dataclass(frozen=True)
class _VersionSource:
    """Copies from the source's row versions into tables of the merge store."""

    tables: DatasetTables
    source: PostgresSource
    sight: TableState
    binary_keys: bool
    binary_rows: bool
    selected: sql.Composable

    @staticmethod
    def of(reading: Reading, made: DescribedTable) -> _VersionSource:
        tables, source, sight = reading.tables, reading.source, reading.sight
        assert isinstance(source, PostgresSource)
        assert sight is not None
        columns = source.columns(tables.dataset)
        check_columns(tables, source, columns)
        keys = is_exact_in_binary(tables, columns, made, tables.dataset.primary_key)
        names = [column.name for column in tables.dataset.columns]
        rows = keys and is_exact_in_binary(tables, columns, made, names)
        return _VersionSource(tables, source, sight, keys, rows, source.selected(tables.dataset, made.columns))

    def take_digests(self) -> None:
        self.tables.run("version_diff.create_digests")
        for leaf, first, end in self._pieces("blocks compared"):
            self._copy("digests", self._window(leaf, first, end), "version_diff.copy_digests", binary=True)

    def copy_all_blocks(self, copy: str) -> None:
        for leaf, first, end in self._pieces("blocks mapped"):
            parts = {**self._window(leaf, first, end), **self._keys, "wanted": sql.SQL("true")}
            self._copy("versions", parts, copy, self.binary_keys)

    def copy_changed_blocks(self) -> None:
        for leaf, first, end in self._pieces("blocks gone through"):
            values = {"leaf": leaf.oid, "first": first, "end": end}
            blocks = self.tables.value("version_diff.changed_blocks", values)
            if blocks:
                wanted = sql.SQL("block = ANY({}::bigint[])").format(sql.Literal(_array(blocks)))
                # No block outside of those that have changed need be read.
                window = self._window(leaf, blocks[0], blocks[-1] + 1)
                parts = {**window, **self._keys, "wanted": wanted}
                self._copy("versions", parts, "version_diff.copy_to_staged_map", self.binary_keys)

    def copy_new_versions(self) -> int:
        """Stage the rows of versions that the map does not have; return their number."""
        tables, began = self.tables, time.monotonic()
        tables.run("dataset.work_memory", {"memory": MEMORY})
        progress = Pieces(tables, "new rows", tables.run("version_diff.find_new_versions").rowcount)
        leaves = {leaf.oid: leaf for leaf in self.sight.leaves}
        copied = 0
        with tables.store.session.cursor("new_versions", withhold=True) as pieces:
            pieces.itersize = 1
            pieces.execute(tables.composed("version_diff.new_versions", piece=sql.Literal(VERSIONS_AT_ONCE)))
            for oid, _, tids in pieces:
                parts = {"columns": self.selected, "table": leaves[oid].table, "tids": sql.Literal(tids)}
                copied += self._copy("rows", parts, "dataset.copy_to_staging", self.binary_rows)
                progress.did(copied - progress.done)
        seconds = time.monotonic() - began
        log.info("%s: copied %d rows in %.1f s", tables.where, copied, seconds)
        return copied

    def _copy(self, what: str, parts: Mapping[str, sql.Composable], into: str, binary: bool) -> int:
        form = sql.SQL("binary" if binary else "text")
        copy_out = composed(f"version_diff.{what}", {**parts, "format": form}, {})
        copy_in = self.tables.composed(into, format=form)
        return copy_through(
            lambda writer: self.source.copy_query(copy_out, writer, NAMES_OF.get(what, Names.OF_ROLE)),
            self.source.cancel,
            self.tables.name,
            self.tables.store.session,
            copy_in,
        )

    def _pieces(self, kind: str) -> Iterator[tuple[Leaf, int, int]]:
        """Yield ranges of blocks of each leaf: the first block, and the one after the last; log the progress."""
        progress = Pieces(self.tables, kind, sum(leaf.blocks for leaf in self.sight.leaves))
        for leaf in self.sight.leaves:
            for first in range(0, leaf.blocks, BLOCKS_AT_ONCE):
                end = min(first + BLOCKS_AT_ONCE, leaf.blocks)
                yield leaf, first, end
                progress.did(end - first)

    def _window(self, leaf: Leaf, first: int, end: int) -> dict[str, sql.Composable]:
        return {
            "leaf": sql.Literal(leaf.oid),
            "table": leaf.table,
            "first": sql.Literal(first),
            "low": sql.Literal(f"({first},0)"),
            "high": sql.Literal(f"({end},0)"),
            # A row of the first block lies before the first of these.
            "blocks": sql.Literal(_array(f'"({block},0)"' for block in range(first + 1, end))),
            "transaction": self._transaction,
        }

    @cached_property
    def _transaction(self) -> sql.Composable:
        # Those of rows that came with an upgrade from before 9.4 appear again at each look: they are read each time.
        return sql.SQL("{}::bigint - (age(xmin)::bigint + {}) % {}").format(
            sql.Literal(self.sight.next_transaction), sql.Literal(WRAP), sql.Literal(WRAP)
        )

    @cached_property
    def _keys(self) -> dict[str, sql.Composable]:
        comma, key = sql.SQL(", "), self.tables.dataset.primary_key
        named = [sql.Identifier(f"key_{number}") for number in range(1, len(key) + 1)]
        return {
            "key": comma.join(map(sql.Identifier, key)),
            "key_names": comma.join(named),
            "key_arrays": comma.join(sql.SQL("array_agg({})").format(name) for name in named),
        }


def _array(items: Iterable[object]) -> str:
    return "{" + ",".join(map(str, items)) + "}"


BLOCKS_CHANGED: Condition[VersionStaging] = Condition("where blocks have changed", lambda state: state.remaining > 0)
SOME_LEFT_OUT: Condition[VersionStaging] = Condition(
    "only where keys are erased, or were until now",
    lambda state: state.reading.erased > 0 or state.reading.kept_away > 0,
)

VERSION_DIFF = Strategy(
    name="version_diff",
    resumable=True,
    staging=VersionStaging,
    stage_steps=(
        CREATE_STAGING,
        create_staged_map(MapKind.VERSIONS),
        Step(
            _digest,
            (
                on_store("room for a digest of each block", "version_diff.create_digests"),
                on_source("a digest of the versions in each block, by windows of blocks", "version_diff.digests"),
                on_store(
                    "which blocks are not as they were",
                    "version_diff.copy_digests",
                    "version_diff.count_versions",
                    "version_diff.find_changed_blocks",
                    "version_diff.count_changed_blocks",
                ),
            ),
        ),
        Step(
            _stage_gone,
            (on_store("those that are gone", "version_diff.stage_gone_blocks"),),
            when=Condition("where blocks have changed", lambda state: state.changed > 0),
        ),
        Step(
            _stage_versions,
            (
                on_store("those of each window that are not gone", "version_diff.changed_blocks"),
                on_source("the versions in these blocks", "version_diff.versions"),
                on_store("into the table of what is to change", "version_diff.copy_to_staged_map"),
            ),
            when=BLOCKS_CHANGED,
        ),
        Step(
            _read,
            (
                on_store(
                    "the versions that are new",
                    "dataset.work_memory",
                    "version_diff.find_new_versions",
                    "version_diff.new_versions",
                ),
                on_source("their rows, in pieces", "version_diff.rows"),
                INTO_STAGING,
            ),
            when=BLOCKS_CHANGED,
        ),
        Step(
            _keep_away,
            (
                on_store(
                    "rows of erased keys are taken out again",
                    "erased_keys.keep_away",
                    "erased_keys.keep_away_from_map",
                    "erased_keys.count_kept_away",
                ),
            ),
            when=SOME_LEFT_OUT,
        ),
        Step(_end_look, (on_store("the look is over", "version_diff.drop_look"),)),
    ),
    apply_steps=change_steps(MapKind.VERSIONS),
)
