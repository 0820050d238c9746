"""Cursor: reads only rows whose cursor is at or after the last one read. What it does not read is not thereby gone.

Keys are gone only if a sweep over all keys of the source lacks them, or if the source marks them as deleted.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from psycopg2 import sql

from config_schema.model import Cursor, Dataset, SourceKind
from config_schema.model.sql_types import INTEGERS, TIMES, base_type, long_name
from config_schema.result import Counts
from merge_jobs.errors import SourceMismatch
from merge_jobs.quality.checks import keep_delta
from merge_jobs.schema_change import alter_to_model
from merge_jobs.sources import Source, SourcePart
from merge_jobs.stores.postgres import cursors, row_maps
from merge_jobs.stores.postgres.apply import SMALL_DELTA, measured_delta, open_rows, set_work_memory
from merge_jobs.stores.postgres.erased_keys import keep_away
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.strategies.bulk_copy import read_into
from merge_jobs.strategies.delta_steps import (
    ALTERED_TO_MODEL,
    APPLY_DELTA,
    JUDGE_TIMES,
    KEEP_CHANGES,
    MEASURED,
)
from merge_jobs.strategies.rejected_keys import KEY_CHECKS, refuse_bad_keys
from merge_jobs.strategies.step import Condition, Step, on_source, on_store
from merge_jobs.strategies.strategy import CREATE_STAGING, KEYS_ERASED, Applying, Doubt, Staging, Strategy

log = logging.getLogger(__name__)

NUMBERS = (*INTEGERS, "numeric")
BACKWARDS = "the greatest {column} in the source is less than it was in batch {batch}: rows were deleted, or restored"
LATE = "a sweep found keys that came too late for the lookback of the cursor: {number}"
DELETED_AT_WORDS = "only where the model's cursor has `deleted_at`"
DELETES_FOUND_WORDS = "only where the model's cursor says how deletes are found"
NO_DELETES_FOUND_WORDS = "only where it does not"
SWEEP_WORDS = "only where a sweep is due"


class CursorIncomparable(SourceMismatch):
    """The column of a dataset's cursor has a type in the source that is not compared as the model's type is.

    Give it the type of the source in the model, or read the table through a view that has the model's type.
    """

    code = "DF5114"

    def __init__(self, where: str, column: str, theirs: str, ours: str) -> None:
        self.column, self.theirs, self.ours = column, theirs, ours
        what = (
            f"the cursor's column {column} is {theirs} in the source, which does not order as the model's {ours} does"
        )
        todo = f"Model it as {theirs}, if that is a time or an integer, or read the table through a view with a {ours}"
        super().__init__(where, what, todo)


def check_cursor(source: Source, dataset: Dataset, kind: SourceKind) -> None:
    """Raise CursorIncomparable if the source orders the values of the dataset's cursor differently than its model."""
    theirs = source.columns(dataset)
    if dataset.cursor is None or kind is SourceKind.SQLITE:  # whose declared types bind no value
        return
    column = dataset.cursor.column
    if column not in theirs:  # which a read reports, with all others that are missing
        return
    found, ours = long_name(theirs[column].type), next(one.type for one in dataset.columns if one.name == column)
    family = NUMBERS if cursors.cursor_kind(dataset) in INTEGERS else TIMES
    if "[" in found or base_type(found) not in family:
        raise CursorIncomparable(f"{source.where}: dataset {dataset.name}", column, found, ours)


def _check_cursor(state: Staging) -> None:
    check_cursor(state.reading.source, state.tables.dataset, state.tables.store.stream.store.source.kind)


def _create_gone(state: Staging) -> None:
    row_maps.create_staged_keys(state.tables)


def _read(state: Staging) -> None:
    tables, before = state.tables, state.reading.position
    assert before is not None
    since = cursors.since(tables, before)
    state.staged = read_into(tables, state.reading.source, state.made, "dataset.copy_to_staging", since)


def measure_cursor(state: Staging, loaded: sql.Composable, *, in_full: bool) -> None:
    """Find out how far the loaded rows reach. Raises CursorsUnusable; Doubt where they reach less far than before."""
    reading = state.reading
    assert reading.now is not None
    before = None if in_full else reading.position
    swept = in_full or reading.sweep
    state.position, is_behind = cursors.measure(state.tables, loaded, before, reading.now, swept)
    if is_behind and not state.tables.dataset.source_lists_all:
        # It gives no record that has not changed since.
        assert before is not None
        state.position = replace(state.position, value=before.value, tie=before.tie)
    elif is_behind:
        raise Doubt(BACKWARDS.format(column=state.position.column, batch=reading.batch_id - 1))


