"""What a batch changed in the datasets of a stream: counts per column, and some keys with old and new values.

A forensic merge table has both versions of each row, so that nothing need be kept for it: each dataset is one query,
which takes no lock that a batch would wait for. Of a live one it is what the batch has kept (`keep_changes`).

The pages read no merge table: for them, what was found of a forensic batch is kept with it, its values for an hour.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extras import Json

from config_schema import names
from config_schema.errors import ValueWrong
from config_schema.model import DELETED_COLUMN, Classification, Dataset, Milestoning
from merge_jobs.admin.diff import NeverLoaded
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database_errors import database_failed
from merge_jobs.errors import StoreMismatch
from merge_jobs.stores.postgres import migrations, operator_audit
from merge_jobs.stores.postgres.changes import (
    LONGEST_KEPT,
    LONGEST_VALUE,
    Change,
    DatasetChanges,
    changes_from_dict,
    found_changes,
    value_parts,
)
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable, described, refuse_another_owner
from merge_jobs.stream import Stream

SESSION = "changes"  # in place of a run id
VALUES_ARE_KEPT_FOR = timedelta(hours=1)


class VersionsGone(StoreMismatch):
    """The versions that a batch has closed are deleted, as the dataset keeps closed versions for a limited time.

    Choose a later batch, or let the dataset keep them for longer: `keep_closed_days` in the model.
    """

    code = "DF5224"

    def __init__(self, where: str, batch_id: int, days: int) -> None:
        self.batch_id, self.days = batch_id, days
        what = f"batch {batch_id} ended more than {days} days ago, and versions that were closed by then are deleted"
        super().__init__(where, what, "Choose a later batch; keep_closed_days in the model says how long they are kept")


class ChangesNotKept(StoreMismatch):
    """A batch has kept nothing of what it changed in a dataset of a live platform.

    Give the dataset `keep_changes` in the model: later batches then keep it. A forensic platform needs none.
    """

    code = "DF5225"

    def __init__(self, where: str, batch_id: int) -> None:
        self.batch_id = batch_id
        what = f"batch {batch_id} has kept nothing of what it changed, and a live table has no earlier rows"
        super().__init__(where, what, "Give the dataset keep_changes in the model; batches keep it from then on")


@dataclass(frozen=True)
class BatchChanges:
    """What a batch changed, by dataset. `recorded` are the numbers that the batch has counted in all datasets."""

    batch_id: int
    run_id: str
    source_snapshot_time: datetime
    committed_at: datetime
    recorded: Mapping[Change, int]
    datasets: Mapping[str, DatasetChanges | StoreMismatch]

    @property
    def counted(self) -> Mapping[Change, int]:
        """The numbers that the versions give, in all datasets together."""
        of = [one.counts for one in self.datasets.values() if isinstance(one, DatasetChanges)]
        return {change: sum(one[change] for one in of) for change in Change}

    def without_keys(self) -> BatchChanges:
        """Return its numbers alone."""
        of = {
            name: replace(one, keys=()) if isinstance(one, DatasetChanges) else one
            for name, one in self.datasets.items()
        }
        return replace(self, datasets=of)


@dataclass(frozen=True)
class Sample:
    """How many keys of each kind are shown, values of which classifications, to whom, and why."""

    keys: int
    seen: Collection[Classification]
    by: str
    reason: str | None = None


def changes_of(
    place: ConnectionInfo,
    stream: Stream,
    datasets: Sequence[Dataset],
    batch_id: int | None = None,
    sample: Sample | None = None,
    *,
    keep: bool = False,
) -> BatchChanges | None:
    """Return what a committed batch changed in these datasets, the last one for None; None before the first.

    Who gets a sample is recorded in the history of the stream's row first. With `keep`, what is read from versions is
    kept with the batch too, in place of what was kept before; of a live platform it is there already. Raises ValueWrong
    for a batch that the stream has not committed.
    """
    with MergeStore(place, stream, SESSION) as store:
        try:
            if keep:
                migrations.run_missing_migrations(store)
            found = migrations.tables_version(store)
            found.check(store.where)
            batch = None if found.lost else _batch(store, batch_id)
            if batch is None:
                return None
            if sample is not None:
                operator_audit.record_action(store, "show_changes", sample.by, sample.reason)
                store.commit()
            number, run_id, taken, committed, kept, *recorded = batch
            platform = stream.platform_name
            every = [DatasetTables(store, one) for one in datasets]
            if stream.platform.milestoning is Milestoning.LIVE:
                of = {tables.name: _kept(tables, number, kept or {}, sample) for tables in every}
            else:
                if keep:
                    store.run("changes.hold_erasures", erased=store.table(names.erased_keys_table(platform)))
                of = {tables.name: _changes(tables, number, committed, sample, keep) for tables in every}
                if keep:
                    _keep(store, number, of)
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error
    return BatchChanges(number, run_id, taken, committed, dict(zip(Change, recorded, strict=True)), of)


def _batch(store: MergeStore, batch_id: int | None) -> tuple[Any, ...] | None:
    metrics = store.table(names.batch_metrics_table(store.stream.platform_name))

    def committed(number: int | None) -> tuple[Any, ...] | None:
        values = {"key": store.stream.key, "batch_id": number}
        return store.run("changes.committed_batch", values, metrics=metrics).fetchone()

    found = committed(batch_id)
    if found is None and batch_id is not None:
        last = committed(None)
        todo = "It has none yet" if last is None else f"Its last one is {last[0]}"
        raise ValueWrong("--batch", str(batch_id), f"is no committed batch of {store.stream}", todo)
    return found


def _changes(
    tables: DatasetTables, batch_id: int, committed_at: datetime, sample: Sample | None, keep: bool
) -> DatasetChanges | StoreMismatch:
    existing = described(tables, tables.merge_name)
    if existing is None:
        return NeverLoaded(tables.where, tables.merge_name)
    refuse_another_owner(tables, existing)
    days = tables.dataset.keep_closed_days
    if days is not None and tables.value("changes.is_older", {"time": committed_at, "days": days}):
        return VersionsGone(tables.where, batch_id, days)
    columns = [one.name for one in tables.dataset.columns if one.name in existing.columns]
    seen, key = _seen(tables, sample), tables.dataset.primary_key
    values = {"batch_id": batch_id, "limit": 0 if sample is None else sample.keys}
    parts = _parts(tables, existing, columns, seen, batch_id, LONGEST_KEPT if keep else LONGEST_VALUE)
    row = tables.run("changes.of_batch", values, **parts).fetchone()
    assert row is not None
    *counts, differing, shown = row
    return found_changes(dict(zip(Change, counts, strict=True)), differing, shown, columns, key, seen)


def _keep(store: MergeStore, batch_id: int, of: Mapping[str, DatasetChanges | StoreMismatch]) -> None:
    """Keep it with the batch and commit: the numbers as long as the batch, keys and values for an hour."""
    metrics = store.table(names.batch_metrics_table(store.stream.platform_name))
    kept: dict[str, dict[str, Any]] = {}
    failed: dict[str, dict[str, str]] = {}
    for name, one in of.items():
        if isinstance(one, DatasetChanges):
            kept[name] = one.kept_beside(kept)
        else:
            failed[name] = {"what": one.what, "todo": one.todo}
    values = {name: one["keys"] for name, one in kept.items() if one["keys"]}
    numbers = {name: {**one, "keys": []} for name, one in kept.items()}
    store.run("changes.forget_values", {"key": None}, metrics=metrics)
    given = {
        "key": store.stream.key,
        "batch_id": batch_id,
        "changes": Json(numbers),
        "unknown": Json(failed),
        "values": Json(values),
        "kept_for": VALUES_ARE_KEPT_FOR,
    }
    store.run("changes.keep", given, metrics=metrics)
    store.commit()


def forget_old_values(store: MergeStore) -> None:
    """Delete the values that were kept of the stream's batches for the pages, where their hour is over."""
    metrics = store.table(names.batch_metrics_table(store.stream.platform_name))
    store.run("changes.forget_values", {"key": store.stream.key}, metrics=metrics)


