"""Initial: COPY straight into a new merge table, in the transaction that makes it; the index comes afterwards."""

from __future__ import annotations

import logging
import time

from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.batches import Staged
from merge_jobs.rejected import with_keys_checked
from merge_jobs.sources import Source
from merge_jobs.strategies.read import read_into
from merge_jobs.tables import DatasetTables, create_merge_table

log = logging.getLogger(__name__)

INDEX_MEMORY = "256MB"


class Initial:
    resumable = False

    def stage(self, tables: DatasetTables, source: Source, batch_id: int) -> int:
        made = create_merge_table(tables, batch_id)
        return read_into(tables, source, made, "dataset.copy_to_new_merge_table")

    def apply(self, tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float) -> Counts:
        began = time.monotonic()
        tables.run("dataset.index_memory", {"memory": INDEX_MEMORY})
        with_keys_checked(tables, tables.store.table(tables.merge_name), lambda: _finish(tables))
        log.info("%s batch %d: indexed in %.1f s", tables.where, batch_id, time.monotonic() - began)
        return Counts(inserted=staged.rows, total=staged.rows)


def _finish(tables: DatasetTables) -> None:
    tables.run("dataset.keys_are_not_null")
    tables.run(".create_key_index")
    if tables.milestoning is Milestoning.FORENSIC:
        tables.run("forensic.drop_first_batch_default")
    tables.run("dataset.analyze_merge_table")
