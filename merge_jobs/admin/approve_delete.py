"""Approving a delete that a batch was refused for: the next run of the stream goes on with it, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg2

from config_schema.errors import StreamFactoryError
from config_schema.result import RefusedDelete
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database_errors import database_failed
from merge_jobs.stores.postgres import batches, migrations, operator_audit
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stream import Stream

SESSION = "approve-delete"  # in place of a run id, where another command says who holds the stream
VALID_FOR = "3 days"  # a weekend: a source can be emptied again after that for another reason


class NothingRefused(StreamFactoryError):
    """An approval was given for a stream whose last batch was not refused for what it would delete.

    Nothing: look at dagfactory runs status, which says why the batch failed, if it did.
    """

    code = "DF5222"

    def __init__(self, stream: str) -> None:
        self.stream = stream
        what = "no batch is refused for what it would delete"
        super().__init__(stream, what, "Nothing is to be approved: dagfactory runs status shows the last batch")


class OtherRefused(StreamFactoryError):
    """An approval was given for other deletes than those for which the batch is refused now.

    Look at what it would delete now, and approve that if it is intended.
    """

    code = "DF5223"

    def __init__(self, stream: str, refused: RefusedDelete) -> None:
        self.stream, self.refused = stream, refused
        super().__init__(stream, f"what was approved is out of date: {refused}", "Approve that, if it is intended")


@dataclass(frozen=True)
class SeenRefusal:
    """What the person who approves has seen of the refused batch; None accepts any value."""

    batch_id: int | None = None
    dataset: str | None = None
    rows: int | None = None

    def is_of(self, refused: RefusedDelete) -> bool:
        """Return whether the batch is still refused for that, or for fewer rows."""
        same = ((self.batch_id, refused.batch_id), (self.dataset, refused.dataset))
        return all(seen in (None, now) for seen, now in same) and (self.rows is None or refused.rows <= self.rows)


@dataclass(frozen=True)
class ApprovedDelete:
    """What was approved, and until when a run can go on with it."""

    refused: RefusedDelete
    until: datetime


def approve_delete(
    place: ConnectionInfo,
    stream: Stream,
    seen: SeenRefusal,
    lock_wait: float = 0,
    asked_by: str | None = None,
    reason: str | None = None,
) -> ApprovedDelete:
    """Approve what the stream's failed batch was refused for. A batch that would delete more is refused again.

    Raises NothingRefused, OtherRefused if it is not what the person has `seen`, StreamBusy if a job is running.
    """
    with MergeStore(place, stream, SESSION) as store:
        try:
            store.lock_stream(lock_wait)
            found = migrations.tables_version(store)
            found.check(store.where)
            refused = None if found.lost else batches.refused_delete(store, batches.last_batch(store) + 1)
            if refused is None:
                raise NothingRefused(str(stream))
            if not seen.is_of(refused):
                raise OtherRefused(str(stream), refused)
            until = batches.approve_delete(store, refused, VALID_FOR, asked_by)
            what = f"{refused.rows} of {refused.before} rows of {refused.dataset}, batch {refused.batch_id}"
            said = f"{what}: {reason}" if reason else what
            operator_audit.record_action(store, "approve_delete", asked_by, said)
            store.commit()
            return ApprovedDelete(refused, until)
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error
