"""How the delta of a batch is found: one module for each strategy, and the choice between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, assert_never

from config_schema.result import Counts
from merge_jobs.batches import Staged
from merge_jobs.errors import StoreMismatch
from merge_jobs.sources import Source
from merge_jobs.strategies import full, initial
from merge_jobs.tables import DatasetTables, merge_table


class Wanted(Enum):
    """What the command asks for."""

    AUTO = "auto"
    FULL = "full"
    VERSION_DIFF = "version_diff"
    KEY_HASH_DIFF = "key_hash_diff"


class Strategy(Protocol):
    """A strategy reads the source first (`stage`), and touches the merge table only when the source is let go."""

    # Whether what is staged survives a commit, so that another job can go on from there.
    resumable: bool

    def stage(self, tables: DatasetTables, source: Source, batch_id: int) -> int:
        """Read the dataset; gives back the number of rows in the source."""

    def apply(self, tables: DatasetTables, staged: Staged, batch_id: int, max_delete_fraction: float) -> Counts:
        """Bring the merge table to what was staged. The caller commits."""


@dataclass(frozen=True)
class Choice:
    strategy: str
    reason: str


STRATEGIES: dict[str, Strategy] = {"initial": initial.Initial(), "full": full.Full()}


def strategy_named(name: str) -> Strategy:
    return STRATEGIES[name]


def choice(tables: DatasetTables, wanted: Wanted, last_batch: int) -> Choice:
    """Which strategy a dataset's batch takes, and why.

    Raises StoreMismatch if the merge table is not ours, or if the stream knows of no batch that made it.
    """
    if merge_table(tables) is None:
        return Choice("initial", "the first load" if last_batch == 0 else "there is no merge table yet")
    if last_batch == 0:
        raise StoreMismatch(
            f"{tables.where}: table {tables.merge_name}",
            "the merge table is there, but the stream has no committed batch",
            "Restore the batch tables, or move the table away: a new one is then loaded",
        )
    match wanted:
        case Wanted.AUTO:
            return Choice("full", "every row is compared")
        case Wanted.FULL:
            return Choice("full", "asked for")
        case Wanted.VERSION_DIFF | Wanted.KEY_HASH_DIFF:
            return Choice("full", f"{wanted.value} was asked for, which this version does not have")
    assert_never(wanted)
