"""The start of a batch: a new one, or one that a dead job has left ingested."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from config_schema.model import Dataset
from merge_jobs.database.together import in_step
from merge_jobs.stores.postgres import batches
from merge_jobs.stores.postgres.batches import Batch, LeftBatch, Staged
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables, described
from merge_jobs.strategies.step import Condition, Step, on_store, perform

log = logging.getLogger(__name__)

# These stage what is to change in a map in an unlogged table. A cold copy, a standby that is promoted, and a dump
# without the data of unlogged tables have it empty, and the server's statistics may be as they were.
UNLOGGED_MAPS = frozenset(["version_diff", "key_hash_diff", "change_feed"])


@dataclass
class Beginning:
    """What the steps pass on: the stream's last committed batch, and the batch that begins."""

    store: MergeStore
    run_id: str
    model_commit: str | None
    last: int
    opened: LeftBatch | None = None
    batch: Batch | None = None


def begin(store: MergeStore, run_id: str, model_commit: str | None, last: int) -> Batch:
    """Begin the batch after the `last` one, which is committed, or take over an ingested one; return it."""
    state = Beginning(store, run_id, model_commit, last)
    perform(BEGIN_STEPS, state)
    assert state.batch is not None
    return state.batch


def _take_over(state: Beginning) -> None:
    (state.opened,) = in_step([batches.finding_open_batch(state.store, state.last + 1)], state.store.together)
    state.batch = _gone_on_with(state.store, state.opened.ingested, state.run_id, state.model_commit)


def _start(state: Beginning) -> None:
    assert state.opened is not None
    state.batch = batches.start(state.store, state.last + 1, state.run_id, state.model_commit, state.opened)
    log.info("%s batch %d: started", state.store.stream, state.batch.batch_id)


BEGIN_STEPS: tuple[Step[Beginning], ...] = (
    Step(
        _take_over,
        also=(
            *("batches.open_batch", "batches.delete_approvals", "batches.take_over_batch"),
            "batches.source_is_accepted",
            *("dataset.count_staged", "row_map.count_staged"),
        ),
    ),
    Step(
        _start,
        (on_store("the batch begins", "batches.start_batch", ends="COMMIT"),),
        when=Condition("", lambda state: state.batch is None),
    ),
)


def _gone_on_with(store: MergeStore, left: Batch | None, run_id: str, model_commit: str | None) -> Batch | None:
    """Return the batch that a dead job left ingested, now owned by this job; None if there is none to continue."""
    if left is None:
        return None
    reason = _cannot_go_on(store, left)
    if reason is not None:
        log.info("%s batch %d: was left ingested; begun again, because %s", store.stream, left.batch_id, reason)
        return None
    log.info("%s batch %d: going on from what run %s has ingested", store.stream, left.batch_id, left.run_id)
    return batches.take_over(store, left, run_id, model_commit)


def has_staged_map(dataset: Dataset, staged: Staged) -> bool:
    """Return whether the batch has staged what is to change in a map, or keys that are gone, in an unlogged table."""
    of_cursor = dataset.cursor is not None and dataset.cursor.finds_deletes and staged.strategy == "cursor"
    return staged.strategy in UNLOGGED_MAPS or of_cursor


def _needed(tables: DatasetTables, staged: Staged, is_untouched: bool) -> list[str]:
    """Return the tables, beside the merge table, that applying the staged rows needs."""
    if is_untouched:
        return [tables.map_name]
    needed = [tables.staging_name]
    if staged.map_kind is not None or has_staged_map(tables.dataset, staged):
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
        staged, is_untouched = left.staged[tables.name], left.is_untouched(tables.name)
        if any(described(tables, table) is None for table in _needed(tables, staged, is_untouched)):
            return f"the staging of {tables.name} is gone"
        if is_untouched:
            continue
        if tables.value("dataset.count_staged") != staged.staged:
            return f"the staging of {tables.name} has other rows"
        if has_staged_map(dataset, staged):
            rows = tables.value("row_map.count_staged")
            if rows != left.staged_map_rows.get(tables.name):  # none of a job of an older version
                return f"the staged map of {tables.name} has other rows"
    return None
