"""Allowing strategies again for datasets in which an audit found changes that they had missed."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2

from config_schema.model import Dataset
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database_errors import database_failed
from merge_jobs.stores.postgres import migrations, operator_audit, row_maps
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.stream import Stream

SESSION = "trust"  # in place of a run id, where another command says who holds the stream


def trust_again(
    place: ConnectionInfo,
    stream: Stream,
    datasets: Sequence[Dataset],
    lock_wait: float = 0,
    asked_by: str | None = None,
    reason: str | None = None,
) -> dict[str, dict[MapKind, str]]:
    """Allow every strategy again; return the datasets for which one was off, and why.

    The next batch of such a dataset is full, and makes a new map. Raises StreamBusy if a job is running.
    """
    with MergeStore(place, stream, SESSION) as store:
        try:
            store.lock_stream(lock_wait)
            found = migrations.tables_version(store)
            found.check(store.where)
            if found.lost:
                return {}
            cleared = {}
            for tables in (DatasetTables(store, dataset) for dataset in datasets):
                known = row_maps.find(tables)
                if known is not None and known.distrusted:
                    row_maps.trust(tables)
                    cleared[tables.name] = dict(known.distrusted)
            if cleared:
                operator_audit.record_action(store, "trust", asked_by, reason)
            store.commit()
            return cleared
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error
