"""From the source to staged rows: one snapshot for all datasets of the stream, closed as soon as it is read."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from config_schema import names
from config_schema.model import Dataset
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database.together import Lookup, in_step
from merge_jobs.process import shutdown
from merge_jobs.process.progress import Phase
from merge_jobs.run.begin import UNLOGGED_MAPS, has_staged_map
from merge_jobs.run.feed import StreamFeed
from merge_jobs.sources import FoundFile, HashingSource, Source
from merge_jobs.sources.opening import open_source
from merge_jobs.sources.postgres.position import (
    Position,
    position_from_dict,
    reading_position,
    wait_until_not_behind,
)
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.stores.postgres import batches, cursors, erased_keys, files_read, row_maps
from merge_jobs.stores.postgres.batches import Batch, Staged
from merge_jobs.stores.postgres.files_read import NextFile
from merge_jobs.stores.postgres.leftovers import drop_staged, finding, names_for_batch
from merge_jobs.stores.postgres.locks import READ_TOGETHER, check_first_loads, checking_source
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.row_maps import MapKind, RowMap
from merge_jobs.stores.postgres.tables import (
    DatasetTables,
    MergeTableBroken,
    TableNames,
    checking_types,
    finding_merge_table,
)
from merge_jobs.strategies.guard import TableState, hashed_state, looking_at_server, looking_at_table, table_state
from merge_jobs.strategies.load_pipes import LoadOptions, LoadPipe, open_pipes, pipes_wanted
from merge_jobs.strategies.parallel_load import SEVERAL_WORDS
from merge_jobs.strategies.rejected_values import refusals_named
from merge_jobs.strategies.selection import (
    STRATEGIES,
    Case,
    ChosenStrategy,
    StrategyOption,
    choice,
    strategy_named,
)
from merge_jobs.strategies.step import Condition, Step, on_source, on_store, perform
from merge_jobs.strategies.strategy import Doubt, Read, Reading, Staging

AT_ONCE = READ_TOGETHER  # datasets staged in one transaction

log = logging.getLogger(__name__)

CLOCKS_DIFFER = timedelta(minutes=1)  # source and merge store by so much: worth a warning


@dataclass
class Ingesting:
    """What the steps pass on: the batch, the source with its snapshot, and the staged datasets.

    `merged` says which datasets have a merge table. `last_position` is the source's position when batch `last` was
    read, `position` its position now. `known` has the row map of each dataset, `sights` the state of its table. The
    snapshot was taken at `taken` by the source's clock, and `now` is by the merge store's, like the time of the last
    full batch. `erased` has the number of erased keys, by dataset. `untouched` are the datasets in which nothing has
    changed: no tables are made for them. `stats_reset` is the start of the merge store's statistics. `pipes` load large
    tables for the first time, by the `load` options; they are closed at the end of the context `open_until`. `feed`
    is the change feed, where the model has one.
    """

    store: MergeStore
    batch: Batch
    last: int
    load: LoadOptions
    open_until: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    source: Source | None = None
    pipes: tuple[LoadPipe, ...] = ()
    merged: dict[str, bool] = field(default_factory=dict)
    last_position: Position | None = None
    position: Position | None = None
    known: dict[str, RowMap | None] = field(default_factory=dict)
    sights: dict[str, TableState] = field(default_factory=dict)
    taken: datetime | None = None
    now: datetime | None = None
    erased: dict[str, int] = field(default_factory=dict)
    staged: dict[str, Staged] = field(default_factory=dict)
    untouched: set[str] = field(default_factory=set)
    stats_reset: str | None = None
    files_read: dict[str, dict[str, FoundFile]] = field(default_factory=dict)  # of datasets with files read once
    feed: StreamFeed | None = None


def ingest(
    store: MergeStore,
    place: ConnectionInfo,
    batch: Batch,
    wanted: StrategyOption,
    last_batch: int,
    audit: float,
    load: LoadOptions,
    feed: StreamFeed | None = None,
) -> Batch:
    """Read all datasets; return the batch with what was staged. `audit` is the interval of audits in seconds.

    If every strategy can continue after a commit, the batch is then committed as ingested. A first load is not: it
    ends in the transaction that it began.
    """
    state = Ingesting(store, batch, last_batch, load, feed=feed)
    store.progress.enter(Phase.CONNECTING)
    perform(NAME_STEPS, state)
    title = names.merge_session(store.stream.platform_name, store.stream.key, batch.run_id)
    with open_source(place, title) as source, shutdown.cancelling(source.cancel), state.open_until:
        state.source = source
        perform(SNAPSHOT_STEPS, state)
        for some in _groups(store):
            shutdown.check()
            if state.staged and all(state.merged.values()):
                store.commit()  # the locks on what is staged; a first load is one transaction
            state.staged.update(_read(state, some, wanted, audit))
        if isinstance(source, PostgresSource):
            source.check_snapshot()
    if feed is not None:
        state.batch = replace(state.batch, feeds=feed.positions())
    perform(STAGED_STEPS, state)
    if state.untouched == state.staged.keys():
        store.commit_with_next()  # the locks on what was looked at
    return state.batch


def _groups(store: MergeStore) -> Iterator[Sequence[Dataset]]:
    """Yield the datasets that are staged in one transaction."""
    datasets = store.stream.datasets
    return (datasets[start : start + AT_ONCE] for start in range(0, len(datasets), AT_ONCE))


def _read(state: Ingesting, datasets: Sequence[Dataset], wanted: StrategyOption, audit: float) -> dict[str, Staged]:
    """Stage some datasets, each with the strategy that suits what is known of it."""
    chosen = [_choose(state, dataset, wanted, audit) for dataset in datasets]
    done: dict[str, Staged] = {}
    in_lake = state.store.stream.in_lake
    for strategy in dict.fromkeys(how.strategy for _, how in chosen):
        of_strategy = [one for one in chosen if one[1].strategy == strategy]
        is_small = strategy_named(strategy, in_lake=in_lake).together
        together = [one for one in of_strategy if is_small(one[0])]
        alone = [[one] for one in of_strategy if not is_small(one[0])]
        for some in [together, *alone] if together else alone:
            done |= _staged(state, some)
    return {dataset.name: done[dataset.name] for dataset in datasets}


def _choose(state: Ingesting, dataset: Dataset, wanted: StrategyOption, audit: float) -> tuple[Reading, ChosenStrategy]:
    assert state.now is not None
    assert state.source is not None
    tables = state.batch.tables_of(state.store, dataset)
    known, sight = state.known[tables.name], state.sights.get(tables.name)
    case = Case(
        *(tables.where, dataset, state.merged[tables.name], state.last, wanted),
        *(known, sight, state.now, audit),
        has_feed=state.feed is not None,
        no_feed=None if state.feed is None or dataset.cursor is not None else state.feed.why_not(dataset),
    )
    how = choice(case)
    log.info("%s batch %d: %s: %s", tables.where, state.batch.batch_id, how.strategy, how.reason)
    erased, left_out = state.erased.get(tables.name, 0), 0 if known is None else known.kept_away
    reading = Reading(
        *(tables, state.source, state.batch.batch_id, sight, how.map_kind, erased, left_out),
        position=None if known is None else cursors.position_of(known.guard),
        sweep=how.sweep,
        rows_before=None if known is None else known.rows,
        now=state.now,
        pipes=_pipes_of(state, dataset.name, how),
        changed_since=None if known is None or wanted is not StrategyOption.AUTO else known.made_at,
        next_file=_next_file(state, dataset, known) if dataset.reads_files_once else None,
        is_behind=known is not None and known.is_behind,
        feed=None if state.feed is None else state.feed.found,
    )
    return reading, how


def _pipes_of(state: Ingesting, name: str, how: ChosenStrategy) -> tuple[LoadPipe, ...]:
    """Return the pipes that load a dataset; none where the batch's own sessions do."""
    # A row and its hash are read in one pass, which has one state whatever the source is.
    if not state.pipes or how.strategy != "initial" or how.map_kind is MapKind.KEY_HASHES:
        return ()
    pipes = state.pipes[: pipes_wanted(state.sights.get(name), state.load)]
    return pipes if len(pipes) > 1 else ()


