"""Full: COPY the whole source into an unlogged staging table, then compare every row with the merge table."""

from __future__ import annotations

from config_schema.result import Counts
from merge_jobs.batches import Staged
from merge_jobs.errors import StoreMismatch
from merge_jobs.merge import Delta, apply_delta, check_deletes, open_rows
from merge_jobs.quality import keep_delta
from merge_jobs.rejected import refuse_bad_keys, with_keys_checked
from merge_jobs.schema_drift import brought_to_model, drift
from merge_jobs.sources import Source
from merge_jobs.strategies.read import read_into
from merge_jobs.tables import DatasetTables, create_staging, merge_table

# A hash join may take twice its work_mem; many streams share a server.
MOST_WORK_MEMORY = 128 << 20
LEAST_WORK_MEMORY = 4 << 20


class Full:
    resumable = True

    def stage(self, tables: DatasetTables, source: Source, batch_id: int) -> int:
        made = create_staging(tables)
        standing = merge_table(tables)
        if standing is not None:
            drift(tables, standing, made)  # refused before the source is read
        return read_into(tables, source, made, "dataset.copy_to_staging")

    def apply(self, tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float) -> Counts:
        # First, as it takes the strongest lock: a lock taken before would have to be raised.
        tables = brought_to_model(tables)
        tables.run("dataset.lock_merge_table")
        before = open_rows(tables)
        delta = _found_delta(tables)
        # Keys in the merge table are unique: the sum is off just when the source has a key twice.
        if before + delta.new - delta.gone != staged.rows:
            refuse_bad_keys(tables, tables.store.table(tables.staging_name))
            raise StoreMismatch(
                f"{tables.where}: table {tables.merge_name}",
                f"{before} rows, {delta.new} new and {delta.gone} gone do not add up to the source's {staged.rows}",
                "Check the table's unique index; nothing was merged",
            )
        check_deletes(tables, before, delta, max_delete_fraction)
        keep_delta(tables)
        if delta.size:
            loaded = tables.store.table(tables.staging_name)
            with_keys_checked(tables, loaded, lambda: apply_delta(tables, delta, batch_id))
        tables.run("dataset.drop_delta")
        tables.run("dataset.drop_staging")
        unchanged = before - delta.changed - delta.gone
        return Counts(delta.new, delta.changed, delta.gone, unchanged, staged.rows)


def _found_delta(tables: DatasetTables) -> Delta:
    values = {"schema": tables.store.place.schema, "table": tables.staging_name}
    wanted = int(tables.store.value("dataset.size_of_staging", values) * 1.3)
    memory = min(max(wanted, LEAST_WORK_MEMORY), MOST_WORK_MEMORY)
    tables.run("dataset.work_memory", {"memory": f"{memory >> 10}kB"})
    tables.run(".find_delta")
    tables.run("dataset.analyze_delta")
    row = tables.run("dataset.measure_delta").fetchone()
    assert row is not None
    return Delta(*row)
