"""Version diff: reads only new row versions, found by a digest of the versions in each block."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

from psycopg2 import sql

from merge_jobs.database.copy_pipe import copy_through
from merge_jobs.database.session import Names
from merge_jobs.database.together import Rows
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import Query, composed, statement
from merge_jobs.stores.postgres.erased_keys import keep_away, keep_away_from_map, more_kept_away
from merge_jobs.stores.postgres.progress import Pieces
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable
from merge_jobs.strategies.bulk_copy import check_columns, is_exact_in_binary
from merge_jobs.strategies.cost import LEAST_SAVING, Cost
from merge_jobs.strategies.guard import WRAP, Leaf, TableState
from merge_jobs.strategies.incremental import change_steps, compare_steps
from merge_jobs.strategies.step import Condition, Step, for_all, on_source, on_store
from merge_jobs.strategies.strategy import CREATE_STAGING, INTO_STAGING, Reading, Staging, Strategy, create_staged_map

log = logging.getLogger(__name__)

OLDEST = 2**31 - 2  # of a row version that age() tells from one without an age
USUAL_BLOCK = 8192  # bytes
BLOCKS_AT_ONCE = 8192  # 64 MB of a table: what the source must keep in memory to group its rows
FEW_BLOCKS = 500  # with changed rows, of which the addresses fit in one message
MOST_WINDOWS = 100  # whose digests are copied by one statement
VERSIONS_AT_ONCE = 20_000
# Of plain tables these read addresses and keys as they are stored: no code of the producer's runs.
NAMES_OF = {"digests_out": Names.OF_POSTGRESQL, "versions": Names.OF_POSTGRESQL}
Window = tuple[Leaf, int, int]  # blocks of a leaf: the first one, and the one after the last
MEMORY = "32MB"  # of the merge store, to compare the versions in changed blocks; more than that goes to its disk


@dataclass
class VersionStaging(Staging):
    """A dataset while it is staged by row versions: the blocks that have changed, and how many of them remain.

    These have so many `versions`, of which so many are `young`: about as many as are new.
    `windows` has those that remain, by leaf and first block of a window, and `pieces` the addresses of new
    versions; each only where they are few. `shared` says whether other datasets are staged together with this one.
    """

    changed: int = 0
    remaining: int = 0
    versions: int = 0
    young: int = 0
    windows: dict[tuple[int, int], list[int]] | None = None
    new: int = 0
    pieces: Rows | None = None
    shared: bool = False

    @cached_property
    def table(self) -> _Blocks:
        """The source's table, which is read by blocks."""
        return _Blocks.of(self.reading)

    @cached_property
    def source(self) -> _VersionSource:
        """The source, read by versions of its rows, once there are tables for what has changed."""
        return _VersionSource.of_model(self.reading, self.made)

    @property
    def blocks(self) -> int:
        """The number of the table's blocks."""
        return sum(leaf.blocks for leaf in self.table.sight.leaves)

    @property
    def is_untouched(self) -> bool:
        """Whether no row has changed, and so no table is made for changes."""
        return self.changed == 0 and not self.reading.is_behind

    def query(self, name: str, values: Mapping[str, Any] | None = None, **more: sql.Composable) -> Query:
        """Return a query of version_diff.sql about this dataset: others have their rows in the same tables."""
        full = f"version_diff.{name}"
        leaves = sql.Literal(_array(leaf.oid for leaf in self.table.sight.leaves))
        # A condition that all rows meet would only mislead the planner.
        mine = sql.SQL("leaf = ANY({}::bigint[])").format(leaves) if self.shared else sql.SQL("true")
        parts = {"dataset": sql.Literal(self.tables.name), "of_dataset": mine, **more}
        wanted = statement(full).identifiers
        return self.tables.query(full, values, **{name: part for name, part in parts.items() if name in wanted})

    def later(self, name: str) -> None:
        """Run a statement of version_diff.sql about this dataset, in the message of the next one."""
        self.tables.store.session.later(self.query(name))

    @property
    def new_versions(self) -> Query:
        """The query for the addresses of new versions, in pieces: a leaf, how many, and an array."""
        return self.query("new_versions", piece=sql.Literal(VERSIONS_AT_ONCE))

    def changed_blocks(self, window: Window) -> Query:
        """Return the query for the blocks of a window that have changed and remain."""
        leaf, first, end = window
        return self.query("changed_blocks", {"leaf": leaf.oid, "first": first, "end": end})


def _is_small(reading: Reading) -> bool:
    """Return whether the digests of the table's blocks are few: those of others are gone through with them."""
    return sum(leaf.blocks for leaf in _Blocks.of(reading).sight.leaves) <= BLOCKS_AT_ONCE


