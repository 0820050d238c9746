"""From the source to staged rows: one snapshot for all datasets of the stream, let go as soon as it is read."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from config_schema import names
from merge_jobs import batches
from merge_jobs.batches import Batch, Staged
from merge_jobs.database import Place
from merge_jobs.sources.opening import open_source
from merge_jobs.store import MergeStore
from merge_jobs.strategies import Wanted, choice, strategy_named
from merge_jobs.tables import DatasetTables, described

log = logging.getLogger(__name__)


def ingest(store: MergeStore, place: Place, batch: Batch, wanted: Wanted, last_batch: int) -> Batch:
    """Read all datasets; gives back the batch with what was staged.

    If every strategy can go on from a commit the batch is then committed as ingested; a first load is not: it ends
    in the transaction that it began.
    """
    stream = store.stream
    tables = [DatasetTables(store, dataset) for dataset in stream.datasets]
    chosen = [choice(of, wanted, last_batch) for of in tables]
    title = names.merge_session(stream.platform_name, stream.key, batch.run_id)
    with open_source(place, title) as source:
        taken = source.begin(stream.datasets)
        staged: dict[str, Staged] = {}
        for of, how in zip(tables, chosen, strict=True):
            log.info("%s batch %d: %s: %s", of.where, batch.batch_id, how.strategy, how.reason)
            began = time.monotonic()
            rows = strategy_named(how.strategy).stage(of, source, batch.batch_id)
            staged[of.name] = Staged(how.strategy, how.reason, rows, round(time.monotonic() - began, 3))
    read = replace(
        batch,
        fingerprint=stream.fingerprint,
        store_stats_reset=batches.stats_reset(store),
        snapshot_time=taken,
        staged=staged,
    )
    if all(strategy_named(how.strategy).resumable for how in chosen):
        batches.mark_ingested(store, read)
        log.info("%s batch %d: ingested", stream, batch.batch_id)
    return read


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


def _cannot_go_on(store: MergeStore, left: Batch) -> str | None:
    if left.fingerprint != store.stream.fingerprint:
        return "the model has changed"
    if left.store_stats_reset != batches.stats_reset(store):
        return "the merge store has crashed since"
    for dataset in store.stream.datasets:
        tables = DatasetTables(store, dataset)
        if described(tables, tables.staging_name) is None:
            return f"the staging of {dataset.name} is gone"
        if tables.value("dataset.count_staged") != left.staged[dataset.name].rows:
            return f"the staging of {dataset.name} has other rows"
    return None
