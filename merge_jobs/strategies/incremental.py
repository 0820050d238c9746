"""Merging what may have changed: some rows, and the keys that are gone, known by a row map."""

from __future__ import annotations

from psycopg2 import sql

from config_schema.result import Counts
from merge_jobs.errors import MapWrong
from merge_jobs.quality.checks import keep_delta, needs_delta
from merge_jobs.schema_change.schema_drift import brought_to_model
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.apply import (
    SMALL_DELTA,
    apply_delta,
    check_deletes,
    measured_delta,
    open_rows,
    set_work_memory,
)
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.strategies.rejected_keys import refuse_bad_keys, with_keys_checked


def merge_changes(
    tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float, kind: MapKind
) -> Counts:
    """Bring merge table and map to what is staged. Raises KeysRejected or MapWrong if the rows do not add up."""
    counts = Counts(unchanged=staged.rows, total=staged.rows)
    if tables.value("row_map.something_staged"):
        counts = _merged(tables, staged, batch_id, max_delete_fraction, kind)
        for step in ("forget_changed", "keep_changed"):
            tables.run(f"{kind.value}.{step}")
        row_maps.save(tables, staged, batch_id if counts.changed else batch_id - 1, tables.map_name, full=False)
    else:
        _check_number(tables, staged)
        _keep_no_delta(tables)
    return counts


def _keep_no_delta(tables: DatasetTables) -> None:
    if needs_delta(tables):
        tables.run("row_map.create_empty_delta")
        keep_delta(tables)
        tables.run("dataset.drop_delta")


def _check_number(tables: DatasetTables, staged: Staged) -> None:
    """Raise MapWrong if the source has another number of rows than the map, though none is new, changed or gone."""
    known = row_maps.find(tables)
    if known is not None and known.rows not in (None, staged.rows):
        raise MapWrong(
            tables.where,
            f"the map has {known.rows} rows, the source has {staged.rows}, and no row has changed",
            "Try again: the next batch compares every row",
            tables.name,
        )


def _merged(tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float, kind: MapKind) -> Counts:
    # First, as it takes the strongest lock: a lock taken before would have to be raised.
    tables = brought_to_model(tables)
    tables.run("dataset.lock_merge_table")
    before = open_rows(tables)
    set_work_memory(tables)
    tables.run(f"{kind.value}.find_gone")
    tables.run("row_map.analyze_gone")
    if staged.staged < before * SMALL_DELTA:
        tables.run("dataset.go_by_address")
    tables.run(".find_changes")
    tables.run("dataset.go_as_planned")
    delta = measured_delta(tables)
    if before + delta.new - delta.gone != staged.rows:
        tables.run(f"{kind.value}.find_all_keys")
        refuse_bad_keys(tables, sql.Identifier("ds_all_keys"))
        raise MapWrong(
            f"{tables.where}",
            f"{before} rows, {delta.new} new and {delta.gone} gone do not add up to the source's {staged.rows}",
            "Try again: the next batch compares every row",
            tables.name,
        )
    check_deletes(tables, before, delta, max_delete_fraction)
    keep_delta(tables)
    if delta.size:
        loaded = tables.store.table(tables.staging_name)
        with_keys_checked(tables, loaded, lambda: apply_delta(tables, delta, before, batch_id))
    tables.run("dataset.drop_delta")
    tables.run("row_map.drop_gone")
    return Counts(delta.new, delta.changed, delta.gone, before - delta.changed - delta.gone, staged.rows)