def _digest(states: Sequence[VersionStaging]) -> None:
    """Find the blocks that have changed."""
    store, began = states[0].tables.store, time.monotonic()
    for state in states:
        state.shared = len(states) > 1
    store.later("version_diff.create_digests")
    store.later("version_diff.create_changed_blocks")
    _copy_digests(states)
    for state in states:
        state.later("find_changed_blocks")
    queries = [state.query(name) for state in states for name in ("count_versions", "count_changed_blocks")]
    few = [state for state in states if state.blocks <= BLOCKS_AT_ONCE]
    windows = [(state, window) for state in few for window in state.table.windows()]
    found = store.together([*queries, *(state.changed_blocks(window) for state, window in windows)])
    counts, of_windows = found[: len(queries)], found[len(queries) :]
    for state, rows, blocks in zip(states, counts[::2], counts[1::2], strict=True):
        state.rows = int(rows[0][0])
        state.changed, state.remaining, state.versions, state.young = blocks[0]
        state.instead = _why_in_full(state)
    for state in few:
        state.windows = {}
    for (state, (leaf, first, _)), ((changed,),) in zip(windows, of_windows, strict=True):
        assert state.windows is not None
        state.windows[leaf.oid, first] = changed or []
    seconds = time.monotonic() - began
    for state in states:
        seen = (state.tables.where, state.changed, state.blocks, seconds)
        log.info("%s: %d of %d blocks have changed, seen in %.1f s", *seen)


def _why_in_full(state: VersionStaging) -> str | None:
    """Return why a full batch is likely to take less time than to find the new versions; None if it is not."""
    if state.reading.changed_since is None:
        return None
    cost = Cost(state.rows, state.blocks * USUAL_BLOCK, state.versions, state.young)
    if cost.by_versions - cost.in_full < LEAST_SAVING:
        return None
    return (
        f"{state.changed} of {state.blocks} blocks have changed, with about {state.young} new rows of {state.rows}: "
        "to read all rows takes less than to find these"
    )


def _copy_digests(states: Sequence[VersionStaging]) -> None:
    """Copy the digests of all blocks of the datasets: those of small tables together."""
    some: list[tuple[VersionStaging, Window]] = []
    size, known = 0, set[int]()
    for state in states:
        for window in state.table.pieces("blocks compared"):
            leaf, first, end = window
            if leaf.oid in known:  # a table may be two datasets'
                continue
            if some and (len(some) == MOST_WINDOWS or size + end - first > BLOCKS_AT_ONCE):
                _copy_windows(some)
                some, size = [], 0
            some.append((state, window))
            size += end - first
        known |= {leaf.oid for leaf in state.table.sight.leaves}
    if some:
        _copy_windows(some)


def _copy_windows(some: Sequence[tuple[VersionStaging, Window]]) -> None:
    first, _ = some[0]
    names = ", ".join(dict.fromkeys(state.tables.name for state, _ in some))
    first.table.copy_digests(names, [state.table.digests(window) for state, window in some])


def _stage_gone(states: Sequence[VersionStaging]) -> None:
    for state in states:
        state.later("stage_gone_blocks")
        if state.reading.is_behind:
            state.later("stage_behind")


def _stage_versions(state: VersionStaging) -> None:
    state.source.copy_changed_blocks(state)


def _find_new(states: Sequence[VersionStaging]) -> None:
    """Find the versions that the maps do not have."""
    store = states[0].tables.store
    store.later("dataset.work_memory", {"memory": MEMORY})
    store.later("version_diff.create_new_versions")
    for state in states:
        state.later("find_new_versions")
    numbers = [state.query("count_new_versions") for state in states]
    sizes = accumulate(state.remaining for state in states)
    few = [state for state, size in zip(states, sizes, strict=True) if size <= FEW_BLOCKS]
    found = store.together([*numbers, *(state.new_versions for state in few)])
    for state, ((number,),) in zip(states, found[: len(states)], strict=True):
        state.new = number
    for state, pieces in zip(few, found[len(states) :], strict=True):
        state.pieces = pieces


def _read(state: VersionStaging) -> None:
    state.staged = state.source.copy_new_versions(state)


def _keep_away(state: VersionStaging) -> None:
    """Take the rows of erased keys out of what is staged; the map is to leave out their versions."""
    tables, state.kept_away = state.tables, state.reading.kept_away
    if not state.is_untouched:
        state.staged -= keep_away(tables, tables.store.table(tables.staging_name))
        keep_away_from_map(tables, tables.store.table(tables.staged_map_name))
        state.kept_away += more_kept_away(tables)
    state.rows -= state.kept_away


