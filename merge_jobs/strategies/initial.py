"""Initial: COPY straight into a new merge table, in the transaction that makes it; the index comes afterwards."""

from __future__ import annotations

import logging
import time

from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.stores.postgres import as_of, row_maps
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, create_merge_table
from merge_jobs.strategies import row_map_load
from merge_jobs.strategies.rejected_keys import with_keys_checked
from merge_jobs.strategies.strategy import Read, Reading

log = logging.getLogger(__name__)

INDEX_MEMORY = "256MB"


class Initial:
    resumable = False

    def stage(self, reading: Reading) -> Read:
        tables = reading.tables
        made = create_merge_table(tables, reading.batch_id)
        if reading.map_kind is not None:
            row_maps.create_map(tables, reading.map_kind)
        rows = row_map_load.load_all(reading, row_map_load.merge_target(tables, made))
        return Read(rows, rows)

    def apply(self, tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float) -> Counts:
        began = time.monotonic()
        tables.run("dataset.index_memory", {"memory": INDEX_MEMORY})
        with_keys_checked(tables, tables.store.table(tables.merge_name), lambda: _finish(tables))
        log.info("%s batch %d: indexed in %.1f s", tables.where, batch_id, time.monotonic() - began)
        if staged.map_kind is not None:
            row_maps.finish(tables, MapKind(staged.map_kind), tables.map_name)
        row_maps.save(tables, staged, batch_id, tables.map_name, full=True)
        return Counts(inserted=staged.rows, total=staged.rows)


def _finish(tables: DatasetTables) -> None:
    tables.run("dataset.keys_are_not_null")
    tables.run(".create_key_index")
    if tables.milestoning is Milestoning.FORENSIC:
        tables.run("forensic.drop_first_batch_default")
    tables.run("dataset.analyze_merge_table")
    as_of.keep_functions(tables)