def _kept(
    tables: DatasetTables, batch_id: int, kept: Mapping[str, Any], sample: Sample | None
) -> DatasetChanges | StoreMismatch:
    if tables.name not in kept:
        return ChangesNotKept(tables.where, batch_id)
    limit = 0 if sample is None else sample.keys
    return changes_from_dict(kept[tables.name]).seen(_seen(tables, sample), tables.dataset.primary_key, limit)


def _seen(tables: DatasetTables, sample: Sample | None) -> frozenset[str]:
    """Return the columns whose values may be shown."""
    allowed = () if sample is None else sample.seen
    return frozenset(one.name for one in tables.dataset.columns if one.classification in allowed)


def _parts(
    tables: DatasetTables,
    existing: DescribedTable,
    columns: Sequence[str],
    seen: frozenset[str],
    batch_id: int,
    longest: int,
) -> dict[str, sql.Composable]:
    comma, key = sql.SQL(", "), tables.dataset.primary_key
    keys = [sql.Identifier(f"key_{number}") for number in range(1, len(key) + 1)]
    lost_in = sql.Identifier(names.own_column("ds_lost_in", key))
    return {
        **value_parts(columns, key, seen, longest),
        "keys": comma.join(keys),
        "keys_of_either": comma.join(
            sql.SQL("coalesce({}, {}) AS {}").format(sql.Identifier("s", name), sql.Identifier("m", name), one)
            for one, name in zip(keys, key, strict=True)
        ),
        "lost_in": sql.SQL(DELETED_COLUMN if DELETED_COLUMN in existing.columns else "NULL::integer"),
        "lost_in_name": lost_in,
        "was_lost": sql.SQL("coalesce(m.{} < {}, false)").format(lost_in, sql.Literal(batch_id)),
    }