def _next_file(state: Ingesting, dataset: Dataset, known: RowMap | None) -> NextFile:
    """Let the source go on with the next file of a dataset: with the first one where the list of those read is void."""
    from merge_jobs.sources.files.source import FilesSource

    assert isinstance(state.source, FilesSource)
    again = not state.merged[dataset.name] or known is None or files_read.next_file_of(known.guard) is None
    file, left = state.source.take_next(dataset, {} if again else state.files_read[dataset.name])
    return NextFile(file, left, again)


def _staged(ingesting: Ingesting, some: Sequence[tuple[Reading, ChosenStrategy]]) -> dict[str, Staged]:
    """Stage datasets with the chosen strategy, or in full if that is in doubt."""
    store, began, readings = ingesting.store, time.monotonic(), [reading for reading, _ in some]
    seconds = dict.fromkeys((reading.tables.name for reading in readings), 0.0)  # of each dataset alone

    @contextlib.contextmanager
    def each(state: Staging) -> Iterator[None]:
        shutdown.check()
        tables, began = state.tables, time.monotonic()
        store.progress.at(Phase.READING, tables.name)
        with refusals_named(tables, state.reading.source):
            yield
        seconds[tables.name] += time.monotonic() - began

    store.progress.enter(Phase.READING, readings[0].tables.name)
    hows = [how for _, how in some]
    try:
        reads = strategy_named(hows[0].strategy, in_lake=store.stream.in_lake).stage(readings, each)
    except Doubt as doubt:
        hows = [ChosenStrategy("full", str(doubt), how.map_kind) for how in hows]
        for reading in readings:
            log.warning("%s batch %d: full: %s", reading.tables.where, reading.batch_id, doubt)
            perform(DOUBT_STEPS, reading)
        reads = strategy_named("full", in_lake=store.stream.in_lake).stage(readings, each)
    for number, (reading, read) in enumerate(zip(readings, reads, strict=True)):
        if read.instead is not None:
            log.info("%s batch %d: full: %s", reading.tables.where, reading.batch_id, read.instead)
            hows[number] = ChosenStrategy("full", read.instead, hows[number].map_kind)
            (reads[number],) = strategy_named("full", in_lake=store.stream.in_lake).stage([reading], each)
    ingesting.untouched |= {
        reading.tables.name for reading, read in zip(readings, reads, strict=True) if read.is_untouched
    }
    shared = (time.monotonic() - began - sum(seconds.values())) / len(some)
    return {
        reading.tables.name: _staged_by(reading, how, read, seconds[reading.tables.name] + shared)
        for reading, how, read in zip(readings, hows, reads, strict=True)
    }


