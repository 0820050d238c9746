"""Pipes for a first load over several connections: a session on the source and one on the merge store for each.

All sources read the batch's one snapshot, which the batch's own session exports and holds. How many there are depends
on the model, on the tables, and on what both servers have to give; whatever does not fit is loaded by one connection.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

from config_schema.errors import StreamFactoryError
from config_schema.model import Dataset
from merge_jobs.process import shutdown
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import Query
from merge_jobs.stores.postgres.merge_store import DryRunStore, MergeStore
from merge_jobs.strategies.guard import TableState, next_transaction

log = logging.getLogger(__name__)

USUAL = 4  # pipes of a large table, unless the options say otherwise: more have more to share with others
BLOCKS_EACH = 1 << 15  # of a table: 256 MB for each pipe
MOST_LEAVES = 100  # of a table: each pipe locks them all
RANGES_SINCE = 140000  # older servers read the whole table for a range of its blocks


@dataclass(frozen=True)
class LoadOptions:
    """How many pipes load a table, None for as many as fit, and how many sessions the source may have in all."""

    connections: int | None = None
    most_at_source: int | None = None


@dataclass(frozen=True)
class LoadPipe:
    """A session on the source, in the batch's snapshot, and one on the merge store, in transactions of its own.

    `next_transaction` is what the session on the source counts the ages of row versions from.
    """

    source: PostgresSource
    store: MergeStore
    next_transaction: int

    def cancel(self) -> None:
        """Cancel what runs on both sides, from another thread."""
        self.source.cancel()
        with contextlib.suppress(psycopg2.Error):
            self.store.session.cancel()


def pipes_wanted(sight: TableState | None, options: LoadOptions) -> int:
    """Return how many pipes a table should have if the servers allow it; 1 if it is loaded by the batch's own."""
    if sight is None or sight.no_versions is not None or len(sight.leaves) > MOST_LEAVES:
        return 1
    blocks = sum(leaf.blocks for leaf in sight.leaves)
    pipes = min(USUAL, blocks // BLOCKS_EACH) if options.connections is None else min(options.connections, blocks)
    if options.most_at_source is not None:
        pipes = min(pipes, options.most_at_source - 1)  # one holds the snapshot
    return max(pipes, 1)


def open_pipes(
    open_until: contextlib.ExitStack,
    source: PostgresSource,
    store: MergeStore,
    wanted: Mapping[Dataset, int],
    options: LoadOptions,
) -> tuple[LoadPipe, ...]:
    """Return pipes for the datasets, of which each wants some; they are closed at the end of the context.

    There are none if less than two can be had. The source must not have copied anything in its snapshot.
    """
    most = max(wanted.values())
    number, why = _possible(source, store, most, options)
    pipes: list[LoadPipe] = []
    if why is None:
        pipes, why = _opened(open_until, source, store, number, list(wanted))
    if why is not None:
        with_how_many = f"{len(pipes)} connections" if len(pipes) > 1 else "one connection"
        log.warning("%s: loads by %s instead of %d, because %s", store.stream, with_how_many, most, why)
    return tuple(pipes) if len(pipes) > 1 else ()


def _possible(source: PostgresSource, store: MergeStore, wanted: int, options: LoadOptions) -> tuple[int, str | None]:
    """Return how many pipes there may be, and why no more than one if that is so."""
    if isinstance(store, DryRunStore):
        return 1, "a dry run commits nothing"
    if source.pooled or store.session.pooled:
        which = "source" if source.pooled else "merge store"
        return 1, f"a pooler stands before the {which}, and a pool may have no more sessions to give"
    if source.version < RANGES_SINCE:
        return 1, "a source before PostgreSQL 14 reads the whole table for a range of its blocks"
    ((theirs, their_room, may_export),) = source.together([Query("load.room")])[0]
    ((ours, our_room, _),) = store.together([Query("load.room")])[0]
    if not may_export:
        return 1, "the job's user may not run pg_export_snapshot() at the source"
    number = wanted
    if options.connections is None:
        number = min(wanted, theirs, ours, their_room // 2, our_room // 2)
    if number < 2:
        return 1, f"the source has {their_room} free connections, and the merge store {our_room}"
    return number, None


def _opened(
    open_until: contextlib.ExitStack,
    source: PostgresSource,
    store: MergeStore,
    number: int,
    datasets: Sequence[Dataset],
) -> tuple[list[LoadPipe], str | None]:
    """Open pipes until there are so many, or one cannot be opened; return them and why there are no more."""
    snapshot, at_source = source.export_snapshot()
    pipes: list[LoadPipe] = []
    for _ in range(number):
        shutdown.check()
        with contextlib.ExitStack() as of_this:
            try:
                other = of_this.enter_context(source.beside(snapshot, datasets))
                if other.snapshot != at_source:
                    return pipes, "another session has come to another server than the first"
                there = of_this.enter_context(MergeStore(store.place, store.stream, store.run_id))
            except StreamFactoryError as error:
                shutdown.check()
                return pipes, str(error)
            there.session.pace = store.session.pace
            ((at_least, age_of_third),) = other.together([Query("load.transaction")])[0]
            pipe = LoadPipe(other, there, next_transaction(at_least, age_of_third))
            of_this.enter_context(shutdown.cancelling(pipe.cancel))
            open_until.enter_context(of_this.pop_all())
            pipes.append(pipe)
    return pipes, None


def range_parts(first: int, end: int) -> Mapping[str, sql.Composable]:
    """Return the placeholders of load.blocks for blocks: the first one, and the one after the last."""
    return {"low": sql.Literal(f"({first},0)"), "high": sql.Literal(f"({end},0)")}