def _end_look(states: Sequence[VersionStaging]) -> None:
    states[0].tables.store.later("version_diff.drop_look")


def map_all(reading: Reading, made: DescribedTable, copy: str) -> None:
    """Map every row of the source, by the statement `copy`. `made` is a table that has the model's columns."""
    _VersionSource.of_model(reading, made).copy_all_blocks(copy)


def map_window(reading: Reading, made: DescribedTable, copy: str, window: Window) -> None:
    """Map the rows of some blocks of the source, as `map_all` does."""
    _VersionSource.of_model(reading, made).copy_blocks(window, copy)


@dataclass(frozen=True)
class _Blocks:
    """A table of the source, which is read by windows of blocks."""

    tables: DatasetTables
    source: PostgresSource
    sight: TableState
    age: int  # of the map, in transactions

    @staticmethod
    def of(reading: Reading) -> _Blocks:
        assert isinstance(reading.source, PostgresSource)
        assert reading.sight is not None
        known = reading.sight.next_transaction if reading.changed_since is None else reading.changed_since
        age = min(max(reading.sight.next_transaction - known, 0), OLDEST)
        return _Blocks(reading.tables, reading.source, reading.sight, age)

    def digests(self, window: Window) -> sql.Composed:
        """Return the query for the digests of a window's blocks."""
        parts, wanted = self._window(*window), statement("version_diff.digests").identifiers
        parts["age"] = sql.Literal(self.age)
        return composed("version_diff.digests", {name: parts[name] for name in wanted}, {})

    def copy_digests(self, names: str, digests: Sequence[sql.Composed]) -> None:
        """Copy the digests of windows of datasets with these names."""
        parts = {"digests": sql.SQL("\nUNION ALL\n").join(digests)}
        self._copy("digests_out", parts, "version_diff.copy_digests", True, names)

    def _copy(
        self, what: str, parts: Mapping[str, sql.Composable], into: str, binary: bool, names: str | None = None
    ) -> int:
        form = sql.SQL("binary" if binary else "text")
        copy_out = composed(f"version_diff.{what}", {**parts, "format": form}, {})
        copy_in = self.tables.composed(into, format=form)
        return copy_through(
            lambda writer: self.source.copy_query(copy_out, writer, NAMES_OF.get(what, Names.OF_ROLE)),
            self.source.cancel,
            names or self.tables.name,
            self.tables.store.session,
            copy_in,
        )

    def windows(self) -> Iterator[Window]:
        """Yield ranges of blocks of each leaf."""
        for leaf in self.sight.leaves:
            for first in range(0, leaf.blocks, BLOCKS_AT_ONCE):
                yield leaf, first, min(first + BLOCKS_AT_ONCE, leaf.blocks)

    def pieces(self, kind: str) -> Iterator[Window]:
        """Yield the windows, and log the progress."""
        progress = Pieces(self.tables, kind, sum(leaf.blocks for leaf in self.sight.leaves))
        pace = self.tables.store.session.pace
        for leaf, first, end in self.windows():
            yield leaf, first, end
            progress.did(end - first)
            if pace is not None:  # little of these blocks goes through a pipe
                pace.did((end - first) * USUAL_BLOCK)

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


