"""Deletes closed versions that a dataset keeps for a limited time: those that were closed longer ago."""

from __future__ import annotations

import logging

from psycopg2 import sql

from config_schema import names
from config_schema.model import Milestoning
from merge_jobs.stores.postgres.tables import DatasetTables

log = logging.getLogger(__name__)

AT_ONCE = 100_000  # versions that one batch deletes of a dataset
BATCHES = 10_000  # that are looked through for the newest one that is old enough


def is_limited(tables: DatasetTables) -> bool:
    """Return whether the dataset's closed versions are kept for a limited time."""
    return tables.milestoning is Milestoning.FORENSIC and tables.dataset.keep_closed_days is not None


def forget_closed(tables: DatasetTables) -> int:
    """Delete the oldest versions that were closed before the time that the dataset keeps them; return their number.

    The caller commits.
    """
    store = tables.store
    index = names.merge_closed_index(tables.merge_name)
    named = {"schema": store.place.schema, "table": tables.merge_name, "index": index}
    if not tables.value("repair.index_of_table", named):
        tables.run("retention.create_closed_index", closed_index=sql.Identifier(index))
    metrics = store.table(names.batch_metrics_table(store.stream.platform_name))
    values = {"key": store.stream.key, "days": tables.dataset.keep_closed_days, "batches": BATCHES}
    horizon = tables.value("retention.horizon", values, metrics=metrics)
    if horizon is None:
        return 0
    number = tables.run("retention.forget_closed", {"horizon": horizon, "limit": AT_ONCE}).rowcount
    if number:
        days = tables.dataset.keep_closed_days
        log.info("%s: deleted %d versions that were closed more than %d days ago", tables.where, number, days)
    return number
