"""What a strategy is: steps that stage a dataset, steps that apply it, their state, and steps that many share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from config_schema.result import Counts
from merge_jobs.database.together import in_step
from merge_jobs.schema_change import MergeAndStaging
from merge_jobs.sources import Source
from merge_jobs.sources.postgres.change_feed import FeedKeys
from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.apply import DeleteLimit, Delta
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.changes import DatasetChanges
from merge_jobs.stores.postgres.cursors import CursorPosition
from merge_jobs.stores.postgres.files_read import NextFile
from merge_jobs.stores.postgres.row_maps import MapKind, RowMap
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable, creating_staging
from merge_jobs.strategies.guard import TableState, cursor_facts
from merge_jobs.strategies.load_pipes import LoadPipe
from merge_jobs.strategies.step import Condition, Step, for_all, on_source, on_store, perform, perform_for_all


@dataclass(frozen=True)
class Reading:
    """A dataset in the source's snapshot. `map_kind` is the row map to make; None for none.

    `erased` is the number of the dataset's erased keys, `kept_away` how many rows of such keys the last map left out.
    Of a dataset with a cursor, `position` is how far the last batch has read, None for a batch that reads all rows;
    `sweep` says whether this one compares all keys, and `rows_before` is the number of the merge table's rows, where
    the last batch knew it. `now` is by the merge store's clock. `pipes` load all rows, if there are any, in place of
    the batch's own sessions. Row versions from about the transaction `changed_since` on are not in the map, where the
    batch may choose to read all rows instead if these are many.
    `next_file` is given where each file is read once.
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
    pipes: tuple[LoadPipe, ...] = ()
    changed_since: int | None = None
    next_file: NextFile | None = None
    is_behind: bool = False  # the map that is there, so that all keys are compared
    feed: FeedKeys | None = None  # what the log says, if the batch has asked it

    def guard(self, read: Read) -> dict[str, Any] | None:
        """Return the guard of the map, with the number of rows that it will have, or how far a cursor has come."""
        if self.next_file is not None:
            return {"cursor": {"next_file": self.next_file.to_dict()}, "rows": read.rows}
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
    is_untouched: bool = False  # no row has changed, and no table was made for changes
    instead: str | None = None  # why all rows must be read instead: then nothing is staged


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
    instead: str | None = None  # why all rows must be read instead: then nothing is staged

    @property
    def tables(self) -> DatasetTables:
        """The dataset's tables."""
        return self.reading.tables

    @property
    def is_untouched(self) -> bool:
        """Whether no row has changed, and so no table is made for changes."""
        return False


@dataclass
class Applying:
    """The state of the steps that apply a dataset: rows of the merge table before, the delta, and what was done.

    `known` is its row map, of a strategy that changes one, and `described` its merge and staging tables as they are.
    """

    tables: DatasetTables
    staged: Staged
    batch_id: int
    deletes: DeleteLimit
    known: RowMap | None = None
    described: MergeAndStaging | None = None
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
    `staging` creates the state for the `stage_steps`. They raise Doubt if only a full batch is reliable, which a
    strategy that stages datasets `together` never does.
    """

    name: str
    resumable: bool
    staging: Callable[[Reading], Stage]
    stage_steps: tuple[Step[Stage], ...]
    apply_steps: tuple[Step[Applying], ...]
    compare_steps: tuple[Step[Applying], ...] = ()  # of all datasets, before the first of them is applied
    together: Callable[[Reading], bool] = lambda _: False  # whether a dataset may be staged with others

    def stage(self, readings: Sequence[Reading], each: Callable[[Staging], AbstractContextManager[None]]) -> list[Read]:
        """Read the datasets, what is done for one of them in the context that `each` gives. Raises Doubt."""
        states = [self.staging(reading) for reading in readings]
        perform_for_all(self.stage_steps, states, each)
        return [
            Read(state.rows, state.staged, state.kept_away, state.position, state.is_untouched, state.instead)
            for state in states
        ]

    def compare(self, states: Sequence[Applying]) -> None:
        """Find what is to change in the merge tables, where that is not a part of applying it."""
        perform_for_all(self.compare_steps, states, lambda _: nullcontext())

    def apply(self, state: Applying) -> None:
        """Bring the merge table, and the row map, in line with what was staged. The caller commits."""
        perform(self.apply_steps, state)


STAGING = on_store("an empty staging table", "dataset.create_staging", "dataset.comment_staging")
INTO_STAGING = on_store("into the staging table", "dataset.copy_to_staging")
VERSIONS_OUT = on_source("the row versions of each block, by windows of blocks", "version_diff.versions")


def empty_staging(states: Sequence[Staging]) -> None:
    """Create an empty staging table for each dataset."""
    store = states[0].tables.store
    made = in_step([creating_staging(state.tables) for state in states], store.together)
    for state, table in zip(states, made, strict=True):
        state.made = table


KEYS_ERASED: Condition[Staging] = Condition("only where keys are erased", lambda state: state.reading.erased > 0)

CREATE_STAGING: Step[Staging] = for_all(empty_staging, (STAGING,))


def create_staged_map(kind: MapKind) -> Step[Staging]:
    """Return the step that creates an empty table for the changes in a map of that kind."""

    def empty_map(states: Sequence[Staging]) -> None:
        for state in states:
            row_maps.create_staged_map(state.tables, kind)

    title = "an empty table for what is to change in the map of the rows"
    return for_all(empty_map, (on_store(title, f"{kind.value}.create_staged_map", "row_map.comment_staged_map"),))
