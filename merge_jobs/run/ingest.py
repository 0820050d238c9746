"""From the source to staged rows: one snapshot for all datasets of the stream, let go as soon as it is read."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from config_schema import names
from merge_jobs.database.connections import Place
from merge_jobs.errors import StoreMismatch
from merge_jobs.process import shutdown
from merge_jobs.sources import Source
from merge_jobs.sources.opening import open_source
from merge_jobs.sources.postgres.position import (
    Position,
    position_from_dict,
    read_position,
    wait_until_not_behind,
)
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.stores.postgres import batches, row_maps
from merge_jobs.stores.postgres.batches import Batch, Staged
from merge_jobs.stores.postgres.leftovers import drop_staged, names_for_batch
from merge_jobs.stores.postgres.lock_room import check_first_loads, check_source
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import (
    DatasetTables,
    TableNames,
    described,
    merge_table,
)
from merge_jobs.strategies.guard import look
from merge_jobs.strategies.rejected_values import refusals_named
from merge_jobs.strategies.selection import (
    Case,
    Choice,
    Wanted,
    choice,
    strategy_named,
)
from merge_jobs.strategies.strategy import Doubt, Read, Reading

AT_ONCE = 20  # datasets staged in one transaction

log = logging.getLogger(__name__)

# These stage what is to change in a map in an unlogged table. A cold copy, a standby that is promoted, and a dump
# without the data of unlogged tables have it empty, and the server's statistics may be as they were.
UNLOGGED_MAPS = frozenset(["version_diff", "key_hash_diff"])
CLOCKS_DIFFER = timedelta(minutes=1)  # source and merge store by so much: worth a warning


def ingest(store: MergeStore, place: Place, batch: Batch, wanted: Wanted, last_batch: int, audit: float) -> Batch:
    """Read all datasets; gives back the batch with what was staged. `audit` is the interval of audits in seconds.

    If every strategy can go on from a commit the batch is then committed as ingested; a first load is not: it ends
    in the transaction that it began.
    """
    stream = store.stream
    merged = {tables.name: _is_merged(tables, last_batch) for tables in _tables(store)}
    check_first_loads(store, sum(not is_merged for is_merged in merged.values()))
    named = names_for_batch(store, [name for name, is_merged in merged.items() if not is_merged])
    batch = replace(batch, tables={name: of for name, of in named.items() if of != TableNames()})
    title = names.merge_session(stream.platform_name, stream.key, batch.run_id)
    with open_source(place, title) as source, shutdown.cancelling(source.cancel):
        if isinstance(source, PostgresSource):
            check_source(source, stream.datasets)
        taken, position = _snapshot(source, store, batch, last_batch)
        valid_from, now = batches.valid_time(store, taken, last_batch)
        if abs(now - taken) > CLOCKS_DIFFER:
            log.warning(
                "%s batch %d: the source's clock says %s and the merge store's %s: the batch is valid from %s",
                *(stream, batch.batch_id, taken, now, valid_from),
            )
        staged: dict[str, Staged] = {}
        for dataset in stream.datasets:
            of = batch.tables_of(store, dataset)
            shutdown.check()
            if len(staged) % AT_ONCE == AT_ONCE - 1 and all(merged.values()):
                store.commit()  # the locks on what is staged; a first load is one transaction
            began = time.monotonic()
            sight = look(source, of.dataset) if isinstance(source, PostgresSource) else None
            case = Case(of.where, merged[of.name], last_batch, wanted, row_maps.find(of), sight, now, audit)
            how = choice(case)
            log.info("%s batch %d: %s: %s", of.where, batch.batch_id, how.strategy, how.reason)
            reading = Reading(of, source, batch.batch_id, sight, how.map_kind)
            with refusals_named(of, source):
                how, read = _staged(reading, how)
            seconds = round(time.monotonic() - began, 3)
            staged[of.name] = Staged(
                how.strategy,
                how.reason,
                read.rows,
                seconds,
                read.staged,
                None if how.map_kind is None else how.map_kind.value,
                reading.guard(read.rows),
                how.audit,
            )
        if isinstance(source, PostgresSource):
            source.check_snapshot()
    read_batch = replace(
        batch,
        fingerprint=stream.fingerprint,
        store_stats_reset=batches.stats_reset(store),
        snapshot_time=valid_from,
        staged=staged,
        source_position=None if position is None else position.to_dict(),
        staged_map_rows=_staged_map_rows(store, batch, staged),
    )
    if all(strategy_named(of.strategy).resumable for of in staged.values()):
        batches.mark_ingested(store, read_batch)
        log.info("%s batch %d: ingested", stream, batch.batch_id)
    return read_batch


def _staged(reading: Reading, how: Choice) -> tuple[Choice, Read]:
    """Stage the dataset by the strategy chosen, or in full where that is in doubt; return which it was."""
    try:
        return how, strategy_named(how.strategy).stage(reading)
    except Doubt as doubt:
        instead = Choice("full", str(doubt), how.map_kind)
        log.warning("%s batch %d: full: %s", reading.tables.where, reading.batch_id, instead.reason)
        drop_staged(reading.tables)
        return instead, strategy_named(instead.strategy).stage(reading)


def _snapshot(source: Source, store: MergeStore, batch: Batch, last_batch: int) -> tuple[datetime, Position | None]:
    """Return when the snapshot was taken, by the source's clock, and where the source stands. Raises SourceBehind."""
    datasets = store.stream.datasets
    if not isinstance(source, PostgresSource):
        return source.begin(datasets), None
    last = position_from_dict(batches.source_position(store, last_batch))
    if last is not None and not batch.accept_source:
        wait_until_not_behind(source, last, last_batch)
    # The snapshot has at least what the server had before it, and at most what it has after it.
    return source.begin(datasets), read_position(source)


