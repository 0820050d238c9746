"""Steps that all comparing strategies share, once they have found the delta."""

from __future__ import annotations

from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.quality.checks import keep_delta
from merge_jobs.stores.lake import writing
from merge_jobs.stores.postgres import valid_times
from merge_jobs.stores.postgres.apply import apply_delta, by_address
from merge_jobs.stores.postgres.changes import Change, are_kept, changes_of_delta
from merge_jobs.strategies.rejected_keys import KEY_CHECKS, with_keys_checked
from merge_jobs.strategies.step import Condition, Step, on_store
from merge_jobs.strategies.strategy import Applying

MEASURED = ("dataset.analyze_delta", "dataset.measure_delta", ".count_open")
# The merge table is brought to a changed model; as-of functions and consumers' views follow.
ALTERED_TO_MODEL = (
    *("drift", "as_of", "views", "leftovers.readers"),
    *("valid_times", "dataset.comment_merge_table", "dataset.lock_merge_table"),
)


def count_rows(state: Applying) -> None:
    """Set the counts of the delta."""
    unchanged = state.before - state.delta.changed - state.delta.gone
    state.counts = Counts(state.delta.new, state.delta.changed, state.delta.gone, unchanged, state.staged.rows)


def wrong_sum(state: Applying) -> str | None:
    """Return why the delta does not give as many rows as the source has; None if it does.

    Keys in the merge table are unique, so it does unless the source has a key twice, or a map is wrong.
    """
    before, delta, rows = state.before, state.delta, state.staged.rows
    if before + delta.new - delta.gone == rows:
        return None
    return f"{before} rows, {delta.new} new and {delta.gone} gone do not add up to the source's {rows}"


def accept_delta(state: Applying) -> None:
    """Check the number of deletes, and copy what quality checks need. Raises TooManyDeletes."""
    state.deletes.check(state.tables, state.before, state.delta.gone)
    keep_delta(state.tables)
    count_rows(state)


def _apply(state: Applying) -> None:
    loaded = state.tables.store.table(state.tables.staging_name)
    with_keys_checked(
        state.tables, loaded, lambda: apply_delta(state.tables, state.delta, state.before, state.batch_id)
    )


VALID_TIMES_WORDS = "only where the model has `valid_from`"


def _judge_times(state: Applying) -> None:
    with by_address(state.tables, state.delta, state.before):
        valid_times.judge_delta(state.tables)


JUDGE_TIMES: Step[Applying] = Step(
    _judge_times,
    (
        on_store(
            "rows whose time is none to begin a version at are refused",
            "dataset.go_by_address",
            "valid_times.judge_staged",
            "valid_times.find_late",
            "dataset.go_as_planned",
            milestoning=Milestoning.FORENSIC,
        ),
    ),
    when=Condition(
        VALID_TIMES_WORDS,
        lambda state: state.delta.size > 0 and valid_times.are_from_column(state.tables),
    ),
)
KEEP_CHANGES_WORDS = "only where the model has `keep_changes`"


def _keep_changes(state: Applying) -> None:
    with by_address(state.tables, state.delta, state.before):
        state.changes = changes_of_delta(state.tables, changes_by_kind(state.counts))


def changes_by_kind(counts: Counts) -> dict[Change, int]:
    """Return the numbers of changed keys."""
    return {Change.INSERTED: counts.inserted, Change.UPDATED: counts.updated, Change.DELETED: counts.deleted}


KEEP_CHANGES: Step[Applying] = Step(
    _keep_changes,
    (
        on_store(
            "what is to change, to be kept with the batch",
            "dataset.go_by_address",
            "changes.of_delta",
            "dataset.go_as_planned",
            milestoning=Milestoning.LIVE,
        ),
    ),
    when=Condition(KEEP_CHANGES_WORDS, lambda state: state.delta.size > 0 and are_kept(state.tables)),
)
KEPT_TITLE = "where the model has `on_delete: keep`, instead of what takes away those that are gone"

IN_LAKE: Condition[Applying] = Condition(
    "only where the platform has a lake", lambda state: state.delta.size > 0 and state.tables.in_lake
)


def _find_closed(state: Applying) -> None:
    writing.refuse_misfits(state.tables)
    writing.find_closed(state.tables)


def _write_to_lake(state: Applying) -> None:
    delta = state.delta
    writing.write(state.tables, state.batch_id, delta.new + delta.changed, delta.changed + delta.gone)


_APPLY: Step[Applying] = Step(
    _apply,
    (
        on_store(
            "the merge table is brought to the source; of the kinds of changes that there are",
            "dataset.keys_savepoint",
            "dataset.go_by_address",
            "live.delete_gone",
            "live.update_changed",
            "live.insert_new",
            "forensic.close_deleted",
            "forensic.close_changed",
            "forensic.open_versions",
            "dataset.go_as_planned",
        ),
        on_store(KEPT_TITLE, "dataset.keep_gone", ".take_returned"),
    ),
    also=(*KEY_CHECKS, "lake"),
    when=Condition("where something differs", lambda state: state.delta.size > 0),
)
APPLY_DELTA: tuple[Step[Applying], ...] = (
    Step(_find_closed, also=("lake.count_misfits", "lake.find_closed"), when=IN_LAKE),
    _APPLY,
    # Last, as what the key refuses is not to be written.
    Step(_write_to_lake, also=("lake",), when=IN_LAKE),
)
