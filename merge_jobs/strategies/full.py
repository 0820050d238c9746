"""Full: COPY the whole source into an unlogged staging table, then compare every row with the merge table."""

from __future__ import annotations

import logging

from merge_jobs.schema_change import alter_to_model, drift
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.apply import measured, set_work_memory
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import MergeTableBroken, create_staging, merge_table
from merge_jobs.strategies.delta_steps import (
    ALTERED_TO_MODEL,
    APPLY_DELTA,
    JUDGE_TIMES,
    KEEP_CHANGES,
    MEASURED,
    accept_delta,
    wrong_sum,
)
from merge_jobs.strategies.rejected_keys import KEY_CHECKS, refuse_bad_keys
from merge_jobs.strategies.row_map_load import MAP_WANTED, STAGING_TABLE, finish_map, load_steps
from merge_jobs.strategies.step import Condition, Step, on_store
from merge_jobs.strategies.strategy import STAGING, Applying, Staging, Strategy

log = logging.getLogger(__name__)


AUDIT_WORDS = "only in an audit"


def _staging_that_fits(state: Staging) -> None:
    state.made = create_staging(state.tables)
    existing = merge_table(state.tables)
    if existing is not None:
        drift(state.tables, existing, state.made)  # refused before the source is read


def _map_to_come(state: Staging) -> None:
    assert state.reading.map_kind is not None
    row_maps.create_map_to_come(state.tables, state.reading.map_kind)


def _compare(state: Applying) -> None:
    # First, as it takes the strongest lock: a lock taken before would have to be raised.
    state.tables = alter_to_model(state.tables, in_full=True)
    state.tables.later("dataset.lock_merge_table")
    set_work_memory(state.tables)
    state.tables.later(".find_delta")
    state.before, state.delta = measured(state.tables)


def _audit(state: Applying) -> None:
    """Switch the map's strategy off if it would have missed a change. No error: this batch merges all changes."""
    kind = MapKind(state.staged.map_kind)
    known = row_maps.find(state.tables)
    in_place = "_in_place" if known is not None and known.is_behind and kind is MapKind.VERSIONS else ""
    missed = int(state.tables.value(f"{kind.value}.count_missed{in_place}"))
    if missed:
        reason = f"an audit found {missed} changes that it would have missed"
        log.error("%s: %s is off until an operator clears it: %s", state.tables.where, kind.words, reason)
        row_maps.distrust(state.tables, kind, reason)
    else:
        log.info("%s: the audit found nothing that %s would have missed", state.tables.where, kind.words)


def _check(state: Applying) -> None:
    """Raise KeysRejected or MergeTableBroken if the row counts do not match, as when the source repeats a key."""
    wrong, tables = wrong_sum(state), state.tables
    if wrong is not None:
        refuse_bad_keys(tables, tables.store.table(tables.staging_name))
        todo = "Check the table's unique index; nothing was merged"
        raise MergeTableBroken(f"{tables.where}: table {tables.merge_name}", wrong, todo)
    accept_delta(state)


def _drop_delta(state: Applying) -> None:
    state.tables.run("dataset.drop_delta")


def _save(state: Applying) -> None:
    row_maps.save(state.tables, state.staged, state.map_batch, state.tables.staged_map_name, full=True)


FULL = Strategy(
    name="full",
    resumable=True,
    staging=Staging,
    stage_steps=(
        Step(_staging_that_fits, (STAGING,)),
        Step(
            _map_to_come,
            (
                on_store(
                    "an empty map of the rows, to become the map",
                    "version_diff.create_map",
                    "row_map.comment_staged_map",
                    postgresql=True,
                ),
            ),
            also=("key_hash_diff.create_map",),
            when=MAP_WANTED,
        ),
        *load_steps(STAGING_TABLE),
    ),
    apply_steps=(
        Step(
            _compare,
            (
                on_store(
                    "the keys whose rows differ",
                    "dataset.lock_merge_table",
                    "dataset.work_memory_for_staging",
                    ".find_delta",
                    *MEASURED,
                ),
            ),
            also=ALTERED_TO_MODEL,
        ),
        Step(
            _audit,
            (on_store("what version diff would have missed", "version_diff.count_missed", postgresql=True),),
            also=(
                *("key_hash_diff.count_missed", "version_diff.count_missed_in_place"),
                *("row_map.find", "row_map.distrust"),
            ),
            when=Condition(AUDIT_WORDS, lambda state: state.staged.audit),
        ),
        Step(_check, also=(*KEY_CHECKS, "quality")),
        JUDGE_TIMES,
        KEEP_CHANGES,
        *APPLY_DELTA,
        Step(_drop_delta, (on_store("the delta has been applied", "dataset.drop_delta"),)),
        finish_map(STAGING_TABLE, "a new map"),
        Step(_save, (on_store("what the map holds under", "row_map.save"),)),
    ),
)
