"""Steps that all strategies which compare have alike, once they have found what differs."""

from __future__ import annotations

from config_schema.result import Counts
from merge_jobs.quality.checks import keep_delta
from merge_jobs.stores.postgres.apply import apply_delta, check_deletes
from merge_jobs.strategies.rejected_keys import KEY_CHECKS, with_keys_checked
from merge_jobs.strategies.step import Condition, Step, on_store
from merge_jobs.strategies.strategy import Applying

MEASURED = ("dataset.analyze_delta", "dataset.measure_delta")
# The merge table is brought to a changed model; as-of functions and consumers' views follow.
BROUGHT_TO_MODEL = ("drift", "as_of", "views", "leftovers.readers")


def count_rows(of: Applying) -> None:
    """Set the counts that the delta makes."""
    unchanged = of.before - of.delta.changed - of.delta.gone
    of.counts = Counts(of.delta.new, of.delta.changed, of.delta.gone, unchanged, of.staged.rows)


def adds_up(of: Applying) -> bool:
    """Return whether the delta makes as many rows as the source has. Keys in the merge table are unique."""
    return of.before + of.delta.new - of.delta.gone == of.staged.rows


def accept_delta(of: Applying) -> None:
    """Check how much is deleted, and keep what quality checks need. Raises TooManyDeletes."""
    check_deletes(of.tables, of.before, of.delta, of.max_delete_fraction)
    keep_delta(of.tables)
    count_rows(of)


def _apply(of: Applying) -> None:
    loaded = of.tables.store.table(of.tables.staging_name)
    with_keys_checked(of.tables, loaded, lambda: apply_delta(of.tables, of.delta, of.before, of.batch_id))


APPLY_DELTA: Step[Applying] = Step(
    _apply,
    (
        on_store(
            "the merge table is brought to the source",
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
    ),
    also=KEY_CHECKS,
    when=Condition("where something differs", lambda of: of.delta.size > 0),
)