@dataclass(frozen=True)
class _VersionSource(_Blocks):
    """Copies from the source's row versions into tables of the merge store."""

    binary_keys: bool
    binary_rows: bool
    selected: sql.Composable

    @staticmethod
    def of_model(reading: Reading, made: DescribedTable) -> _VersionSource:
        """Return the source for tables with the columns of `made`."""
        table = _Blocks.of(reading)
        tables, source = table.tables, table.source
        columns = source.columns(tables.dataset)
        check_columns(tables, source, columns)
        keys = is_exact_in_binary(tables, columns, made, tables.dataset.primary_key)
        names = [column.name for column in tables.dataset.columns]
        rows = keys and is_exact_in_binary(tables, columns, made, names)
        selected = source.selected(tables.dataset, made.columns)
        return _VersionSource(tables, source, table.sight, table.age, keys, rows, selected)

    def copy_all_blocks(self, copy: str) -> None:
        for window in self.pieces("blocks mapped"):
            self.copy_blocks(window, copy)

    def copy_blocks(self, window: Window, copy: str) -> None:
        parts = {**self._window(*window), **self._keys, "wanted": sql.SQL("true")}
        self._copy("versions", parts, copy, self.binary_keys)

    def copy_changed_blocks(self, state: VersionStaging) -> None:
        for window in self.pieces("blocks gone through"):
            if state.windows is not None:
                blocks = state.windows[window[0].oid, window[1]]
            else:
                ((changed,),) = self.tables.store.together([state.changed_blocks(window)])
                blocks = changed[0] or []
            if blocks:
                wanted = sql.SQL("block = ANY({}::bigint[])").format(sql.Literal(_array(blocks)))
                # No block outside of those that have changed need be read.
                parts = {**self._window(window[0], blocks[0], blocks[-1] + 1), **self._keys, "wanted": wanted}
                self._copy("versions", parts, "version_diff.copy_to_staged_map", self.binary_keys)

    def copy_new_versions(self, state: VersionStaging) -> int:
        """Stage the rows of versions that the map does not have; return their number."""
        tables, began = self.tables, time.monotonic()
        progress = Pieces(tables, "new rows", state.new)
        leaves = {leaf.oid: leaf for leaf in self.sight.leaves}
        copied = 0
        for oid, _, tids in self._addresses(state):
            parts = {"columns": self.selected, "table": leaves[oid].table, "tids": sql.Literal(tids)}
            copied += self._copy("rows", parts, "dataset.copy_to_staging", self.binary_rows)
            progress.did(copied - progress.done)
        seconds = time.monotonic() - began
        log.info("%s: copied %d rows in %.1f s", tables.where, copied, seconds)
        return copied

    def _addresses(self, state: VersionStaging) -> Iterator[tuple[Any, ...]]:
        """Yield the pieces of the addresses of new versions."""
        if state.pieces is not None:
            yield from state.pieces
            return
        query = state.new_versions
        with self.tables.store.session.cursor("new_versions", withhold=True) as pieces:
            pieces.itersize = 1
            pieces.execute(composed(query.name, query.parts, {}))
            yield from pieces

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


# Nothing more is done for a dataset that all rows are read of instead.
CHANGED: Condition[Staging] = Condition(
    "where blocks have changed", lambda state: not state.is_untouched and state.instead is None
)
BLOCKS_CHANGED: Condition[VersionStaging] = Condition(
    "where blocks have changed", lambda state: state.remaining > 0 and state.instead is None
)
SOME_LEFT_OUT: Condition[VersionStaging] = Condition(
    "only where keys are erased, or were until now",
    lambda state: (state.reading.erased > 0 or state.reading.kept_away > 0) and state.instead is None,
)

VERSION_DIFF = Strategy(
    name="version_diff",
    resumable=True,
    staging=VersionStaging,
    stage_steps=(
        for_all(
            _digest,
            (
                on_store(
                    "room for a digest of each block",
                    "version_diff.create_digests",
                    "version_diff.create_changed_blocks",
                ),
                on_source(
                    "a digest of the versions in each block, by windows of blocks",
                    "version_diff.digests",
                    "version_diff.digests_out",
                ),
                on_store(
                    "which blocks are not as they were; those of a large table when its windows are read",
                    "version_diff.copy_digests",
                    "version_diff.find_changed_blocks",
                    "version_diff.count_versions",
                    "version_diff.count_changed_blocks",
                    "version_diff.changed_blocks",
                ),
            ),
        ),
        replace(CREATE_STAGING, when=CHANGED),
        replace(create_staged_map(MapKind.VERSIONS), when=CHANGED),
        for_all(
            _stage_gone,
            (on_store("those that are gone", "version_diff.stage_gone_blocks"),),
            also=("version_diff.stage_behind",),
            when=CHANGED,
        ),
        Step(
            _stage_versions,
            (
                on_source("the versions in these blocks", "version_diff.versions"),
                on_store("into the table of what is to change", "version_diff.copy_to_staged_map"),
            ),
            also=("version_diff.changed_blocks",),
            when=BLOCKS_CHANGED,
        ),
        for_all(
            _find_new,
            (
                on_store(
                    "the versions that are new",
                    "dataset.work_memory",
                    "version_diff.create_new_versions",
                    "version_diff.find_new_versions",
                    "version_diff.count_new_versions",
                    "version_diff.new_versions",
                ),
            ),
            when=BLOCKS_CHANGED,
        ),
        Step(
            _read,
            (
                on_source("their rows, in pieces", "version_diff.rows"),
                INTO_STAGING,
            ),
            also=("version_diff.new_versions",),
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
        for_all(_end_look, (on_store("the look is over", "version_diff.drop_look"),)),
    ),
    apply_steps=change_steps(MapKind.VERSIONS),
    compare_steps=compare_steps(MapKind.VERSIONS),
    together=_is_small,
)