def _staged_by(reading: Reading, how: ChosenStrategy, read: Read, seconds: float) -> Staged:
    if read.kept_away:
        where = reading.tables.where
        log.info("%s: rows of the source kept away, as their keys are erased: %d", where, read.kept_away)
    return Staged(
        how.strategy,
        how.reason,
        read.rows,
        round(seconds, 3),
        read.staged,
        None if how.map_kind is None else how.map_kind.value,
        reading.guard(read),
        how.audit,
    )


def _look_at_store(state: Ingesting) -> None:
    """Look at what the merge store has of the datasets, and name the tables of this batch."""
    store, every = state.store, _tables(state.store)
    looks: list[Lookup[Any]] = [
        batches.checking_batch(store, state.batch),
        batches.finding_stats_reset(),
        finding(store),
        erased_keys.finding_numbers(store),
        batches.finding_source_position(store, state.last),
        *(finding_merged(tables, state.last) for tables in every),
        *(row_maps.finding(tables) for tables in every),
        *(checking_types(tables) for tables in every if state.last > 0),  # a first load's fail where they are needed
    ]
    once = [tables for tables in every if tables.dataset.reads_files_once]
    found_read = in_step([files_read.finding_read(tables) for tables in once], store.together) if once else []
    state.files_read = {tables.name: found for tables, found in zip(once, found_read, strict=True)}
    _, state.stats_reset, there, state.erased, position, *of_datasets = in_step(looks, store.together)
    state.last_position = position_from_dict(position)
    state.merged = {tables.name: found for tables, found in zip(every, of_datasets, strict=False)}
    state.known = {tables.name: found for tables, found in zip(every, of_datasets[len(every) :], strict=False)}
    new = [name for name, is_merged in state.merged.items() if not is_merged]
    check_first_loads(store, len(new))
    named = names_for_batch(store, there, new)
    state.batch = replace(state.batch, tables={name: given for name, given in named.items() if given != TableNames()})


def _wait(state: Ingesting) -> None:
    """Look whether the source has room for the locks of a snapshot, and wait for one that is behind the last batch."""
    assert isinstance(state.source, PostgresSource)
    source, datasets = state.source, state.store.stream.datasets
    looks: list[Lookup[Any]] = [checking_source(source, datasets), source.finding_holds(datasets)]
    if state.last_position is None or state.batch.accept_source:
        in_step(looks, source.together)
        return
    *_, now = in_step([*looks, reading_position()], source.together)
    wait_until_not_behind(source, state.last_position, state.last, now)


def _look_at_slot(state: Ingesting) -> None:
    assert state.feed is not None
    state.feed.look(state.known)