def _staged_map_rows(store: MergeStore, batch: Batch, staged: Mapping[str, Staged]) -> dict[str, int]:
    """Return how many rows the unlogged staged maps have, by dataset."""
    return {
        dataset.name: int(batch.tables_of(store, dataset).value("row_map.count_staged"))
        for dataset in store.stream.datasets
        if staged[dataset.name].strategy in UNLOGGED_MAPS
    }


def _tables(store: MergeStore) -> list[DatasetTables]:
    return [DatasetTables(store, dataset) for dataset in store.stream.datasets]


def _is_merged(tables: DatasetTables, last_batch: int) -> bool:
    """Whether there is a merge table to go on from.

    Raises StoreMismatch if it is not ours, or if the stream knows of no batch that made it.
    """
    if merge_table(tables) is None:
        return False
    if last_batch == 0:
        raise StoreMismatch(
            f"{tables.where}: table {tables.merge_name}",
            "the merge table is there, but the stream has no committed batch",
            "Restore the batch tables, or move the table away: a new one is then loaded",
        )
    return True


def left_ingested(store: MergeStore, batch_id: int, run_id: str, model_commit: str | None) -> Batch | None:
    """The batch that a job that died has left ingested, made this job's own; None if there is none to go on from."""
    left = batches.ingested_batch(store, batch_id)
    if left is None:
        return None
    reason = _cannot_go_on(store, left)
    if reason is not None:
        log.info("%s batch %d: was left ingested; begun anew, because %s", store.stream, batch_id, reason)
        return None
    log.info("%s batch %d: going on from what run %s has ingested", store.stream, batch_id, left.run_id)
    return batches.take_over(store, left, run_id, model_commit)


def _needed(tables: DatasetTables, staged: Staged) -> list[str]:
    """The tables that applying what is staged relies on, beside the merge table."""
    needed = [tables.staging_name]
    if staged.map_kind is not None:
        needed.append(tables.staged_map_name)
        if staged.strategy == staged.map_kind:  # the map is changed, not replaced
            needed.append(tables.map_name)
    return needed


def _cannot_go_on(store: MergeStore, left: Batch) -> str | None:
    if left.fingerprint != store.stream.fingerprint:
        return "the model has changed"
    if left.store_stats_reset != batches.stats_reset(store):
        return "the merge store has crashed since"
    for dataset in store.stream.datasets:
        tables = left.tables_of(store, dataset)
        staged = left.staged[tables.name]
        if any(described(tables, table) is None for table in _needed(tables, staged)):
            return f"the staging of {tables.name} is gone"
        if tables.value("dataset.count_staged") != staged.staged:
            return f"the staging of {tables.name} has other rows"
        if staged.strategy in UNLOGGED_MAPS:
            rows = tables.value("row_map.count_staged")
            if rows != left.staged_map_rows.get(tables.name):  # none of a job of an older version
                return f"the staged map of {tables.name} has other rows"
    return None
