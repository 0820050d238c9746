"""Merges the rows that may have changed and the keys that are gone, both found by a row map."""

from __future__ import annotations

from functools import partial

from psycopg2 import sql

from config_schema.result import Counts
from merge_jobs.errors import MapWrong
from merge_jobs.quality.checks import keep_delta, needs_delta
from merge_jobs.schema_change import alter_to_model
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.apply import SMALL_DELTA, measured_delta, open_rows, set_work_memory
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
from merge_jobs.strategies.step import Condition, Step, on_store
from merge_jobs.strategies.strategy import Applying

SOMETHING: Condition[Applying] = Condition("where something is staged", lambda state: state.something_staged)
NOTHING: Condition[Applying] = Condition("where nothing is staged", lambda state: not state.something_staged)


def _look(state: Applying) -> None:
    state.something_staged = bool(state.tables.value("row_map.something_staged"))


def _check_number(state: Applying) -> None:
    """Raise MapWrong if the source has another number of rows than the map, but no new, changed or missing rows."""
    tables, staged, known = state.tables, state.staged, row_maps.find(state.tables)
    if known is not None and known.rows not in (None, staged.rows):
        raise MapWrong(
            tables.where,
            f"the map has {known.rows} rows, the source has {staged.rows}, and no row has changed",
            tables.name,
        )
    if needs_delta(tables):
        tables.run("row_map.create_empty_delta")
        keep_delta(tables)
        tables.run("dataset.drop_delta")
    state.counts = Counts(unchanged=staged.rows, total=staged.rows)


def _compare(kind: MapKind, state: Applying) -> None:
    # First, as it takes the strongest lock: a lock taken before would have to be raised.
    state.tables = tables = alter_to_model(state.tables)
    tables.run("dataset.lock_merge_table")
    state.before = open_rows(tables)
    set_work_memory(tables)
    tables.run(f"{kind.value}.find_gone")
    tables.run("row_map.analyze_gone")
    if state.staged.staged < state.before * SMALL_DELTA:
        tables.run("dataset.go_by_address")
    tables.run(".find_changes")
    tables.run("dataset.go_as_planned")
    state.delta = measured_delta(tables)


def _check(kind: MapKind, state: Applying) -> None:
    """Raise KeysRejected or MapWrong if the row counts do not match."""
    wrong, tables = wrong_sum(state), state.tables
    if wrong is not None:
        tables.run(f"{kind.value}.find_all_keys")
        refuse_bad_keys(tables, sql.Identifier("ds_all_keys"))
        raise MapWrong(tables.where, wrong, tables.name)
    accept_delta(state)


def _change_map(kind: MapKind, state: Applying) -> None:
    for name in (
        "dataset.drop_delta",
        "row_map.drop_gone",
        f"{kind.value}.forget_changed",
        f"{kind.value}.keep_changed",
    ):
        state.tables.run(name)
    row_maps.save(state.tables, state.staged, state.map_batch, state.tables.map_name, full=False)


def change_steps(kind: MapKind) -> tuple[Step[Applying], ...]:
    """Return the steps that bring merge table and map in line with what is staged."""
    compared = on_store(
        "the keys whose rows differ, of those that may",
        "dataset.lock_merge_table",
        ".count_open",
        "dataset.size_of_staging",
        "dataset.work_memory",
        f"{kind.value}.find_gone",
        "row_map.analyze_gone",
        "dataset.go_by_address",
        ".find_changes",
        "dataset.go_as_planned",
        *MEASURED,
    )
    changed = on_store(
        "the map changes with the merge table",
        "dataset.drop_delta",
        "row_map.drop_gone",
        f"{kind.value}.forget_changed",
        f"{kind.value}.keep_changed",
        "row_map.save",
    )
    kept = ("row_map.create_empty_delta", "dataset.drop_delta", "quality")
    return (
        Step(_look, (on_store("is anything staged?", "row_map.something_staged"),)),
        Step(
            _check_number,
            (on_store("the source has as many rows as the map", "row_map.find"),),
            also=kept,
            when=NOTHING,
        ),
        Step(partial(_compare, kind), (compared,), also=ALTERED_TO_MODEL, when=SOMETHING),
        Step(partial(_check, kind), also=(f"{kind.value}.find_all_keys", *KEY_CHECKS, "quality"), when=SOMETHING),
        JUDGE_TIMES,
        KEEP_CHANGES,
        APPLY_DELTA,
        Step(partial(_change_map, kind), (changed,), when=SOMETHING),
    )
