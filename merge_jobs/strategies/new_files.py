"""New files: reads the next file that no batch has read. Its rows are inserted and updated; no key is ever gone.

A batch has one file, so that a merge table is what the files give one after another, and a forensic one has a version
for each. Files are taken in the order in which they were changed, then by name; the rest waits for the next batches.
"""

from __future__ import annotations

from merge_jobs.stores.postgres import files_read
from merge_jobs.stores.postgres.erased_keys import keep_away
from merge_jobs.strategies.bulk_copy import read_into
from merge_jobs.strategies.cursor import ACCEPT, CHECK_KEYS, COMPARE, COUNT, MOVE, NOTHING_GONE
from merge_jobs.strategies.delta_steps import APPLY_DELTA, JUDGE_TIMES, KEEP_CHANGES
from merge_jobs.strategies.step import Condition, Step, on_source, on_store
from merge_jobs.strategies.strategy import CREATE_STAGING, INTO_STAGING, KEYS_ERASED, Applying, Staging, Strategy

ONCE_WORDS = "only where the model has `take: new`"


def _has_file(state: Staging) -> bool:
    return state.reading.next_file is not None and state.reading.next_file.file is not None


def _read(state: Staging) -> None:
    state.staged = read_into(state.tables, state.reading.source, state.made, "dataset.copy_to_staging")


def _keep_away(state: Staging) -> None:
    tables = state.tables
    state.kept_away = keep_away(tables, tables.store.table(tables.staging_name))
    state.staged -= state.kept_away


def _record(state: Applying) -> None:
    done = files_read.next_file_of(state.staged.guard)
    assert done is not None
    files_read.record(state.tables, done, state.map_batch)


def _is_once(state: Applying) -> bool:
    return files_read.next_file_of(state.staged.guard) is not None


RECORD_FILE: Step[Applying] = Step(
    _record,
    (on_store("the file has been read", "files_read.record"),),
    also=("files_read.forget",),
    when=Condition(ONCE_WORDS, _is_once),
)

NEW_FILES = Strategy(
    name="new_files",
    resumable=True,
    staging=Staging,
    stage_steps=(
        CREATE_STAGING,
        Step(
            _read,
            (on_source("all rows of the file go out", "postgres_source.copy_out"), INTO_STAGING),
            when=Condition("where a file is new", _has_file),
        ),
        Step(
            _keep_away,
            (on_store("rows of erased keys are taken out again", "erased_keys.keep_away"),),
            when=KEYS_ERASED,
        ),
        COUNT,
    ),
    apply_steps=(
        CHECK_KEYS,
        NOTHING_GONE,
        COMPARE,
        ACCEPT,
        JUDGE_TIMES,
        KEEP_CHANGES,
        *APPLY_DELTA,
        RECORD_FILE,
        MOVE,
    ),
)
