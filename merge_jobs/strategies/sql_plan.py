"""Which statements a batch of each strategy runs on a dataset, in order. A new strategy has its story here.

Left out are looks at the catalogue (whose a table is, whether it fits the model), which change nothing, the model's
quality checks, the as-of functions of a forensic table, which `merge-job sql as-of` shows, and what is run once a batch
was refused.
`.find_delta` is that statement of live.sql or forensic.sql, by the platform's milestoning; statements of the other one
of the two files are not run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(Enum):
    SOURCE = "source"
    STORE = "merge store"


@dataclass(frozen=True)
class Chapter:
    """Statements that belong together, on one side; `opens` and `ends` are what the driver adds around them.

    A chapter of `maps` is about what the merge store knows of the rows of a producer on PostgreSQL.
    """

    side: Side
    title: str
    statements: tuple[str, ...]
    opens: str = ""
    ends: str = ""
    maps: bool = False


def on_source(title: str, *statements: str, opens: str = "", maps: bool = False) -> Chapter:
    return Chapter(Side.SOURCE, title, statements, opens, maps=maps)


def on_store(title: str, *statements: str, ends: str = "", maps: bool = False) -> Chapter:
    return Chapter(Side.STORE, title, statements, ends=ends, maps=maps)


BEGUN = (
    on_store("the batch begins", "batches.start_batch", ends="COMMIT"),
    on_store("where the source stood when the last batch was read", "batches.source_position"),
)
NOT_BEHIND = on_source(
    "a source that is behind that is waited for, or refused", "guard.position_is_readable", "guard.position"
)
READ = (
    on_source(
        "one snapshot of all datasets of the stream",
        "postgres_source.lock_tables",
        opens="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE",
    ),
    on_source("where the source stands now", "guard.position_is_readable", "guard.position"),
    on_store("the time that the batch is valid from", "batches.valid_time"),
    on_source(
        "are its row versions still those that the merge store knows?",
        "guard.server_is_readable",
        "guard.server",
        "guard.leaves",
        "guard.columns",
        "guard.types",
        "guard.key_types",
        maps=True,
    ),
    on_store("what it knows, which decides the strategy", "row_map.find", maps=True),
)
SNAPSHOT = (*BEGUN, NOT_BEHIND, *READ)
FIRST_SNAPSHOT = (*BEGUN, *READ)
STAGING = on_store("an empty staging table", "dataset.create_staging", "dataset.comment_staging")
OUT = on_source("all rows go out, through a pipe into the next COPY", "postgres_source.copy_out")
INTO_STAGING = on_store("into the staging table", "dataset.copy_to_staging")
INGESTED = on_store("everything is staged, the source is let go", "batches.batch_ingested", ends="COMMIT")
MAP_COUNTED = on_store(
    "by its number a later run sees whether a server has emptied it", "row_map.count_staged", maps=True
)
MEASURED = ("dataset.analyze_delta", "dataset.measure_delta")
APPLY = on_store(
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
    "dataset.drop_delta",
)
COMMITTED = on_store(
    "the batch and the stream's counter, in the same transaction",
    "batches.batch_committed",
    "batches.forget_rejected_keys",
    "batches.move_counter",
    ends="COMMIT",
)
NOTHING = on_store(
    "instead of that, where no dataset has changed", "batches.batch_removed", "batches.move_counter", ends="COMMIT"
)
DROPPED = on_store(
    "afterwards: what was staged is dropped; a table that another session reads stays until a later batch",
    "leftovers.do_not_wait",
    "leftovers.drop",
)
RENAMED = on_store(
    "the old map was dropped too: the new one gets its name",
    "leftovers.rename_map",
    "leftovers.map_has_its_usual_name",
    maps=True,
)
DONE = on_store("that is all", ends="COMMIT")
VERSIONS_OUT = on_source("the row versions of each block, by windows of blocks", "version_diff.versions", maps=True)


def staged_map(kind: str) -> Chapter:
    title = "an empty table for what is to change in the map of the rows"
    statements = (f"{kind}.create_staged_map", "row_map.comment_staged_map")
    return on_store(title, *statements, maps=True)


def changes_merged(kind: str) -> tuple[Chapter, ...]:
    """The second half of a batch that has read only some of the rows."""
    return (
        on_store(
            "the keys whose rows differ, of those that may; where nothing is staged, none of it",
            "row_map.something_staged",
            "dataset.lock_merge_table",
            ".count_open",
            "dataset.size_of_staging",
            "dataset.work_memory",
            f"{kind}.find_gone",
            "row_map.analyze_gone",
            "dataset.go_by_address",
            ".find_changes",
            "dataset.go_as_planned",
            *MEASURED,
        ),
        APPLY,
        on_store(
            "the map changes with the merge table",
            "row_map.drop_gone",
            f"{kind}.forget_changed",
            f"{kind}.keep_changed",
            "row_map.save",
        ),
        COMMITTED,
        NOTHING,
        DROPPED,
        DONE,
    )


# Maps are by row versions here, as of a plain table. Others come with the rows: "key_hash_diff.rows_and_hashes" reads
# both in one pass, and "key_hash_diff.map_loaded" takes the hashes from what was loaded.
STORIES: dict[str, tuple[Chapter, ...]] = {
    "initial": (
        *FIRST_SNAPSHOT,
        on_store("a new merge table", ".create_merge_table", "dataset.comment_merge_table"),
        on_store(
            "a map of the rows",
            "version_diff.create_map",
            "row_map.comment_map",
            maps=True,
        ),
        OUT,
        on_store("straight into the new table", "dataset.copy_to_new_merge_table"),
        VERSIONS_OUT,
        on_store("into the map", "version_diff.copy_to_map", maps=True),
        on_store(
            "the source is let go; the key, which refuses NULL and duplicates",
            "dataset.index_memory",
            "dataset.keys_savepoint",
            "dataset.keys_are_not_null",
            ".create_key_index",
            "forensic.drop_first_batch_default",
            "dataset.analyze_merge_table",
        ),
        on_store("the map is ready", "version_diff.index_map", "version_diff.analyze_map", "row_map.save", maps=True),
        COMMITTED,
    ),
    "full": (
        *SNAPSHOT,
        STAGING,
        on_store(
            "an empty map of the rows, to become the map",
            "version_diff.create_map",
            "row_map.comment_staged_map",
            maps=True,
        ),
        OUT,
        on_store("into the staging table", "dataset.copy_all_to_staging"),
        VERSIONS_OUT,
        on_store("into that map", "version_diff.copy_to_map_to_come", maps=True),
        INGESTED,
        on_store("does it change what consumers' views are made of?", "row_map.find", maps=True),
        on_store(
            "only where the model has changed, in short tries until the locks are there",
            "drift.lock_timeout",
            "drift.before_a_try",
            "drift.wait_for_locks",
            "drift.lock_to_change",
            "drift.wait_for_locks",
            "drift.alter_merge_table",
        ),
        on_store(
            "the keys whose rows differ",
            "dataset.lock_merge_table",
            ".count_open",
            "dataset.size_of_staging",
            "dataset.work_memory",
            ".find_delta",
            *MEASURED,
        ),
        on_store("only in an audit: what version diff would have missed", "version_diff.count_missed", maps=True),
        APPLY,
        on_store("a new map", "version_diff.index_map", "version_diff.analyze_map", "row_map.save", maps=True),
        COMMITTED,
        NOTHING,
        DROPPED,
        RENAMED,
        DONE,
    ),
    "version_diff": (
        *SNAPSHOT,
        STAGING,
        staged_map("version_diff"),
        on_store("room for a digest of each block", "version_diff.create_digests"),
        on_source("a digest of the versions in each block, by windows of blocks", "version_diff.digests"),
        on_store(
            "which blocks are not as they were",
            "version_diff.copy_digests",
            "version_diff.count_versions",
            "version_diff.find_changed_blocks",
            "version_diff.count_changed_blocks",
            "version_diff.stage_gone_blocks",
            "version_diff.changed_blocks",
        ),
        on_source("the versions in these blocks", "version_diff.versions"),
        on_store(
            "those that are new",
            "version_diff.copy_to_staged_map",
            "dataset.work_memory",
            "version_diff.find_new_versions",
            "version_diff.new_versions",
        ),
        on_source("their rows, in pieces", "version_diff.rows"),
        INTO_STAGING,
        on_store("the look is over", "version_diff.drop_look"),
        MAP_COUNTED,
        INGESTED,
        *changes_merged("version_diff"),
    ),
    "key_hash_diff": (
        *SNAPSHOT,
        STAGING,
        staged_map("key_hash_diff"),
        on_store("room for a hash of each row", "key_hash_diff.drop_look", "key_hash_diff.create_hashes"),
        on_source("a hash of each row, with its key", "key_hash_diff.hashes"),
        on_store(
            "which hashes are not as they were",
            "key_hash_diff.copy_hashes",
            "key_hash_diff.analyze_hashes",
            "key_hash_diff.stage_changes",
            "row_map.find",
            "key_hash_diff.new_hashes",
        ),
        on_source("their rows, by their hashes, in pieces", "key_hash_diff.rows"),
        INTO_STAGING,
        on_store(
            "each key with a new hash has its row, or all rows are read",
            "key_hash_diff.count_unread",
            "key_hash_diff.drop_look",
        ),
        MAP_COUNTED,
        INGESTED,
        *changes_merged("key_hash_diff"),
    ),
}