def measure_without_erased(state: Staging, loaded: sql.Composable, *, in_full: bool) -> None:
    """Take values of erased keys out of the position, after their rows; BACKWARDS is about all rows that were read."""
    if state.position is not None and state.kept_away:
        assert state.reading.now is not None
        before = None if in_full else state.reading.position
        state.position = cursors.measure_again(state.tables, loaded, before, state.position, state.reading.now)


def _measure(state: Staging) -> None:
    measure_cursor(state, _staging(state.tables), in_full=False)


def _keep_away(state: Staging) -> None:
    state.kept_away = keep_away(state.tables, _staging(state.tables))
    state.staged -= state.kept_away
    measure_without_erased(state, _staging(state.tables), in_full=False)


def _take_out_deleted(state: Staging) -> None:
    tables = state.tables
    column = sql.Identifier(str(deleted_at(tables)))
    state.staged -= tables.run("cursor.take_out_deleted", loaded=_staging(tables), deleted_at=column).rowcount


def _sweep(state: Staging) -> None:
    """Stage the keys that the source has lost. Raises Doubt if it has keys that no batch has read; KeysRejected."""
    tables, cursor, keys = state.tables, _cursor(state.tables), sql.Identifier("ds_keys")
    swept = replace(tables, dataset=swept_part(tables.dataset))
    swept.run("cursor.drop_keys")
    swept.run("cursor.create_keys")
    rows = read_into(swept, state.reading.source, state.made, "cursor.copy_keys", SourcePart.KEYS)
    if cursor.deleted_at is not None:
        column = sql.Identifier(cursor.deleted_at)
        rows -= swept.run("cursor.leave_out_deleted", loaded=keys, deleted_at=column).rowcount
    if state.reading.erased:
        rows -= keep_away(swept, keys)
    swept.run("cursor.analyze_keys")
    set_work_memory(swept, "ds_keys", str(tables.store.value("diff.temporary_schema")))
    refuse_bad_keys(swept, keys)
    row = tables.run(".sweep").fetchone()
    assert row is not None
    gone, late = row
    swept.run("cursor.drop_keys")
    log.info("%s: swept %d keys of the source: %d are gone", tables.where, rows, gone)
    if late:
        raise Doubt(LATE.format(number=late))


def swept_part(dataset: Dataset) -> Dataset:
    """Return the dataset with the columns that a sweep reads: the key, and the mark of deleted rows."""
    wanted = {*dataset.primary_key, None if dataset.cursor is None else dataset.cursor.deleted_at}
    columns = tuple(column for column in dataset.columns if column.name in wanted)
    return replace(dataset, columns=columns, valid_from=None)


def _count(state: Staging) -> None:
    state.rows = state.reading.rows_before if state.reading.rows_before is not None else open_rows(state.tables)


def _check_keys(state: Applying) -> None:
    """Raise KeysRejected for a NULL or duplicate key among the rows that were read."""
    # First, as it takes the strongest lock: a lock taken before would have to be raised.
    state.tables = tables = alter_to_model(state.tables)
    tables.run("dataset.lock_merge_table")
    set_work_memory(tables)
    refuse_bad_keys(tables, _staging(tables))


def find_gone(state: Applying) -> None:
    """Find which of the staged keys have no row."""
    state.tables.run("cursor.find_gone")
    state.tables.run("row_map.analyze_gone")


def _nothing_gone(state: Applying) -> None:
    state.tables.run("cursor.nothing_gone")


def _compare(state: Applying) -> None:
    tables = state.tables
    if state.staged.staged < state.staged.rows * SMALL_DELTA:
        tables.run("dataset.go_by_address")
    tables.run(".find_changes")
    tables.run("dataset.go_as_planned")
    state.delta = measured_delta(tables)
    state.before = open_rows(tables) if state.delta.size else state.staged.rows


def _accept(state: Applying) -> None:
    """Check the number of deletes, and copy what quality checks need. Raises TooManyDeletes."""
    delta = state.delta
    state.deletes.check(state.tables, state.before, delta.gone)
    keep_delta(state.tables)
    unchanged = state.before - delta.changed - delta.gone
    state.counts = Counts(delta.new, delta.changed, delta.gone, unchanged, unchanged + delta.new + delta.changed)


def _move(state: Applying) -> None:
    for name in ("dataset.drop_delta", "row_map.drop_gone"):
        state.tables.run(name)
    staged = replace(state.staged, guard={**(state.staged.guard or {}), "rows": state.counts.total})
    row_maps.save(state.tables, staged, state.map_batch, state.tables.usual_map_name, full=False)


def deleted_at(tables: DatasetTables) -> str | None:
    """Return the column in which the source marks rows as deleted; None if it does not."""
    return None if tables.dataset.cursor is None else tables.dataset.cursor.deleted_at


