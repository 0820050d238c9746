"""What a strategy is: steps that stage a dataset, steps that apply it, their state, and steps that many share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from config_schema.result import Counts
from merge_jobs.sources import Source
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.apply import DeleteLimit, Delta
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.changes import DatasetChanges
from merge_jobs.stores.postgres.cursors import CursorPosition
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable, create_staging
from merge_jobs.strategies.guard import TableState, cursor_facts
from merge_jobs.strategies.step import Condition, Step, on_source, on_store, perform


@dataclass(frozen=True)
class Reading:
    """A dataset in the source's snapshot. `map_kind` is the row map to make; None for none.

    `erased` is the number of the dataset's erased keys, `kept_away` how many rows of such keys the last map left out.
    Of a dataset with a cursor, `position` is how far the last batch has read, None for a batch that reads all rows;
    `sweep` says whether this one compares all keys, and `rows_before` is the number of the merge table's rows, where
    the last batch knew it. `now` is by the merge store's clock.
    """

    tables: DatasetTables
    source: Source
    batch_id: int
    sight: TableState | None = None
    map_kind: MapKind | None = None
    erased: int = 0
    kept_away: int = 0
    position: CursorPosition | None = None
    sweep: bool = False
    rows_before: int | None = None
    now: datetime | None = None

    def guard(self, read: Read) -> dict[str, Any] | None:
        """Return the guard of the map, with the number of rows that it will have, or how far a cursor has come."""
        if read.position is not None:
            facts = cursor_facts(self.tables.dataset, self.sight)
            return {**facts, "cursor": read.position.to_dict(), "rows": read.rows}
        if self.map_kind is None or self.sight is None:
            return None
        left_out = {"kept_away": read.kept_away} if read.kept_away else {}
        return {**self.sight.facts, "rows": read.rows, **left_out}


@dataclass(frozen=True)
class Read:
    """The number of rows in the source without those of erased keys, how many are staged, and how many those are.

    Of a batch that reads by a cursor, `rows` are the merge table's before it. `position` is how far a cursor has come.
    """

    rows: int
    staged: int
    kept_away: int = 0
    position: CursorPosition | None = None


class Doubt(Exception):
    """A strategy cannot tell what has changed, for the given reason: the batch runs full, in the same snapshot."""


@dataclass
class Staging:
    """The state of the steps that stage a dataset: the table that they made, and the numbers of `Read`.

    `rows` are all of the source's until those of erased keys are taken out.
    """

    reading: Reading
    made: DescribedTable = field(default_factory=lambda: DescribedTable({}, None))
    rows: int = 0
    staged: int = 0
    kept_away: int = 0
    position: CursorPosition | None = None

    @property
    def tables(self) -> DatasetTables:
        """The dataset's tables."""
        return self.reading.tables


@dataclass
class Applying:
    """The state of the steps that apply a dataset: rows of the merge table before, the delta, and what was done."""

    tables: DatasetTables
    staged: Staged
    batch_id: int
    deletes: DeleteLimit
    something_staged: bool = True
    before: int = 0
    delta: Delta = field(default_factory=lambda: Delta(0, 0, 0))
    counts: Counts = field(default_factory=Counts)
    changes: DatasetChanges | None = None  # where the batch keeps them

    @property
    def map_batch(self) -> int:
        """Return the batch that makes or changes the row map: the last one if this one finds nothing to merge."""
        return self.batch_id if self.delta.size else self.batch_id - 1


Stage = TypeVar("Stage", bound=Staging)


@dataclass(frozen=True)
class Strategy(Generic[Stage]):
    """A strategy reads the source first, and changes the merge table only after the source is closed.

    `resumable` says whether what is staged survives a commit, so that another job can continue from there;
    `staging` creates the state for the `stage_steps`. They raise Doubt if only a full batch is reliable.
    """

    name: str
    resumable: bool
    staging: Callable[[Reading], Stage]
    stage_steps: tuple[Step[Stage], ...]
    apply_steps: tuple[Step[Applying], ...]

    def stage(self, reading: Reading) -> Read:
        """Read the dataset. Raises Doubt."""
        state = self.staging(reading)
        perform(self.stage_steps, state)
        return Read(state.rows, state.staged, state.kept_away, state.position)

    def apply(self, tables: DatasetTables, staged: Staged, batch_id: int, deletes: DeleteLimit) -> Applying:
        """Bring the merge table, and the row map, in line with what was staged; return what was done.

        The caller commits.
        """
        state = Applying(tables, staged, batch_id, deletes)
        perform(self.apply_steps, state)
        return state


STAGING = on_store("an empty staging table", "dataset.create_staging", "dataset.comment_staging")
INTO_STAGING = on_store("into the staging table", "dataset.copy_to_staging")
VERSIONS_OUT = on_source("the row versions of each block, by windows of blocks", "version_diff.versions")


def empty_staging(state: Staging) -> None:
    """Create an empty staging table."""
    state.made = create_staging(state.tables)


KEYS_ERASED: Condition[Staging] = Condition("only where keys are erased", lambda state: state.reading.erased > 0)

CREATE_STAGING = Step(empty_staging, (STAGING,))


def create_staged_map(kind: MapKind) -> Step[Staging]:
    """Return the step that creates an empty table for the changes in a map of that kind."""

    def empty_map(state: Staging) -> None:
        row_maps.create_staged_map(state.tables, kind)

    title = "an empty table for what is to change in the map of the rows"
    return Step(empty_map, (on_store(title, f"{kind.value}.create_staged_map", "row_map.comment_staged_map"),))
