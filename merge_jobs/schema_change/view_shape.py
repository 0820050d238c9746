"""Whether a batch changes what consumers' views are made of: tables that come, columns that come, go or widen."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema import names
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.batches import Batch
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables


def is_changed(store: MergeStore, batch: Batch, last: int) -> bool:
    """Return whether the batch changes the tables or columns that views read; call it before the batch is applied.

    It compares with the model of the last batch, or with that of the row map where a dataset has one.
    """
    if any(staged.strategy == "initial" for staged in batch.staged.values()):
        return True
    return any(_differs(store, batch, tables, last) for tables in _read_in_full(store, batch))


def _read_in_full(store: MergeStore, batch: Batch) -> Iterator[DatasetTables]:
    # Where the model of a dataset has changed no strategy but this will do.
    for dataset in store.stream.datasets:
        if batch.staged[dataset.name].strategy == "full":
            yield DatasetTables(store, dataset)


def _differs(store: MergeStore, batch: Batch, tables: DatasetTables, last: int) -> bool:
    known, guard = row_maps.find(tables), batch.staged[tables.name].guard
    if known is not None and guard is not None and "model" in known.guard:
        return bool(known.guard["model"] != guard["model"])
    values = {"key": store.stream.key, "batch_id": last}
    metrics = store.table(names.batch_metrics_table(store.stream.platform_name))
    before = store.value("batches.schema_of_batch", values, metrics=metrics)
    return before is not None and before != batch.fingerprint
