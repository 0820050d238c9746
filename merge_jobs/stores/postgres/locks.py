"""Locks of a server: room for those of a batch, checked before it needs them, and exclusive ones in short tries.

A server keeps the locks of all sessions in one table. Its size is max_locks_per_transaction x (max_connections +
max_prepared_transactions), and somewhat more. A transaction on many tables can fill it: error 53200 in any session.

A session that asks for a table waits behind a session that waits for an exclusive lock on it. So one long reader would
block all other readers while the job waits: the job asks for a moment only, again and again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from config_schema.errors import StreamFactoryError
from config_schema.model import Dataset, Milestoning
from merge_jobs.database.together import Lookup, in_step
from merge_jobs.process import shutdown
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import Query
from merge_jobs.stores.postgres.batches import Batch
from merge_jobs.stores.postgres.merge_store import MergeStore

log = logging.getLogger(__name__)

# Locks of a dataset in the transaction that merges: its tables, their indexes and those of long values, as measured.
# Tables without long values take less.
LOCKS = {
    "initial": 12,
    "full": 8,
    "version_diff": 13,
    "key_hash_diff": 13,
    "change_feed": 13,
    "cursor": 13,
    "new_files": 15,
}
FORENSIC = {"initial": 5, **dict.fromkeys(LOCKS.keys() - {"initial"}, 1)}
UNCHANGED = 1
READ_TOGETHER = 20  # datasets of which a statement on the source may read something
CERTAIN = 0.6  # the part of these that any dataset takes
# Of an exclusive lock in tries.
FIRST_SECONDS, LONGEST_SECONDS = 0.1, 2.0
PAUSE_SECONDS = 1.0  # between two tries: those who have queued meanwhile go first


class TooManyLocks(StreamFactoryError):
    """A batch takes more locks than the server's table of locks has room for.

    Raise max_locks_per_transaction on that server and restart it, or make the datastore single_dataset.
    """

    code = "DF5006"

    def __init__(self, where: str, what: str, needed: int, slots: int, per_transaction: int) -> None:
        self.needed, self.slots, self.per_transaction = needed, slots, per_transaction
        # One session is not to take all of it.
        self.advised = max(-(-2 * needed * per_transaction // slots), per_transaction)
        todo = (
            f"Set max_locks_per_transaction to {self.advised} on that server (it is {per_transaction}) and restart it, "
            "or split the datastore: single_dataset makes a stream of each dataset"
        )
        super().__init__(where, f"{what} take about {needed} locks, and the server has room for {slots}", todo)


@dataclass(frozen=True)
class LockRoom:
    """Locks for which the server promises room, and really has room, and max_locks_per_transaction."""

    slots: int
    capacity: int
    per_transaction: int


def check_source(source: PostgresSource, datasets: Sequence[Dataset]) -> None:
    """Raise TooManyLocks if the producer's server has no room for the locks of a snapshot of the datasets."""
    in_step([checking_source(source, datasets)], source.together)


def checking_source(source: PostgresSource, datasets: Sequence[Dataset]) -> Lookup[None]:
    """Look whether the producer's server has room for these locks; see `check_source`."""
    tables_of = [dataset.source_table for dataset in datasets]
    values = {"schema": source.place.schema, "tables": tables_of, "together": READ_TOGETHER}
    ((tables, others, kept),), (room,) = yield [Query("lock_room.of_source", values), Query("lock_room.room")]
    what = f"{len(datasets)} datasets with {tables} tables and partitions, and {kept} indexes that are read with them,"
    _check(source.where, room, tables + kept, tables + others, what)


def check_first_loads(store: MergeStore, number: int) -> None:
    """Raise TooManyLocks if the merge store's server has no room to load so many datasets in one transaction."""
    if number:
        what = f"{number} datasets that are loaded in one transaction"
        in_step([_checking_store(store, ["initial"] * number, what)], store.together)


def checking_merge(store: MergeStore, batch: Batch) -> Lookup[None]:
    """Look whether the merge store's server has room for the locks of the transaction that merges.

    Raises TooManyLocks if it has not.
    """
    changed = [of.strategy for of in batch.staged.values() if of.strategy in ("initial", "full") or of.staged]
    what = f"{len(changed)} of {len(batch.staged)} datasets that are merged in one transaction"
    yield from _checking_store(store, changed, what, (len(batch.staged) - len(changed)) * UNCHANGED)


def _checking_store(store: MergeStore, strategies: Sequence[str], what: str, others: int = 0) -> Lookup[None]:
    needed = others + sum(LOCKS[strategy] for strategy in strategies)
    if store.stream.platform.milestoning is Milestoning.FORENSIC:
        needed += sum(FORENSIC[strategy] for strategy in strategies)
    ((row,),) = yield [Query("lock_room.room")]
    _check(store.where, row, needed, int(needed * CERTAIN), what)


def _check(where: str, found: Sequence[int], needed: int, certain: int, what: str) -> None:
    room = LockRoom(*found)
    error = TooManyLocks(where, what, needed, room.slots, room.per_transaction)
    if certain > room.capacity:
        raise error
    if needed > room.slots // 2:
        log.warning("%s: %s. %s", where, error.what, error.todo)


def lock_tries(seconds: float) -> Iterator[tuple[int, bool]]:
    """Yield for each try its lock timeout in milliseconds, and whether it is the last one within that many seconds.

    Raises Ended if the job is asked to end in a pause.
    """
    give_up, length = time.monotonic() + seconds, FIRST_SECONDS
    while True:
        is_last = time.monotonic() + length + PAUSE_SECONDS >= give_up
        yield int(length * 1000), is_last
        if is_last:
            return
        shutdown.pause(PAUSE_SECONDS)
        shutdown.check()
        length = min(2 * length, LONGEST_SECONDS)
