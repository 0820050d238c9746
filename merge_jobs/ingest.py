"""From the source to staged rows: one snapshot for all datasets of the stream, let go as soon as it is read."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from config_schema import names
from merge_jobs import batches, ending, row_maps
from merge_jobs.batches import Batch, Staged
from merge_jobs.database import Place
from merge_jobs.errors import StoreMismatch
from merge_jobs.guard import look
from merge_jobs.leftovers import drop_staged, names_for_batch
from merge_jobs.rejected_values import refusals_named
from merge_jobs.sources.opening import open_source
from merge_jobs.sources.postgres import PostgresSource
from merge_jobs.store import MergeStore
from merge_jobs.strategies.choosing import Case, Choice, Wanted, choice, strategy_named
from merge_jobs.strategies.reading import Doubt, Read, Reading
from merge_jobs.tables import DatasetTables, TableNames, described, merge_table

log = logging.getLogger(__name__)


def ingest(store: MergeStore, place: Place, batch: Batch, wanted: Wanted, last_batch: int, audit: float) -> Batch:
    """Read all datasets; gives back the batch with what was staged. `audit` is the interval of audits in seconds.

    If every strategy can go on from a commit the batch is then committed as ingested; a first load is not: it ends
    in the transaction that it began.
    """
    stream = store.stream
    merged = {tables.name: _is_merged(tables, last_batch) for tables in _tables(store)}
    named = names_for_batch(store, [name for name, is_merged in merged.items() if not is_merged])
    batch = replace(batch, tables={name: of for name, of in named.items() if of != TableNames()})
    title = names.merge_session(stream.platform_name, stream.key, batch.run_id)
    with open_source(place, title) as source, ending.cancelling(source.cancel):
        taken = source.begin(stream.datasets)
        staged: dict[str, Staged] = {}
        for dataset in stream.datasets:
            of = batch.tables_of(store, dataset)
            ending.check()
            began = time.monotonic()
            sight = look(source, of.dataset) if isinstance(source, PostgresSource) else None
            case = Case(of.where, merged[of.name], last_batch, wanted, row_maps.find(of), sight, taken, audit)
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
        snapshot_time=taken,
        staged=staged,
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
    return None
