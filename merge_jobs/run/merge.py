"""From staged rows to a committed batch: all datasets are merged in one transaction, and checked before the commit."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg2
from psycopg2.extras import Json

from config_schema import names
from config_schema.model import Dataset, Milestoning
from config_schema.result import Counts, DatasetResult, MergeResult
from merge_jobs import schema_change
from merge_jobs.database.together import Lookup, beside, in_step
from merge_jobs.database_errors import database_failed
from merge_jobs.process import shutdown
from merge_jobs.process.progress import Phase
from merge_jobs.quality import checks
from merge_jobs.run.begin import UNLOGGED_MAPS
from merge_jobs.run.ingest import LATER
from merge_jobs.schema_change import Changes, MergeAndStaging, alter_all_to_model, changes_to_come, describing_both
from merge_jobs.stores.postgres import batches, indexes, leftovers, retention, row_maps, run_results
from merge_jobs.stores.postgres.apply import DeleteLimit
from merge_jobs.stores.postgres.batches import Batch
from merge_jobs.stores.postgres.changes import DatasetChanges, are_kept
from merge_jobs.stores.postgres.locks import checking_merge
from merge_jobs.stores.postgres.merge_store import DryRunStore, MergeStore
from merge_jobs.stores.postgres.row_maps import RowMap
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.strategies.delta_steps import changes_by_kind
from merge_jobs.strategies.selection import strategy_named
from merge_jobs.strategies.step import Condition, Step, on_store, perform
from merge_jobs.strategies.strategy import Applying

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagedMap:
    """The row map of a dataset, whether anything is staged for it, and its merge and staging tables as they are."""

    known: RowMap | None
    is_staged: bool = False
    described: MergeAndStaging | None = None


@dataclass
class Merging:
    """What the steps pass on: whether views must follow, tables to alter, and what was done to each dataset.

    `maps` is of the datasets whose row map changes. `result` is the run's with this batch, once that is known.
    """

    store: MergeStore
    batch: Batch
    last: int
    reshaped: bool = False
    changes: Changes = ()
    maps: dict[str, StagedMap] = field(default_factory=dict)
    applied: dict[str, DatasetResult] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)  # values of quality checks, for the next batch
    result: MergeResult | None = None


def merge_datasets(state: Merging, max_delete_fraction: float) -> None:
    """Merge the staged rows of all datasets. The caller commits."""
    perform(PREPARE_STEPS, state)
    applying = {dataset.name: _applying(state, dataset, max_delete_fraction) for dataset in state.store.stream.datasets}
    compared = _compare(state, applying)
    for dataset in state.store.stream.datasets:
        shutdown.check()
        began, done = time.monotonic(), applying[dataset.name]
        staged, tables = done.staged, done.tables
        state.store.progress.enter(Phase.MERGING, dataset.name)
        try:
            strategy_named(staged.strategy, in_lake=tables.in_lake).apply(done)
        except psycopg2.Error as error:
            raise database_failed(error, f"{state.store.where}: dataset {dataset.name}") from error
        seconds = staged.seconds + compared + time.monotonic() - began
        if are_kept(tables):
            changes = done.changes or DatasetChanges(changes_by_kind(done.counts), {})
            others = state.batch.changes
            state.batch = replace(state.batch, changes={**others, dataset.name: changes.kept_beside(others)})
        state.applied[dataset.name] = DatasetResult(done.counts, staged.strategy, staged.reason, round(seconds, 3))
    state.store.progress.enter(Phase.CHECKING)
    perform(JUDGE_STEPS, state)


def _applying(state: Merging, dataset: Dataset, max_delete_fraction: float) -> Applying:
    limit = DeleteLimit(max_delete_fraction, state.batch.approved_deletes(dataset.name))
    tables = state.batch.tables_of(state.store, dataset)
    done = Applying(tables, state.batch.staged[dataset.name], state.batch.batch_id, limit)
    if dataset.name in state.maps:
        found = state.maps[dataset.name]
        done.known, done.something_staged, done.described = found.known, found.is_staged, found.described
    return done


def _compare(state: Merging, applying: Mapping[str, Applying]) -> float:
    """Compare what is staged with the merge tables, by strategy; return the seconds that a dataset took of that."""
    began = time.monotonic()
    for strategy in dict.fromkeys(done.staged.strategy for done in applying.values()):
        some = [done for done in applying.values() if done.staged.strategy == strategy]
        strategy_named(strategy, in_lake=state.store.stream.in_lake).compare(some)
    return (time.monotonic() - began) / len(applying)


def write_result(state: Merging, result: MergeResult) -> None:
    """Write the batch and the stream's counter; a batch that found nothing is removed. The caller commits."""
    state.result = result
    perform(WRITE_STEPS, state)


