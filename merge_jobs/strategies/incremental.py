"""Merges the rows that may have changed and the keys that are gone, both found by a row map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import psycopg2
from psycopg2 import sql

from config_schema.result import Counts
from merge_jobs.database.together import Lookup, in_step
from merge_jobs.database_errors import database_failed
from merge_jobs.errors import MapWrong
from merge_jobs.process import shutdown
from merge_jobs.process.progress import Phase
from merge_jobs.quality.checks import keep_delta, needs_delta
from merge_jobs.schema_change import alter_to_model
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.apply import SMALL_DELTA, Delta, measuring, set_work_memory
from merge_jobs.stores.postgres.row_maps import MapKind
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
from merge_jobs.strategies.step import Condition, Step, for_all, on_store
from merge_jobs.strategies.strategy import Applying

FEW = 20_000  # staged rows of a dataset that is compared together with others
SOMETHING: Condition[Applying] = Condition("where something is staged", lambda state: state.something_staged)
NOTHING: Condition[Applying] = Condition("where nothing is staged", lambda state: not state.something_staged)


def _check_number(state: Applying) -> None:
    """Raise MapWrong if the source has another number of rows than the map, but no new, changed or missing rows."""
    tables, staged, known = state.tables, state.staged, state.known
    if known is not None and known.rows not in (None, staged.rows):
        raise MapWrong(
            tables.where,
            f"the map has {known.rows} rows, the source has {staged.rows}, and no row has changed",
            tables.name,
        )
    if needs_delta(tables):
        tables.run("row_map.create_empty_delta")
        # A staging table need not be there; the merge table has its columns.
        keep_delta(replace(tables, named=replace(tables.named, staging=tables.merge_name)))
        tables.run("dataset.drop_delta")
    state.counts = Counts(unchanged=staged.rows, total=staged.rows)


def _compare_all(kind: MapKind, states: Sequence[Applying]) -> None:
    """Find what is to change in each dataset: in all that have little staged by one message."""
    store = states[0].tables.store
    for state in states:
        with _of_dataset(state):
            # First, as it takes the strongest lock: a lock taken before would have to be raised.
            state.tables = alter_to_model(state.tables, state.described)
    few = [state for state in states if state.staged.staged <= FEW]
    if len(few) > 1:
        store.later("dataset.before_comparisons")
        try:
            _compare(kind, few)
        except psycopg2.Error:
            shutdown.check()
            if store.session.closed:
                raise
            store.session.drop_waiting()
            store.run("dataset.back_to_before_comparisons")
            few = []
    else:
        few = []
    for state in [one for one in states if one not in few]:
        with _of_dataset(state):
            _compare(kind, [state])


@contextmanager
def _of_dataset(state: Applying) -> Iterator[None]:
    state.tables.store.progress.at(Phase.MERGING, state.tables.name)
    try:
        yield
    except psycopg2.Error as error:
        raise database_failed(error, f"{state.tables.store.where}: dataset {state.tables.name}") from error


def _compare(kind: MapKind, states: Sequence[Applying]) -> None:
    looks = [_comparing(kind, state) for state in states]
    for state, found in zip(states, in_step(looks, states[0].tables.store.together), strict=True):
        state.before, state.delta = found


def _comparing(kind: MapKind, state: Applying) -> Lookup[tuple[int, Delta]]:
    tables = state.tables
    tables.later("dataset.lock_merge_table")
    set_work_memory(tables)
    if state.known is not None and state.known.is_behind:
        tables.later(f"{kind.value}.find_all_keys")
        tables.later(f"{kind.value}.find_gone_of_all")
        tables.later("row_map.drop_all_keys")
    else:
        tables.later(f"{kind.value}.find_gone")
    tables.later("row_map.analyze_gone")
    if state.staged.staged < state.staged.rows * SMALL_DELTA:  # the merge table has about as many rows as the source
        tables.later("dataset.go_by_address")
    tables.later(".find_changes")
    tables.later("dataset.go_as_planned")
    return (yield from measuring(tables))


def _check(kind: MapKind, state: Applying) -> None:
    """Raise KeysRejected or MapWrong if the row counts do not match."""
    wrong, tables = wrong_sum(state), state.tables
    if wrong is not None:
        tables.run(f"{kind.value}.find_all_keys")
        refuse_bad_keys(tables, sql.Identifier("ds_all_keys"))
        raise MapWrong(tables.where, wrong, tables.name)
    accept_delta(state)


def _change_map(kind: MapKind, state: Applying) -> None:
    # Before the merge table, as nobody waits for what this does: it goes in the message of what is waited for.
    for name in ("forget_changed", "keep_changed"):
        state.tables.later(f"{kind.value}.{name}")
    row_maps.save(state.tables, state.staged, state.map_batch, state.tables.map_name, full=False, with_next=True)
    if not state.delta.size:
        state.tables.store.session.send_waiting()


def _drop_delta(state: Applying) -> None:
    for name in ("dataset.drop_delta", "row_map.drop_gone"):
        state.tables.later(name)


def compare_steps(kind: MapKind) -> tuple[Step[Applying], ...]:
    """Return the steps that find what is to change in the merge tables."""
    compared = on_store(
        "the keys whose rows differ, of those that may",
        "dataset.lock_merge_table",
        "dataset.work_memory_for_staging",
        f"{kind.value}.find_gone",
        "row_map.analyze_gone",
        "dataset.go_by_address",
        ".find_changes",
        "dataset.go_as_planned",
        *MEASURED,
    )
    of_behind = ("version_diff.find_all_keys", "version_diff.find_gone_of_all", "row_map.drop_all_keys")
    also = (*ALTERED_TO_MODEL, "dataset.before_comparisons", "dataset.back_to_before_comparisons", *of_behind)
    return (for_all(partial(_compare_all, kind), (compared,), also=also, when=SOMETHING),)


CHECK_NUMBER: Step[Applying] = Step(
    _check_number, also=("row_map.create_empty_delta", "dataset.drop_delta", "quality"), when=NOTHING
)


def change_steps(kind: MapKind) -> tuple[Step[Applying], ...]:
    """Return the steps that bring merge table and map in line with what is staged, and compared."""
    changed = on_store(
        "the map changes with the merge table",
        f"{kind.value}.forget_changed",
        f"{kind.value}.keep_changed",
        "row_map.save",
    )
    dropped = on_store("the delta has been applied", "dataset.drop_delta", "row_map.drop_gone")
    return (
        CHECK_NUMBER,
        Step(partial(_check, kind), also=(f"{kind.value}.find_all_keys", *KEY_CHECKS, "quality"), when=SOMETHING),
        JUDGE_TIMES,
        KEEP_CHANGES,
        Step(partial(_change_map, kind), (changed,), when=SOMETHING),
        *APPLY_DELTA,
        Step(_drop_delta, (dropped,), when=SOMETHING),
    )
