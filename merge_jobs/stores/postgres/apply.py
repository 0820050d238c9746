"""Applies a delta: the same few statements for every strategy, live or forensic, each with an exact row count."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never

from config_schema.model import Milestoning
from merge_jobs.database.together import Lookup, in_step
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
    """The number of keys of each kind in a dataset's delta."""

    new: int
    changed: int
    gone: int

    @property
    def size(self) -> int:
        """The number of keys in the delta."""
        return self.new + self.changed + self.gone


def set_work_memory(tables: DatasetTables, staging: str | None = None, schema: str | None = None) -> None:
    """Give the comparison the memory for a hash of the staged rows, within limits: streams share the server.

    They are in the dataset's staging table, or in the table `staging` of a schema.
    """
    values = {"schema": schema or tables.store.place.schema, "table": staging or tables.staging_name}
    limits = {"least": LEAST_WORK_MEMORY, "most": MOST_WORK_MEMORY}
    tables.later("dataset.work_memory_for_staging", {**values, **limits})


def measured_delta(tables: DatasetTables) -> Delta:
    """Return the counts of the delta."""
    tables.later("dataset.analyze_delta")
    row = tables.run("dataset.measure_delta").fetchone()
    assert row is not None
    return Delta(*row)


def open_rows(tables: DatasetTables) -> int:
    """Return the number of rows of a live table, or of open versions of a forensic one."""
    return int(tables.value(".count_open"))


def measured(tables: DatasetTables) -> tuple[int, Delta]:
    """Return the number of open rows, and the counts of the delta."""
    (found,) = in_step([measuring(tables)], tables.store.together)
    return found


def measuring(tables: DatasetTables) -> Lookup[tuple[int, Delta]]:
    """Look for the number of open rows, and for the counts of the delta."""
    tables.later("dataset.analyze_delta")
    (delta,), ((before,),) = yield [tables.query("dataset.measure_delta"), tables.query(".count_open")]
    return int(before), Delta(*delta)


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
        tables.later("dataset.go_by_address")
    yield
    tables.later("dataset.go_as_planned")


def apply_delta(tables: DatasetTables, delta: Delta, before: int, batch_id: int) -> None:
    """Bring the merge table, which has `before` rows, in line with the staged rows.

    Raises StoreMismatch if a statement affected other rows than the delta's.
    """
    began = time.monotonic()
    with by_address(tables, delta, before):
        done = _applied(tables, delta, batch_id)
    if done != delta:
        raise MergeTableBroken(
            f"{tables.where}: table {tables.merge_name}",
            f"the merge would have done {done}, and the comparison had found {delta}",
            "Look for triggers or rules on the table; nothing was merged",
        )
    seconds = time.monotonic() - began
    log.info("%s batch %d: merged %d changes in %.1f s", tables.where, batch_id, delta.size, seconds)


def _applied(tables: DatasetTables, delta: Delta, batch_id: int) -> Delta:
    """Run the statements for the kinds of changes that there are; return how many rows each has changed."""
    keeps, batch = tables.dataset.keeps_deleted, {"batch_id": batch_id}
    of_batch = batch if tables.in_lake else None

    def rows(number: int, name: str, values: Mapping[str, int] | None = None) -> int:
        return tables.run(name, values).rowcount if number else 0

    match tables.milestoning:
        case Milestoning.LIVE:
            kept = rows(delta.gone, "dataset.keep_gone", batch) if keeps else 0
            gone = kept if keeps else rows(delta.gone, ".delete_gone")
            changed = rows(delta.changed, ".update_changed", of_batch)
            if keeps and delta.new:
                tables.later("live.take_returned")
            return Delta(rows(delta.new, ".insert_new", of_batch), changed, gone)
        case Milestoning.FORENSIC:
            gone = rows(delta.gone, "dataset.keep_gone" if keeps else "forensic.close_deleted", batch)
            changed = rows(delta.changed, "forensic.close_changed", batch)
            if keeps and delta.new:
                tables.later("forensic.take_returned", batch)
            return Delta(rows(delta.new + delta.changed, "forensic.open_versions", batch) - changed, changed, gone)
    assert_never(tables.milestoning)