def _forget_closed(state: Merging) -> None:
    for tables in _limited(state):
        retention.forget_closed(tables)


def _limited(state: Merging) -> list[DatasetTables]:
    """Return the datasets whose closed versions are kept for a limited time."""
    every = (state.batch.tables_of(state.store, dataset) for dataset in state.store.stream.datasets)
    return [tables for tables in every if retention.is_limited(tables)]


def _find_reshaped(state: Merging) -> None:
    state.reshaped = schema_change.reshapes_views(state.store, state.batch, state.last)


def _find_changes(state: Merging) -> None:
    _look(state)
    # Where the model of a dataset has changed no strategy but this will do.
    full = [dataset for dataset in state.store.stream.datasets if state.batch.staged[dataset.name].strategy == "full"]
    state.changes = changes_to_come([state.batch.tables_of(state.store, dataset) for dataset in full])


def _look(state: Merging) -> None:
    """Look whether the stream is still ours, whether its locks have room, and what is staged for maps."""
    store, batch = state.store, state.batch
    mapped = [of for of in store.stream.datasets if batch.staged[of.name].strategy in UNLOGGED_MAPS]
    looks: list[Lookup[Any]] = [
        *(store.checking_lock(), batches.checking_batch(store, batch), checking_merge(store, batch)),
        *(_looking_at_map(batch.tables_of(store, of), batch.is_untouched(of.name)) for of in mapped),
    ]
    _, _, _, *found = in_step(looks, store.together)
    state.maps = {dataset.name: staged for dataset, staged in zip(mapped, found, strict=True)}


def _looking_at_map(tables: DatasetTables, is_untouched: bool) -> Lookup[StagedMap]:
    looks: list[Lookup[Any]] = [row_maps.finding(tables)]
    if not is_untouched:
        looks += [row_maps.looking_for_staged(tables), describing_both(tables)]
    return StagedMap(*(yield from beside(looks)))


def _alter(state: Merging) -> None:
    alter_all_to_model(state.changes)


def _judge(state: Merging) -> None:
    found = checks.evaluate_checks(state.store, state.batch, state.applied)
    state.applied = {name: replace(one, quality=found.results.get(name, ())) for name, one in state.applied.items()}
    state.batch = replace(state.batch, quality_data=found.data)
    state.measured = found.measured


def _found_nothing(state: Merging) -> bool:
    return state.result is not None and state.result.batch_id == state.last


def _save_feeds(state: Merging) -> None:
    store, feeds = state.store, state.batch.feeds
    values = {"key": store.stream.key, "feeds": Json(feeds)}
    row_maps_table = store.table(names.row_maps_table(store.stream.platform_name))
    store.later("change_feed.save_positions", values, row_maps=row_maps_table)


def _write_batch(state: Merging) -> None:
    assert state.result is not None
    counts = _sums(dataset.counts for dataset in state.applied.values())
    batches.mark_committed(state.store, state.batch, state.result, counts, state.measured)
    run_results.record(state.store, state.result)
    in_step([batches.checking_committed(state.store, state.batch)], state.store.together)


def _remove_batch(state: Merging) -> None:
    assert state.result is not None
    batches.remove(state.store, state.batch)
    if state.batch.accept_source:
        batches.move_position(state.store, state.batch, state.last)
    batches.move_counter(state.store, state.last, state.result, state.measured)
    run_results.record(state.store, state.result)
    in_step([batches.checking_removed(state.store, state.batch)], state.store.together)


def _has_made_tables(state: Merging) -> bool:
    return bool(_made(state)) or not _is_known_what_was_made(state)


def _is_known_what_was_made(state: Merging) -> bool:
    """Return whether the batch has only made tables for changes of maps, under names that it knows."""
    return all(staged.strategy in UNLOGGED_MAPS for staged in state.batch.staged.values())


def _made(state: Merging) -> list[DatasetTables]:
    """Return the datasets with tables for changes of their map; version diff makes none if it has found nothing."""
    staged, batch = state.batch.staged, state.batch
    changed = [of for of in state.store.stream.datasets if staged[of.name].strategy in UNLOGGED_MAPS]
    without = ("version_diff", "change_feed")  # where they have found nothing
    none = {of.name for of in changed if staged[of.name].strategy in without and batch.is_untouched(of.name)}
    return [batch.tables_of(state.store, of) for of in changed if of.name not in none]


def _drop_leftovers(state: Merging) -> None:
    leftovers.drop_leftovers(state.store, _made(state) if _is_known_what_was_made(state) else None)


