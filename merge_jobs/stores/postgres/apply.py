"""Applies a delta: the same few statements for every strategy, live or forensic, each with an exact row count."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never

from config_schema.model import Milestoning
from merge_jobs.errors import TooManyDeletes
from merge_jobs.stores.postgres.tables import DatasetTables, MergeTableBroken

log = logging.getLogger(__name__)

# A hash join may take twice its work_mem.
MOST_WORK_MEMORY = 128 << 20
LEAST_WORK_MEMORY = 32 << 20
# The planner would read both tables in whole to find even a few rows, whose addresses the delta has.
SMALL_DELTA = 0.05
SMALL_TABLE = 100  # up to so many rows a table may lose any part of them


@dataclass(frozen=True)
class Delta:
    """The number of keys of each kind in the table ds_delta."""

    new: int
    changed: int
    gone: int

    @property
    def size(self) -> int:
        """The number of keys in the delta."""
        return self.new + self.changed + self.gone


def open_rows(tables: DatasetTables) -> int:
    """Return the number of rows of a live table, or of open versions of a forensic one."""
    return int(tables.value(".count_open"))


def set_work_memory(tables: DatasetTables, staging: str | None = None, schema: str | None = None) -> None:
    """Give the comparison the memory for a hash of the staged rows, within limits: streams share the server.

    They are in the dataset's staging table, or in the table `staging` of a schema.
    """
    values = {"schema": schema or tables.store.place.schema, "table": staging or tables.staging_name}
    wanted = int(tables.store.value("dataset.size_of_staging", values) * 1.3)
    memory = min(max(wanted, LEAST_WORK_MEMORY), MOST_WORK_MEMORY)
    tables.run("dataset.work_memory", {"memory": f"{memory >> 10}kB"})


def measured_delta(tables: DatasetTables) -> Delta:
    """Return the counts of ds_delta."""
    tables.run("dataset.analyze_delta")
    row = tables.run("dataset.measure_delta").fetchone()
    assert row is not None
    return Delta(*row)


@dataclass(frozen=True)
class DeleteLimit:
    """How much of a table a batch may delete: a fraction of its rows, or as many rows as a person has approved."""

    fraction: float
    approved: int = 0

    def check(self, tables: DatasetTables, before: int, gone: int) -> None:
        """Raise TooManyDeletes if more of the table's `before` rows are gone from the source."""
        if before > SMALL_TABLE and gone > max(before * self.fraction, self.approved):
            raise TooManyDeletes(f"{tables.where}", tables.name, gone, before, self.fraction, self.approved)


@contextmanager
def by_address(tables: DatasetTables, delta: Delta, before: int) -> Iterator[None]:
    """Find the rows of a small delta by their addresses; `before` is the number of the merge table's rows."""
    if delta.size < before * SMALL_DELTA:
        tables.run("dataset.go_by_address")
    yield
    tables.run("dataset.go_as_planned")


def apply_delta(tables: DatasetTables, delta: Delta, before: int, batch_id: int) -> None:
    """Bring the merge table, which has `before` rows, in line with the staged rows.

    Raises StoreMismatch if a statement affected other rows than the delta's.
    """
    began = time.monotonic()
    with by_address(tables, delta, before):
        done = _applied(tables, batch_id)
    if done != delta:
        raise MergeTableBroken(
            f"{tables.where}: table {tables.merge_name}",
            f"the merge would have done {done}, and the comparison had found {delta}",
            "Look for triggers or rules on the table; nothing was merged",
        )
    seconds = time.monotonic() - began
    log.info("%s batch %d: merged %d changes in %.1f s", tables.where, batch_id, delta.size, seconds)


def _applied(tables: DatasetTables, batch_id: int) -> Delta:
    if tables.dataset.keeps_deleted:
        return _kept(tables, {"batch_id": batch_id})
    match tables.milestoning:
        case Milestoning.LIVE:
            gone = tables.run("live.delete_gone").rowcount
            changed = tables.run("live.update_changed").rowcount
            return Delta(tables.run("live.insert_new").rowcount, changed, gone)
        case Milestoning.FORENSIC:
            batch = {"batch_id": batch_id}
            gone = tables.run("forensic.close_deleted", batch).rowcount
            changed = tables.run("forensic.close_changed", batch).rowcount
            return Delta(tables.run("forensic.open_versions", batch).rowcount - changed, changed, gone)
    assert_never(tables.milestoning)


def _kept(tables: DatasetTables, batch: Mapping[str, int]) -> Delta:
    """Apply the delta where rows stay that the source has lost."""
    gone = tables.run("dataset.keep_gone", batch).rowcount
    match tables.milestoning:
        case Milestoning.LIVE:
            changed = tables.run("live.update_changed").rowcount
            tables.run("live.take_returned")
            return Delta(tables.run("live.insert_new").rowcount, changed, gone)
        case Milestoning.FORENSIC:
            changed = tables.run("forensic.close_changed", batch).rowcount
            tables.run("forensic.take_returned", batch)
            return Delta(tables.run("forensic.open_versions", batch).rowcount - changed, changed, gone)
    assert_never(tables.milestoning)
