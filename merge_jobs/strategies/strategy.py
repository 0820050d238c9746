"""What a strategy reads from, and what it gives back: the same for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from config_schema.result import Counts
from merge_jobs.sources import Source
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.strategies.guard import Sight


@dataclass(frozen=True)
class Reading:
    """A dataset in the source's snapshot. `map_kind` is the row map to leave; None for none."""

    tables: DatasetTables
    source: Source
    batch_id: int
    sight: Sight | None = None
    map_kind: MapKind | None = None

    def guard(self, rows: int) -> dict[str, Any] | None:
        """What the map will hold under, with the number of rows that it will have."""
        return None if self.map_kind is None or self.sight is None else {**self.sight.facts, "rows": rows}


@dataclass(frozen=True)
class Read:
    """How many rows the source has, and how many of them are staged."""

    rows: int
    staged: int


class Doubt(Exception):
    """A strategy cannot tell what has changed, for the reason given: the batch runs full, in the same snapshot."""


class Strategy(Protocol):
    """A strategy reads the source first (`stage`), and touches the merge table only when the source is let go."""

    # Whether what is staged survives a commit, so that another job can go on from there.
    resumable: bool

    def stage(self, reading: Reading) -> Read:
        """Read the dataset. Raises Doubt where only a full batch is sure."""

    def apply(self, tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float) -> Counts:
        """Bring the merge table to what was staged, and the row map with it. The caller commits."""