def _looks_at_indexes(state: Merging) -> bool:
    if isinstance(state.store, DryRunStore) or not indexes.are_wanted(state.store):
        return False
    return state.result is not None and state.result.batches == 1


def _keep_indexes(state: Merging) -> None:
    indexes.keep(state.store, (DatasetTables(state.store, dataset) for dataset in state.store.stream.datasets))


def _sums(counts: Iterable[Counts]) -> Mapping[str, int]:
    every = list(counts)
    return {name: sum(getattr(one, name) for one in every) for name in ("inserted", "updated", "deleted", "total")}


PREPARE_STEPS: tuple[Step[Merging], ...] = (
    Step(
        _find_reshaped,
        (on_store("does it change what consumers' views are made of?", "row_map.find", strategies=["full"]),),
        also=("batches.schema_of_batch",),
    ),
    Step(
        _find_changes,
        (
            on_store(
                "is anything staged? if not, the source has as many rows as the map",
                "row_map.find",
                "row_map.something_staged",
                strategies=UNLOGGED_MAPS,
            ),
        ),
        also=("batches.is_ours", "as_of.comments"),
    ),
    Step(
        _alter,
        (
            on_store(
                "in short tries until the locks are there",
                "drift.lock_timeout",
                "drift.before_a_try",
                "drift.wait_for_locks",
                "drift.lock_to_change",
                "drift.wait_for_locks",
                "drift.alter_merge_table",
                strategies=["full"],
            ),
        ),
        also=("drift.back_to_before_a_try", "views", "leftovers.readers"),
        when=Condition("only where the model has changed", lambda state: bool(state.changes)),
    ),
)
JUDGE_STEPS: tuple[Step[Merging], ...] = (
    Step(_judge, also=("quality", "batches.judged_before", "batches.mean_of_earlier")),
)
# These are committed with the datasets.
WRITE_STEPS: tuple[Step[Merging], ...] = (
    Step(
        _forget_closed,
        (
            on_store(
                "versions that were closed too long ago go",
                "retention.horizon",
                "retention.forget_closed",
                milestoning=Milestoning.FORENSIC,
            ),
        ),
        also=("repair.index_of_table", "retention.create_closed_index"),
        when=Condition("only where the model has `keep_closed_days`", lambda state: bool(_limited(state))),
    ),
    Step(
        _save_feeds,
        (on_store("where the change feed is", "change_feed.save_positions", strategies=["change_feed"]),),
        when=Condition("", lambda state: state.batch.feeds is not None),
    ),
    Step(
        _write_batch,
        (
            on_store(
                "the batch and the stream's counter, in the same transaction",
                "batches.batch_committed",
                "batches.forget_rejected_keys",
                "batches.move_counter",
            ),
            on_store(
                "batches of the same run become one, and old ones go",
                "batches.fold_run",
                "batches.forget_old_batches",
                milestoning=Milestoning.LIVE,
            ),
            on_store(
                "old batches keep their ids, times and counts",
                "batches.empty_old_batches",
                milestoning=Milestoning.FORENSIC,
            ),
            on_store(
                "the run's result; and is the batch still this job's?",
                "run_results.record_result",
                "batches.is_committed_by_us",
                ends="COMMIT",
            ),
        ),
        when=Condition("", lambda state: not _found_nothing(state)),
    ),
    Step(
        _remove_batch,
        (
            on_store(
                "the batch is taken back",
                "batches.batch_removed",
                "batches.move_counter",
                "run_results.record_result",
                "batches.is_removed",
                ends="COMMIT",
                strategies=LATER,
            ),
        ),
        also=("batches.move_position",),
        when=Condition("instead of that, where no dataset has changed", _found_nothing),
    ),
)
DROP_STEPS: tuple[Step[Merging], ...] = (
    Step(
        _drop_leftovers,
        (
            on_store(
                "afterwards: what was staged is dropped; a table that another session reads stays until a later batch",
                "leftovers.do_not_wait",
                "leftovers.drop",
                strategies=LATER,
            ),
            on_store(
                "the old map was dropped too: the new one gets its name",
                "leftovers.rename_map",
                "leftovers.map_has_its_usual_name",
                strategies=["full"],
                postgresql=True,
            ),
            on_store("that is all", ends="COMMIT", strategies=LATER),
        ),
        also=("leftovers.existing_tables", "leftovers.maps_in_use"),
        when=Condition("", _has_made_tables),
    ),
    Step(
        _keep_indexes,
        also=("indexes", "leftovers.do_not_wait"),
        when=Condition("only where the model has `indexes`, after a run's first batch", _looks_at_indexes),
    ),
)