def _decode(state: Ingesting) -> None:
    assert state.feed is not None
    assert isinstance(state.source, PostgresSource)
    state.feed.decode(state.source, state.store.stream.datasets, state.sights)


def _take_snapshot(state: Ingesting) -> None:
    assert state.source is not None
    state.taken = state.source.begin(state.store.stream.datasets)


def _set_valid_time(state: Ingesting) -> None:
    assert state.taken is not None
    valid_from, state.now = batches.valid_time(state.store, state.taken, state.last)
    state.batch = replace(state.batch, snapshot_time=valid_from)
    if abs(state.now - state.taken) > CLOCKS_DIFFER:
        log.warning(
            "%s batch %d: the source's clock says %s and the merge store's %s: the batch is valid from %s",
            *(state.store.stream, state.batch.batch_id, state.taken, state.now, valid_from),
        )


def _look_at_source(state: Ingesting) -> None:
    """Look at the tables of the source, in its snapshot, and at where it stands."""
    assert isinstance(state.source, PostgresSource)
    source, datasets = state.source, state.store.stream.datasets
    # The snapshot has at least what the server had before it, and at most what it has after it.
    looks: list[Lookup[Any]] = [reading_position(), looking_at_server()]
    looks += [looking_at_table(source, dataset) for dataset in datasets]
    state.position, server, *tables = in_step(looks, source.together)
    state.sights = {of.name: table_state(of, server, table) for of, table in zip(datasets, tables, strict=True)}


def _pipes_wanted(state: Ingesting) -> dict[Dataset, int]:
    """Return how many pipes each of the tables wants that are loaded for the first time, of those that want several."""
    if state.store.stream.in_lake:  # what is staged there is compared in the transaction that has staged it
        return {}
    new = [dataset for dataset in state.store.stream.datasets if not state.merged[dataset.name]]
    wanted = {dataset: pipes_wanted(state.sights.get(dataset.name), state.load) for dataset in new}
    return {dataset: pipes for dataset, pipes in wanted.items() if pipes > 1}


def _open_pipes(state: Ingesting) -> None:
    assert isinstance(state.source, PostgresSource)
    state.pipes = open_pipes(state.open_until, state.source, state.store, _pipes_wanted(state), state.load)


def _ask_for_hashes(state: Ingesting) -> None:
    """Ask a source without row versions whether its server can hash the rows."""
    assert isinstance(state.source, HashingSource)
    for dataset in state.store.stream.datasets:
        sight = hashed_state(state.source, dataset)
        if sight is not None:
            state.sights[dataset.name] = sight


def _drop_staged(reading: Reading) -> None:
    drop_staged(reading.tables)


def _describe(state: Ingesting) -> None:
    """Record in the batch what another job must know to continue from here."""
    mapped = [
        state.batch.tables_of(state.store, dataset)
        for dataset in state.store.stream.datasets
        if has_staged_map(dataset, state.staged[dataset.name]) and dataset.name not in state.untouched
    ]
    # The number of rows in the unlogged staged maps.
    map_rows = in_step([row_maps.counting_staged(tables) for tables in mapped], state.store.together)
    state.batch = replace(
        state.batch,
        fingerprint=state.store.stream.fingerprint,
        store_stats_reset=state.stats_reset,
        staged=state.staged,
        source_position=None if state.position is None else state.position.to_dict(),
        staged_map_rows={
            **dict.fromkeys(state.untouched, 0),
            **dict(zip((tables.name for tables in mapped), map_rows, strict=True)),
        },
    )


def _mark_ingested(state: Ingesting) -> None:
    batches.mark_ingested(state.store, state.batch)
    log.info("%s batch %d: ingested", state.store.stream, state.batch.batch_id)


def _may_be_left(state: Ingesting) -> bool:
    """Return whether another job could go on from what is staged, and there is anything that it would save."""
    resumable = all(strategy_named(staged.strategy).resumable for staged in state.staged.values())
    return resumable and state.untouched != state.staged.keys()


def _tables(store: MergeStore) -> list[DatasetTables]:
    return [DatasetTables(store, dataset) for dataset in store.stream.datasets]


def is_merged(tables: DatasetTables, last_batch: int) -> bool:
    """Return whether there is a merge table to continue from.

    Raises StoreMismatch if it is not ours, or if the stream knows no batch that made it.
    """
    (found,) = in_step([finding_merged(tables, last_batch)], tables.store.together)
    return found


