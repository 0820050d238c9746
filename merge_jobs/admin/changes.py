"""What a batch changed in the datasets of a forensic stream: counts per column, and some keys with old and new values.

The merge table has both versions of each row, so that nothing need be kept for it: each dataset is one query, which
takes no lock that a batch would wait for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import psycopg2
from psycopg2 import sql

from config_schema import names
from config_schema.errors import ValueWrong
from config_schema.model import DELETED_COLUMN, Classification, Dataset, Milestoning
from merge_jobs.admin.diff import NeverLoaded
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database_errors import database_failed
from merge_jobs.errors import StoreMismatch
from merge_jobs.stores.postgres import migrations, operator_audit
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable, described, refuse_another_owner
from merge_jobs.stream import Stream

SESSION = "changes"  # in place of a run id
LONGEST_VALUE = 1000  # characters of each value of a sample


class VersionsGone(StoreMismatch):
    """The versions that a batch has closed are deleted, as the dataset keeps closed versions for a limited time.

    Choose a later batch, or let the dataset keep them for longer: `keep_closed_days` in the model.
    """

    code = "DF5224"

    def __init__(self, where: str, batch_id: int, days: int) -> None:
        self.batch_id, self.days = batch_id, days
        what = f"batch {batch_id} ended more than {days} days ago, and versions that were closed by then are deleted"
        super().__init__(where, what, "Choose a later batch; keep_closed_days in the model says how long they are kept")


class Change(Enum):
    """What a batch did to a key."""

    INSERTED = "inserted"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True)
class Values:
    """A column of a changed key before and after, as texts; None for NULL and where there is no such row."""

    old: str | None
    new: str | None


@dataclass(frozen=True)
class ChangedKey:
    """A key that a batch changed, with its values; None for a key that may not be seen.

    `values` are of the columns that differ; for a row that came or went they are all that are not NULL. `hidden` are
    columns that differ too and whose values may not be seen.
    """

    change: Change
    key: Mapping[str, str] | None
    values: Mapping[str, Values]
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetChanges:
    """The number of keys by what was done to them, how many updated ones differ in each column, and some keys."""

    counts: Mapping[Change, int]
    columns: Mapping[str, int]
    keys: tuple[ChangedKey, ...] = ()


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
) -> BatchChanges | None:
    """Return what a committed batch changed in these datasets, the last one for None; None before the first.

    Who gets a sample is recorded in the history of the stream's row first. Raises ValueWrong for a live platform, and
    for a batch that the stream has not committed.
    """
    if stream.platform.milestoning is Milestoning.LIVE:
        reason = "keeps live rows only, so that nothing is known of what they were before a batch"
        raise ValueWrong("--platform", stream.platform.name, reason, "Choose a forensic platform")
    with MergeStore(place, stream, SESSION) as store:
        try:
            found = migrations.tables_version(store)
            found.check(store.where)
            batch = None if found.lost else _batch(store, batch_id)
            if batch is None:
                return None
            if sample is not None:
                operator_audit.record_action(store, "show_changes", sample.by, sample.reason)
                store.commit()
            of = {one.name: _changes(DatasetTables(store, one), batch[0], batch[3], sample) for one in datasets}
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error
    number, run_id, taken, committed, *recorded = batch
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
    tables: DatasetTables, batch_id: int, committed_at: datetime, sample: Sample | None
) -> DatasetChanges | StoreMismatch:
    existing = described(tables, tables.merge_name)
    if existing is None:
        return NeverLoaded(tables.where, tables.merge_name)
    refuse_another_owner(tables, existing)
    days = tables.dataset.keep_closed_days
    if days is not None and tables.value("changes.is_older", {"time": committed_at, "days": days}):
        return VersionsGone(tables.where, batch_id, days)
    columns = [one for one in tables.dataset.columns if one.name in existing.columns]
    seen = frozenset(one.name for one in columns if sample is not None and one.classification in sample.seen)
    values = {"batch_id": batch_id, "limit": 0 if sample is None else sample.keys}
    row = tables.run("changes.of_batch", values, **_parts(tables, existing, seen, batch_id)).fetchone()
    assert row is not None
    *counts, differing, shown = row
    named = [one.name for one in columns]
    return DatasetChanges(
        dict(zip(Change, counts, strict=True)),
        {name: number for name, number in zip(named, differing, strict=True) if number},
        tuple(_changed_key(one, tables.dataset, named, seen) for one in shown or ()),
    )


def _changed_key(
    shown: Mapping[str, Any], dataset: Dataset, columns: Sequence[str], seen: frozenset[str]
) -> ChangedKey:
    key = dict(zip(dataset.primary_key, shown["key"], strict=True)) if seen.issuperset(dataset.primary_key) else None
    both = zip(columns, shown["different"], shown["old"], shown["new"], strict=True)
    differing = [(name, Values(old, new)) for name, is_different, old, new in both if is_different]
    return ChangedKey(
        Change(shown["kind"]),
        key,
        {name: values for name, values in differing if name in seen},
        tuple(name for name, _ in differing if name not in seen),
    )


def _parts(
    tables: DatasetTables, existing: DescribedTable, seen: frozenset[str], batch_id: int
) -> dict[str, sql.Composable]:
    """Return the placeholders of the query; values of columns that are not `seen` are not in it."""
    comma, key = sql.SQL(", "), tables.dataset.primary_key
    keys = [sql.Identifier(f"key_{number}") for number in range(1, len(key) + 1)]
    both = list(zip(keys, key, strict=True))
    columns = [one.name for one in tables.dataset.columns if one.name in existing.columns]
    lost_in = sql.Identifier(names.own_column("ds_lost_in", key))

    def differs(name: str) -> sql.Composable:
        return sql.SQL("ROW({})::record *<> ROW({})::record").format(
            sql.Identifier("s", name), sql.Identifier("m", name)
        )

    def text(value: sql.Composable) -> sql.Composable:
        # Every type has a text, which ::text would trim of a char(n).
        parts = (value, value, sql.Literal(LONGEST_VALUE))
        return sql.SQL("CASE WHEN {} IS NOT NULL THEN left(format('%s', {}), {}) END").format(*parts)

    def texts(alias: str) -> sql.Composable:
        of = (
            sql.SQL("CASE WHEN {} THEN {} END").format(differs(name), text(sql.Identifier(alias, name)))
            if name in seen
            else sql.SQL("NULL")
            for name in columns
        )
        return comma.join(of)

    return {
        "keys": comma.join(keys),
        "keys_of_either": comma.join(
            sql.SQL("coalesce({}, {}) AS {}").format(sql.Identifier("s", name), sql.Identifier("m", name), one)
            for one, name in both
        ),
        "lost_in": sql.SQL(DELETED_COLUMN if DELETED_COLUMN in existing.columns else "NULL::integer"),
        "lost_in_name": lost_in,
        "was_lost": sql.SQL("coalesce(m.{} < {}, false)").format(lost_in, sql.Literal(batch_id)),
        "key_texts": sql.SQL("ARRAY[{}]").format(
            comma.join(text(sql.SQL("d.{}").format(one)) if seen.issuperset(key) else sql.SQL("NULL") for one in keys)
        ),
        "differing_rows": comma.join(sql.SQL("count(*) FILTER (WHERE {})").format(differs(name)) for name in columns),
        "is_different": comma.join(map(differs, columns)),
        "old_texts": texts("m"),
        "new_texts": texts("s"),
    }
