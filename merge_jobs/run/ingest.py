"""From the source to staged rows: one snapshot for all datasets of the stream, closed as soon as it is read."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from config_schema import names
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.process import shutdown
from merge_jobs.process.progress import Phase
from merge_jobs.run.begin import UNLOGGED_MAPS, has_staged_map
from merge_jobs.sources import Source
from merge_jobs.sources.opening import open_source
from merge_jobs.sources.postgres.position import (
    Position,
    position_from_dict,
    read_position,
    wait_until_not_behind,
)
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.stores.postgres import batches, cursors, erased_keys, row_maps
from merge_jobs.stores.postgres.batches import Batch, Staged
from merge_jobs.stores.postgres.leftovers import drop_staged, names_for_batch
from merge_jobs.stores.postgres.locks import check_first_loads, check_source
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.row_maps import RowMap
from merge_jobs.stores.postgres.tables import (
    DatasetTables,
    MergeTableBroken,
    TableNames,
    merge_table,
)
from merge_jobs.strategies.guard import TableState, look
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
from merge_jobs.strategies.strategy import Doubt, Read, Reading

AT_ONCE = 20  # datasets staged in one transaction

log = logging.getLogger(__name__)

CLOCKS_DIFFER = timedelta(minutes=1)  # source and merge store by so much: worth a warning


@dataclass
class Ingesting:
    """What the steps pass on: the batch, the source with its snapshot, and the staged datasets.

    `merged` says which datasets have a merge table. `last_position` is the source's position when batch `last` was
    read, `position` its position now. The snapshot was taken at `taken` by the source's clock, and `now` is by the
    merge store's, like the time of the last full batch. `erased` has the number of erased keys, by dataset.
    """

    store: MergeStore
    batch: Batch
    last: int
    source: Source | None = None
    merged: dict[str, bool] = field(default_factory=dict)
    last_position: Position | None = None
    position: Position | None = None
    taken: datetime | None = None
    now: datetime | None = None
    erased: dict[str, int] = field(default_factory=dict)
    staged: dict[str, Staged] = field(default_factory=dict)


@dataclass
class Looking:
    """What the steps that find a dataset's row map pass on to each other."""

    tables: DatasetTables
    source: Source
    sight: TableState | None = None
    known: RowMap | None = None


def ingest(
    store: MergeStore, place: ConnectionInfo, batch: Batch, wanted: StrategyOption, last_batch: int, audit: float
) -> Batch:
    """Read all datasets; return the batch with what was staged. `audit` is the interval of audits in seconds.

    If every strategy can continue after a commit, the batch is then committed as ingested. A first load is not: it
    ends in the transaction that it began.
    """
    state = Ingesting(store, batch, last_batch)
    store.progress.enter(Phase.CONNECTING)
    perform(NAME_STEPS, state)
    title = names.merge_session(store.stream.platform_name, store.stream.key, batch.run_id)
    with open_source(place, title) as source, shutdown.cancelling(source.cancel):
        state.source = source
        perform(SNAPSHOT_STEPS, state)
        for dataset in store.stream.datasets:
            shutdown.check()
            if len(state.staged) % AT_ONCE == AT_ONCE - 1 and all(state.merged.values()):
                store.commit()  # the locks on what is staged; a first load is one transaction
            tables = state.batch.tables_of(store, dataset)
            state.staged[tables.name] = _read(state, Looking(tables, source), wanted, audit)
        if isinstance(source, PostgresSource):
            source.check_snapshot()
    perform(STAGED_STEPS, state)
    return state.batch


def _read(state: Ingesting, looking: Looking, wanted: StrategyOption, audit: float) -> Staged:
    """Stage a dataset with the strategy that suits what is known of it."""
    began, tables = time.monotonic(), looking.tables
    state.store.progress.enter(Phase.READING, tables.name)
    perform(LOOK_STEPS, looking)
    assert state.now is not None
    case = Case(
        *(tables.where, tables.dataset, state.merged[tables.name], state.last, wanted),
        *(looking.known, looking.sight, state.now, audit),
    )
    how = choice(case)
    log.info("%s batch %d: %s: %s", tables.where, state.batch.batch_id, how.strategy, how.reason)
    erased = state.erased.get(tables.name, 0)
    left_out = 0 if looking.known is None else looking.known.kept_away
    reading = Reading(
        *(tables, looking.source, state.batch.batch_id, looking.sight, how.map_kind, erased, left_out),
        position=None if looking.known is None else cursors.position_of(looking.known.guard),
        sweep=how.sweep,
        rows_before=None if looking.known is None else looking.known.rows,
        now=state.now,
    )
    with refusals_named(tables, looking.source):
        how, read = _staged(reading, how)
    if read.kept_away:
        log.info("%s: rows of the source kept away, as their keys are erased: %d", tables.where, read.kept_away)
    return Staged(
        how.strategy,
        how.reason,
        read.rows,
        round(time.monotonic() - began, 3),
        read.staged,
        None if how.map_kind is None else how.map_kind.value,
        reading.guard(read),
        how.audit,
    )


def _staged(reading: Reading, how: ChosenStrategy) -> tuple[ChosenStrategy, Read]:
    """Stage the dataset with the chosen strategy, or in full if that is in doubt; return the strategy used."""
    try:
        return how, strategy_named(how.strategy).stage(reading)
    except Doubt as doubt:
        instead = ChosenStrategy("full", str(doubt), how.map_kind)
        log.warning("%s batch %d: full: %s", reading.tables.where, reading.batch_id, instead.reason)
        perform(DOUBT_STEPS, reading)
        return instead, strategy_named(instead.strategy).stage(reading)


