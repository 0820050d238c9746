"""Full: COPY the whole source into an unlogged staging table, then compare every row with the merge table."""

from __future__ import annotations

import logging

from config_schema.result import Counts
from merge_jobs.errors import StoreMismatch
from merge_jobs.quality.checks import keep_delta
from merge_jobs.schema_change.schema_drift import brought_to_model, drift
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.apply import (
    apply_delta,
    check_deletes,
    measured_delta,
    open_rows,
    set_work_memory,
)
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, create_staging, merge_table
from merge_jobs.strategies import row_map_load
from merge_jobs.strategies.rejected_keys import refuse_bad_keys, with_keys_checked
from merge_jobs.strategies.strategy import Read, Reading

log = logging.getLogger(__name__)


class Full:
    resumable = True

    def stage(self, reading: Reading) -> Read:
        tables = reading.tables
        made = create_staging(tables)
        standing = merge_table(tables)
        if standing is not None:
            drift(tables, standing, made)  # refused before the source is read
        if reading.map_kind is not None:
            row_maps.create_map_to_come(tables, reading.map_kind)
        rows = row_map_load.load_all(reading, row_map_load.staging_target(tables, made))
        return Read(rows, rows)

    def apply(self, tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float) -> Counts:
        # First, as it takes the strongest lock: a lock taken before would have to be raised.
        tables = brought_to_model(tables)
        tables.run("dataset.lock_merge_table")
        before = open_rows(tables)
        set_work_memory(tables)
        tables.run(".find_delta")
        delta = measured_delta(tables)
        if staged.audit:
            _audit(tables, staged)
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
            with_keys_checked(tables, loaded, lambda: apply_delta(tables, delta, before, batch_id))
        tables.run("dataset.drop_delta")
        if staged.map_kind is not None:
            row_maps.finish(tables, MapKind(staged.map_kind), tables.staged_map_name)
        row_maps.save(tables, staged, batch_id if delta.size else batch_id - 1, tables.staged_map_name, full=True)
        unchanged = before - delta.changed - delta.gone
        return Counts(delta.new, delta.changed, delta.gone, unchanged, staged.rows)


def _audit(tables: DatasetTables, staged: Staged) -> None:
    """Put the map's strategy off if it would have missed a change. That is no error: this batch merges them all."""
    kind = MapKind(staged.map_kind)
    missed = int(tables.value(f"{kind.value}.count_missed"))
    if missed:
        reason = f"an audit found {missed} changes that it would have missed"
        log.error("%s: %s is off until an operator clears it: %s", tables.where, kind.words, reason)
        row_maps.distrust(tables, kind, reason)
    else:
        log.info("%s: the audit found nothing that %s would have missed", tables.where, kind.words)