def _cursor(tables: DatasetTables) -> Cursor:
    assert tables.dataset.cursor is not None
    return tables.dataset.cursor


def _finds_deletes(tables: DatasetTables) -> bool:
    return _cursor(tables).finds_deletes


def _staging(tables: DatasetTables) -> sql.Identifier:
    return tables.store.table(tables.staging_name)


MEASURE = ("cursor.measure", "cursor.greatest_tie")
DELETES_FOUND: Condition[Applying] = Condition(DELETES_FOUND_WORDS, lambda state: _finds_deletes(state.tables))
NO_DELETES_FOUND: Condition[Applying] = Condition(
    NO_DELETES_FOUND_WORDS, lambda state: not _finds_deletes(state.tables)
)

CHECK_CURSOR: Step[Staging] = Step(
    _check_cursor, when=Condition("", lambda state: state.tables.dataset.cursor is not None)
)

# Of every strategy that reads a part of the source, whose rows are inserted and updated.
CHECK_KEYS: Step[Applying] = Step(
    _check_keys,
    (
        on_store(
            "each key that was read is there once",
            "dataset.lock_merge_table",
            "dataset.work_memory_for_staging",
            "dataset.null_keys",
            "dataset.duplicate_keys",
        ),
    ),
    also=(*KEY_CHECKS, *ALTERED_TO_MODEL),
)
NOTHING_GONE: Step[Applying] = Step(
    _nothing_gone,
    (on_store("no key is known to be gone", "cursor.nothing_gone"),),
)
COMPARE: Step[Applying] = Step(
    _compare,
    (
        on_store(
            "the keys whose rows differ, of those that were read",
            "dataset.go_by_address",
            ".find_changes",
            "dataset.go_as_planned",
            *MEASURED,
        ),
    ),
)
MOVE: Step[Applying] = Step(
    _move,
    (on_store("the cursor moves with the merge table", "dataset.drop_delta", "row_map.drop_gone", "row_map.save"),),
)
ACCEPT: Step[Applying] = Step(_accept, also=("quality",))
COUNT: Step[Staging] = Step(_count, also=("live.count_open", "forensic.count_open"))

CURSOR = Strategy(
    name="cursor",
    resumable=True,
    staging=Staging,
    stage_steps=(
        CHECK_CURSOR,
        CREATE_STAGING,
        Step(
            _create_gone,
            (on_store("an empty table for keys that are gone", "cursor.create_gone", "row_map.comment_staged_map"),),
            when=Condition(DELETES_FOUND_WORDS, lambda state: _finds_deletes(state.tables)),
        ),
        Step(
            _read,
            (
                on_source("the rows from the last cursor on, less the lookback", "postgres_source.copy_since"),
                on_store("into the staging table", "dataset.copy_to_staging"),
            ),
            also=("cursor.at_least",),
        ),
        Step(
            _measure,
            (on_store("how far they reach, and whether that is as far as before", "cursor.measure"),),
            also=("cursor.greatest_tie",),
        ),
        Step(
            _keep_away,
            (on_store("rows of erased keys are taken out again", "erased_keys.keep_away"),),
            also=MEASURE,
            when=KEYS_ERASED,
        ),
        Step(
            _take_out_deleted,
            (on_store("rows that the source has marked as deleted are gone", "cursor.take_out_deleted"),),
            when=Condition(DELETED_AT_WORDS, lambda state: deleted_at(state.tables) is not None),
        ),
        Step(
            _sweep,
            (
                on_store("room for all keys", "cursor.drop_keys", "cursor.create_keys"),
                on_source("the keys of all rows", "postgres_source.copy_keys"),
                on_store("into that room", "cursor.copy_keys"),
                on_store("only where keys are erased: theirs are taken out again", "erased_keys.keep_away"),
                on_store(
                    "those that the merge table has and the source not are gone",
                    "cursor.analyze_keys",
                    "diff.temporary_schema",
                    "dataset.work_memory_for_staging",
                    "dataset.null_keys",
                    "dataset.duplicate_keys",
                    ".sweep",
                    "cursor.drop_keys",
                ),
            ),
            also=("cursor.leave_out_deleted", *KEY_CHECKS),
            when=Condition(SWEEP_WORDS, lambda state: state.reading.sweep),
        ),
        COUNT,
    ),
    apply_steps=(
        CHECK_KEYS,
        Step(
            find_gone,
            (on_store("the keys that are gone", "cursor.find_gone", "row_map.analyze_gone"),),
            when=DELETES_FOUND,
        ),
        replace(NOTHING_GONE, when=NO_DELETES_FOUND),
        COMPARE,
        ACCEPT,
        JUDGE_TIMES,
        KEEP_CHANGES,
        *APPLY_DELTA,
        MOVE,
    ),
)