def _name_tables(state: Ingesting) -> None:
    state.merged = {tables.name: is_merged(tables, state.last) for tables in _tables(state.store)}
    new = [name for name, is_merged in state.merged.items() if not is_merged]
    check_first_loads(state.store, len(new))
    named = names_for_batch(state.store, new)
    state.batch = replace(state.batch, tables={name: given for name, given in named.items() if given != TableNames()})


def _find_erased(state: Ingesting) -> None:
    state.erased = erased_keys.numbers(state.store)


def _find_last_position(state: Ingesting) -> None:
    assert isinstance(state.source, PostgresSource)
    check_source(state.source, state.store.stream.datasets)
    state.last_position = position_from_dict(batches.source_position(state.store, state.last))


def _wait(state: Ingesting) -> None:
    assert isinstance(state.source, PostgresSource)
    assert state.last_position is not None
    wait_until_not_behind(state.source, state.last_position, state.last)


def _take_snapshot(state: Ingesting) -> None:
    assert state.source is not None
    state.taken = state.source.begin(state.store.stream.datasets)


def _find_position(state: Ingesting) -> None:
    # The snapshot has at least what the server had before it, and at most what it has after it.
    assert isinstance(state.source, PostgresSource)
    state.position = read_position(state.source)


def _set_valid_time(state: Ingesting) -> None:
    assert state.taken is not None
    valid_from, state.now = batches.valid_time(state.store, state.taken, state.last)
    state.batch = replace(state.batch, snapshot_time=valid_from)
    if abs(state.now - state.taken) > CLOCKS_DIFFER:
        log.warning(
            "%s batch %d: the source's clock says %s and the merge store's %s: the batch is valid from %s",
            *(state.store.stream, state.batch.batch_id, state.taken, state.now, valid_from),
        )


def _look(state: Looking) -> None:
    assert isinstance(state.source, PostgresSource)
    state.sight = look(state.source, state.tables.dataset)


def _find_map(state: Looking) -> None:
    state.known = row_maps.find(state.tables)


def _drop_staged(reading: Reading) -> None:
    drop_staged(reading.tables)


def _describe(state: Ingesting) -> None:
    """Record in the batch what another job must know to continue from here."""
    state.batch = replace(
        state.batch,
        fingerprint=state.store.stream.fingerprint,
        store_stats_reset=batches.stats_reset(state.store),
        staged=state.staged,
        source_position=None if state.position is None else state.position.to_dict(),
        staged_map_rows=_staged_map_rows(state.store, state.batch, state.staged),
    )


def _mark_ingested(state: Ingesting) -> None:
    batches.mark_ingested(state.store, state.batch)
    log.info("%s batch %d: ingested", state.store.stream, state.batch.batch_id)


def _is_waited_for(state: Ingesting) -> bool:
    return state.last_position is not None and not state.batch.accept_source


def _may_be_left(state: Ingesting) -> bool:
    return all(strategy_named(staged.strategy).resumable for staged in state.staged.values())


def _staged_map_rows(store: MergeStore, batch: Batch, staged: Mapping[str, Staged]) -> dict[str, int]:
    """Return the number of rows in the unlogged staged maps, by dataset."""
    return {
        dataset.name: int(batch.tables_of(store, dataset).value("row_map.count_staged"))
        for dataset in store.stream.datasets
        if has_staged_map(dataset, staged[dataset.name])
    }


def _tables(store: MergeStore) -> list[DatasetTables]:
    return [DatasetTables(store, dataset) for dataset in store.stream.datasets]


def is_merged(tables: DatasetTables, last_batch: int) -> bool:
    """Return whether there is a merge table to continue from.

    Raises StoreMismatch if it is not ours, or if the stream knows no batch that made it.
    """
    if merge_table(tables) is None:
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
LATER = tuple(name for name, strategy in STRATEGIES.items() if strategy.resumable)

NAME_STEPS: tuple[Step[Ingesting], ...] = (
    Step(_name_tables, also=("leftovers",)),
    Step(_find_erased, (on_store("which datasets have erased keys", "erased_keys.by_dataset"),)),
)
SNAPSHOT_STEPS: tuple[Step[Ingesting], ...] = (
    Step(
        _find_last_position,
        (on_store("where the source stood when the last batch was read", "batches.source_position", postgresql=True),),
        when=OF_POSTGRESQL,
    ),
    Step(
        _wait,
        (
            on_source(
                "a source that is behind that is waited for, or refused", *POSITION, strategies=LATER, postgresql=True
            ),
        ),
        when=Condition("", _is_waited_for),
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
        _find_position,
        (on_source("where the source stands now", *POSITION, postgresql=True),),
        when=OF_POSTGRESQL,
    ),
    Step(_set_valid_time, (on_store("the time that the batch is valid from", "batches.valid_time"),)),
)
LOOK_STEPS: tuple[Step[Looking], ...] = (
    Step(
        _look,
        (
            on_source(
                "are its row versions still those that the merge store knows?",
                "guard.server_is_readable",
                "guard.server",
                "guard.leaves",
                "guard.columns",
                "guard.types",
                "guard.key_types",
                postgresql=True,
            ),
        ),
        when=Condition("", lambda state: isinstance(state.source, PostgresSource)),
    ),
    Step(_find_map, (on_store("what it knows, which decides the strategy", "row_map.find"),)),
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