def finding_merged(tables: DatasetTables, last_batch: int) -> Lookup[bool]:
    """Look whether there is a merge table to continue from. Raises StoreMismatch or MergeTableBroken as `is_merged`."""
    found = yield from finding_merge_table(tables)
    if found is None:
        return False
    if last_batch == 0:
        raise MergeTableBroken(
            f"{tables.where}: table {tables.merge_name}",
            "the merge table is there, but the stream has no committed batch",
            "Restore the batch tables, or move the table away: a new one is then loaded",
        )
    return True


EMPTIED_TITLE = "by its number a later run sees whether a server has emptied it"
POSITION = ("guard.position_is_readable", "guard.position")
OF_POSTGRESQL: Condition[Ingesting] = Condition("", lambda state: isinstance(state.source, PostgresSource))
MAY_HASH: Condition[Ingesting] = Condition("", lambda state: isinstance(state.source, HashingSource))
BY_FEED: Condition[Ingesting] = Condition("", lambda state: state.feed is not None)
LATER = tuple(name for name, strategy in STRATEGIES.items() if strategy.resumable)

NAME_STEPS: tuple[Step[Ingesting], ...] = (
    Step(
        _look_at_store,
        (
            on_store("which datasets have erased keys", "erased_keys.by_dataset"),
            on_store("where the source stood when the last batch was read", "batches.source_position"),
            on_store("what is known of its row versions, which decides the strategy", "row_map.find"),
        ),
        also=("leftovers", "batches.is_ours", "files_read.find"),
    ),
)
SNAPSHOT_STEPS: tuple[Step[Ingesting], ...] = (
    Step(
        _wait,
        (
            on_source(
                "a source that is behind that is waited for, or refused", *POSITION, strategies=LATER, postgresql=True
            ),
        ),
        also=("postgres_source.relation", "postgres_source.made_of_materialized_views", "postgres_source.relations"),
        when=OF_POSTGRESQL,
    ),
    Step(
        _look_at_slot,
        (
            on_source(
                "how far the replication slot has come, and whether it can be used",
                "change_feed.server",
                "change_feed.slot",
                strategies=["change_feed"],
            ),
        ),
        also=("change_feed.own_transaction", "change_feed.oldest_running", "change_feed.drop_slot"),
        when=BY_FEED,
    ),
    Step(
        _take_snapshot,
        (
            on_source(
                "one snapshot of all datasets of the stream",
                "postgres_source.lock_tables",
                opens="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE",
            ),
        ),
        also=("postgres_source",),
    ),
    Step(
        _look_at_source,
        (
            on_source(
                "what there is of its tables, in the snapshot",
                "guard.position_is_readable",
                "guard.server_is_readable",
                "guard.leaves",
                postgresql=True,
            ),
            on_source(
                "where it stands now, and whether its row versions are still those that the merge store knows",
                "guard.position",
                "guard.server",
                "guard.types",
                "guard.key_types",
                "guard.columns",
                postgresql=True,
            ),
        ),
        when=OF_POSTGRESQL,
    ),
    Step(_ask_for_hashes, when=MAY_HASH),
    Step(
        _decode,
        (
            on_source(
                "what the log has of the tables, up to what the snapshot sees",
                "change_feed.tables",
                "change_feed.snapshot",
                "change_feed.flushed",
                "change_feed.peek",
                "change_feed.slot",
                strategies=["change_feed"],
            ),
        ),
        also=("change_feed.flush",),
        when=BY_FEED,
    ),
    Step(_set_valid_time, (on_store("the time that the batch is valid from", "batches.valid_time"),)),
    Step(
        _open_pipes,
        (
            on_source(
                "other sessions get the same snapshot",
                *("load.export_snapshot", "load.snapshot", "load.import_snapshot", "postgres_source.lock_tables"),
                strategies=["initial"],
                postgresql=True,
            ),
        ),
        also=("load.room", "load.transaction"),
        when=Condition(SEVERAL_WORDS, lambda state: bool(_pipes_wanted(state))),
    ),
)
DOUBT_STEPS: tuple[Step[Reading], ...] = (Step(_drop_staged, also=("leftovers.drop",)),)
STAGED_STEPS: tuple[Step[Ingesting], ...] = (
    Step(
        _describe,
        (on_store(EMPTIED_TITLE, "row_map.count_staged", strategies=[*UNLOGGED_MAPS, "cursor"]),),
    ),
    Step(
        _mark_ingested,
        (
            on_store(
                "everything is staged, the source is closed", "batches.batch_ingested", ends="COMMIT", strategies=LATER
            ),
        ),
        when=Condition("", _may_be_left),
    ),
)
