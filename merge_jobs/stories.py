"""Which statements a batch of each strategy runs on a dataset, in order. A new strategy has its story here.

Left out are looks at the catalogue (whose a table is, whether it fits the model), which change nothing, the model's
quality checks, and what is run once a batch was refused. `.find_delta` is that statement of live.sql or forensic.sql,
by the platform's milestoning; statements of the other one of the two files are not run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(Enum):
    SOURCE = "source"
    STORE = "merge store"


@dataclass(frozen=True)
class Chapter:
    """Statements that belong together, on one side; `opens` and `ends` are what the driver adds around them."""

    side: Side
    title: str
    statements: tuple[str, ...]
    opens: str = ""
    ends: str = ""


BEGUN = Chapter(Side.STORE, "the batch begins", ("batches.start_batch",), ends="COMMIT")
SNAPSHOT = Chapter(
    Side.SOURCE,
    "one snapshot of all datasets of the stream",
    ("postgres_source.lock_tables", "postgres_source.snapshot_time"),
    opens="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
)
OUT = Chapter(Side.SOURCE, "all rows go out, through a pipe into the next COPY", ("postgres_source.copy_out",))
INGESTED = Chapter(Side.STORE, "everything is staged, the source is let go", ("batches.batch_ingested",), ends="COMMIT")
DRIFT = Chapter(Side.STORE, "only where the model has changed", ("drift.alter_merge_table",))
APPLY = Chapter(
    Side.STORE,
    "the merge table is brought to the source",
    (
        "dataset.keys_savepoint",
        "live.delete_gone",
        "live.update_changed",
        "live.insert_new",
        "forensic.close_deleted",
        "forensic.close_changed",
        "forensic.open_versions",
        "dataset.drop_delta",
        "dataset.drop_staging",
    ),
)
COMMITTED = Chapter(
    Side.STORE,
    "the batch and the stream's counter, in the same transaction",
    ("batches.batch_committed", "batches.forget_rejected_keys", "batches.move_counter"),
    ends="COMMIT",
)
NOTHING = Chapter(
    Side.STORE,
    "instead of that, where no dataset has changed",
    ("batches.batch_removed", "batches.move_counter"),
    ends="COMMIT",
)

STORIES: dict[str, tuple[Chapter, ...]] = {
    "initial": (
        BEGUN,
        SNAPSHOT,
        Chapter(Side.STORE, "a new merge table", (".create_merge_table", "dataset.comment_merge_table")),
        OUT,
        Chapter(Side.STORE, "straight into the new table", ("dataset.copy_to_new_merge_table",)),
        Chapter(
            Side.STORE,
            "the source is let go; the key, which refuses NULL and duplicates",
            (
                "dataset.index_memory",
                "dataset.keys_savepoint",
                "dataset.keys_are_not_null",
                ".create_key_index",
                "forensic.drop_first_batch_default",
                "dataset.analyze_merge_table",
            ),
        ),
        COMMITTED,
    ),
    "full": (
        BEGUN,
        SNAPSHOT,
        Chapter(
            Side.STORE,
            "an empty staging table",
            ("dataset.drop_staging", "dataset.create_staging", "dataset.comment_staging"),
        ),
        OUT,
        Chapter(Side.STORE, "into the staging table", ("dataset.copy_to_staging",)),
        INGESTED,
        DRIFT,
        Chapter(
            Side.STORE,
            "the keys whose rows differ",
            (
                "dataset.lock_merge_table",
                ".count_open",
                "dataset.size_of_staging",
                "dataset.work_memory",
                ".find_delta",
                "dataset.analyze_delta",
                "dataset.measure_delta",
            ),
        ),
        APPLY,
        COMMITTED,
        NOTHING,
    ),
}
