"""The batches of a stream and their tables: started, ingested, committed or failed, and the results of runs.

Each function says whether it ends the transaction; a batch row changes only for the attempt that wrote it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from psycopg2 import sql
from psycopg2.extras import Json

from config_schema import names
from config_schema.model import Dataset, Milestoning
from config_schema.model.quality import QualityCheck
from config_schema.result import MergeResult, QualityResult, RefusedDelete, refused_delete_from_dict, result_from_dict
from merge_jobs.database.together import Lookup, Rows, in_step
from merge_jobs.errors import BatchLost, RejectedKeys
from merge_jobs.sql import Query
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables, TableNames

# Kept are the rows of so many batches of a stream, and the younger ones: whichever are more. Of a forensic stream all
# are kept, older ones without their JSON.
KEPT_BATCHES = 1000
KEPT_FOR = "400 days"
# Characters of all keys and values that a batch keeps of changes, and of quality checks: lists of batches read its row.
MOST_KEPT = 100_000


class BatchStatus(Enum):
    """The states of a batch."""

    STARTED = "started"
    INGESTED = "ingested"
    COMMITTED = "committed"
    FAILED = "failed"


@dataclass(frozen=True)
class Staged:
    """A dataset of a batch that has been read: its strategy and the reason, its rows, its seconds.

    `rows` are the source's, `staged` those of them that were read. `map_kind` and `guard` are of the row map that
    this batch makes; an `audit` compares the map before with what it finds.
    """

    strategy: str
    reason: str
    rows: int
    seconds: float
    staged: int = 0
    map_kind: str | None = None
    guard: dict[str, Any] | None = None
    audit: bool = False


@dataclass(frozen=True)
class Batch:
    """The batch that this job works on.

    `source_position` is the source's position when it was read; `accept_source` allows one behind the last batch's.
    `staged_map_rows` has the number of rows of the unlogged staged map, by dataset: a server that empties unlogged
    tables may not report it. `delete_approvals` are the deletes that people have approved of this batch, by dataset.
    """

    batch_id: int
    run_id: str
    model_commit: str | None = None
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex)
    fingerprint: str = ""
    store_stats_reset: str | None = None
    snapshot_time: datetime | None = None
    staged: dict[str, Staged] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, TableNames] = field(default_factory=dict)  # of datasets whose tables have unusual names
    source_position: dict[str, Any] | None = None
    accept_source: bool = False
    staged_map_rows: dict[str, int] = field(default_factory=dict)
    delete_approvals: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)  # by dataset, of those that keep them
    quality_data: dict[str, Any] = field(default_factory=dict)  # by dataset and check: what only some may see
    feeds: dict[str, Any] | None = None  # by dataset: where its change feed is; none: as it was

    def approved_deletes(self, dataset: str) -> int:
        """Return how many rows of a dataset the batch may delete because a person has approved it; 0 for none."""
        return int(self.delete_approvals.get(dataset, {}).get("rows", 0))

    def is_untouched(self, dataset: str) -> bool:
        """Return whether nothing is staged to change a dataset that a row map is for."""
        staged = self.staged.get(dataset)
        changes_map = staged is not None and staged.strategy in (staged.map_kind, "change_feed")
        return changes_map and self.staged_map_rows.get(dataset) == 0

    @property
    def state(self) -> dict[str, Any]:
        """What the row stores for another job to continue, and about the origin of its rows."""
        state: dict[str, Any] = {
            "attempt": self.attempt,
            "schema": self.fingerprint,
            "store_stats_reset": self.store_stats_reset,
            "origin": self.origin,
            "datasets": {name: asdict(staged) for name, staged in self.staged.items()},
            "source_position": self.source_position,
            "staged_map_rows": self.staged_map_rows,
        }
        if self.accept_source:
            state["accept_source"] = True
        if self.changes:
            state["changes"] = self.changes
        if self.quality_data:
            state["quality_data"] = self.quality_data
        if self.delete_approvals:
            state["delete_approvals"] = self.delete_approvals
        if self.tables:
            tables = {name: asdict(of) for name, of in self.tables.items()}
            state["staging"] = {"tables": tables, "store_stats_reset": self.store_stats_reset}
            # A job of an older version knows the usual names only, under which older rows may be: it begins again.
            state["store_stats_reset"] = "see staging"
        return state

    def tables_of(self, store: MergeStore, dataset: Dataset) -> DatasetTables:
        """Return the dataset's tables under the names that they have in this batch."""
        named = self.tables.get(dataset.name, TableNames())
        return DatasetTables(store, dataset, named=named, batch_time=self.snapshot_time)

    @property
    def strategy(self) -> str:
        """The strategies of the batch's datasets, joined by `+`."""
        return "+".join(sorted({staged.strategy for staged in self.staged.values()}))


@dataclass(frozen=True)
class BatchFailure:
    """Why a batch failed. `said` is the text of a producer's server: data, for people who may see it.

    `quality` is what the batch's checks found, by dataset, if the batch failed because of them, and `quality_data`
    what of it only some may see.
    """

    error: str
    retryable: bool
    rejected: RejectedKeys | None = None
    said: str | None = None
    quality: Mapping[str, Sequence[QualityResult]] | None = None
    quality_data: Mapping[str, Any] | None = None
    refused_delete: RefusedDelete | None = None

    @property
    def found(self) -> dict[str, Any]:
        """What the batch's state says of it, beside the error."""
        found: dict[str, Any] = {} if self.said is None else {"said": self.said}
        if self.refused_delete:
            found["refused_delete"] = asdict(self.refused_delete)
        if self.quality:
            found["quality"] = {name: [one.as_dict() for one in of] for name, of in self.quality.items()}
        if self.quality_data:
            found["quality_data"] = self.quality_data
        return found


def last_batch(store: MergeStore) -> int:
    """Return the id of the stream's last committed batch; 0 if there is none."""
    (found,) = in_step([finding_last_batch(store)], store.together)
    return found


def finding_last_batch(store: MergeStore) -> Lookup[int]:
    """Look for the id of the stream's last committed batch; see `last_batch`."""
    values = {"key": store.stream.key}
    (((number,),),) = yield [Query("batches.last_batch", values, _tables(store, "counter", "metrics"))]
    return int(number)


def result_of_run(store: MergeStore, run_id: str) -> MergeResult | None:
    """Return the result that a run has reached already; None if it has no valid one."""
    (found,) = in_step([finding_result_of_run(store, run_id)], store.together)
    return found


def finding_result_of_run(store: MergeStore, run_id: str) -> Lookup[MergeResult | None]:
    """Look for the result that a run has reached already; see `result_of_run`."""
    values = {"key": store.stream.key, "run_id": run_id}
    (rows,) = yield [Query("batches.result_of_run", values, _tables(store, "counter", "metrics"))]
    return None if not rows or rows[0][1] is None else result_from_dict(rows[0][1])


def start(store: MergeStore, batch_id: int, run_id: str, model_commit: str | None, left: LeftBatch) -> Batch:
    """Begin a batch; one that a dead or failed job left under this id is begun again.

    Commits, in the message of what comes next, which is to look whether the batch is ours (`checking_batch`).
    """
    batch = Batch(
        *(batch_id, run_id, model_commit),
        origin=store.stream.origin,
        accept_source=left.accepts_source,
        delete_approvals=left.delete_approvals,
    )
    values = _values(store, batch, "batch_id", "state", "run_id", "model_commit")
    store.later("batches.start_batch", values, **_tables(store, "metrics"))
    store.commit_with_next()
    return batch


@dataclass(frozen=True)
class LeftBatch:
    """What a dead or failed job, a reset or a person left of the batch that comes next.

    `ingested` is a batch that this job may go on with.
    """

    accepts_source: bool
    delete_approvals: dict[str, Any]
    ingested: Batch | None


def finding_open_batch(store: MergeStore, batch_id: int) -> Lookup[LeftBatch]:
    """Look for what is left of the batch with this id."""
    values, metrics = {"key": store.stream.key, "batch_id": batch_id}, _tables(store, "metrics")
    wanted = ("open_batch", "source_is_accepted", "delete_approvals")
    left, accepted, approvals = yield [Query(f"batches.{name}", values, metrics) for name in wanted]
    approved = (approvals[0][0] if approvals else None) or {}
    return LeftBatch(bool(accepted and accepted[0][0]), approved, _ingested(batch_id, left, approved))


def accepts_source(store: MergeStore, batch_id: int) -> bool:
    """Return whether a reset has let the open batch of this id take the source as it is, also one that is behind."""
    values = {"key": store.stream.key, "batch_id": batch_id}
    return bool(store.value("batches.source_is_accepted", values, **_tables(store, "metrics")))


def refused_delete(store: MergeStore, batch_id: int) -> RefusedDelete | None:
    """Return the delete for which the batch with this id was refused; None if it was not, or not for that."""
    values = {"key": store.stream.key, "batch_id": batch_id}
    found = store.value("batches.refused_delete", values, **_tables(store, "metrics"))
    return refused_delete_from_dict(found)


def approve_delete(store: MergeStore, refused: RefusedDelete, valid_for: str, by: str | None) -> datetime:
    """Let the batch delete what it was refused for; return until when. The caller commits.

    `valid_for` is an interval as PostgreSQL reads it: `1 day`. Raises BatchLost if another job has gone on with it.
    """
    values = {
        "key": store.stream.key,
        "batch_id": refused.batch_id,
        "dataset": refused.dataset,
        "rows": refused.rows,
        "valid_for": valid_for,
        "by": by,
    }
    row = store.run("batches.approve_delete", values, **_tables(store, "metrics")).fetchone()
    if row is None:
        where = f"{store.stream} batch {refused.batch_id}"
        raise BatchLost(
            where, "the batch is not refused any more", "Another job has gone on with it: see batch_metrics"
        )
    until: datetime = row[0]
    return until


def open_batch(store: MergeStore, batch_id: int) -> tuple[BatchStatus, str] | None:
    """Return the status and the run of the batch with this id, unless it is committed."""
    values = {"key": store.stream.key, "batch_id": batch_id}
    row = store.run("batches.open_batch", values, **_tables(store, "metrics")).fetchone()
    return None if row is None else (BatchStatus(row[0]), row[1])


def reset(store: MergeStore, batch_id: int, run_id: str, model_commit: str | None) -> None:
    """Reset an open batch to its start, with the schema of the current model and the current source.

    The caller commits.
    """
    stream = store.stream
    batch = Batch(batch_id, run_id, model_commit, fingerprint=stream.fingerprint, origin=stream.origin)
    batch = replace(batch, accept_source=True)
    _one_row(store, "batches.reset_batch", _values(store, batch, "batch_id", "state", "run_id", "model_commit"))


def source_position(store: MergeStore, batch_id: int) -> dict[str, Any] | None:
    """Return the source's position when a committed batch was read; None if it is not known."""
    (found,) = in_step([finding_source_position(store, batch_id)], store.together)
    return found


def finding_source_position(store: MergeStore, batch_id: int) -> Lookup[dict[str, Any] | None]:
    """Look for the source's position when a committed batch was read; see `source_position`."""
    values = {"key": store.stream.key, "batch_id": batch_id}
    (rows,) = yield [Query("batches.source_position", values, _tables(store, "metrics"))]
    return rows[0][0] if rows else None


def move_position(store: MergeStore, batch: Batch, last_batch: int) -> None:
    """Record the source position of a batch that found nothing and leaves no row. The caller commits."""
    values = {"key": store.stream.key, "batch_id": last_batch, "position": Json(batch.source_position)}
    store.later("batches.move_position", values, **_tables(store, "metrics"))


def ingested_batch(store: MergeStore, batch_id: int) -> Batch | None:
    """Return the batch with this id if another job has left it ingested."""
    (found,) = in_step([finding_open_batch(store, batch_id)], store.together)
    return found.ingested


def _ingested(batch_id: int, left: Rows, approvals: dict[str, Any]) -> Batch | None:
    if not left or BatchStatus(left[0][0]) is not BatchStatus.INGESTED:
        return None
    _, run_id, snapshot_time, state = left[0]
    staging = state.get("staging", {"tables": {}, "store_stats_reset": state["store_stats_reset"]})
    return Batch(
        batch_id,
        run_id,
        fingerprint=state["schema"],
        store_stats_reset=staging["store_stats_reset"],
        snapshot_time=None if snapshot_time is None else datetime.fromisoformat(snapshot_time),
        staged={name: Staged(**staged) for name, staged in state["datasets"].items()},
        tables={name: TableNames(**of) for name, of in staging["tables"].items()},
        source_position=state.get("source_position"),
        accept_source=state.get("accept_source", False),
        staged_map_rows=state.get("staged_map_rows", {}),
        delete_approvals=approvals,
    )


def take_over(store: MergeStore, batch: Batch, run_id: str, model_commit: str | None) -> Batch:
    """Make an ingested batch this job's own. Commits."""
    ours = replace(batch, run_id=run_id, model_commit=model_commit, origin=store.stream.origin)
    _one_row(store, "batches.take_over_batch", _values(store, ours, "batch_id", "state", "run_id", "model_commit"))
    store.commit()
    return ours


def valid_time(store: MergeStore, taken: datetime, last_batch: int) -> tuple[datetime, datetime]:
    """Return the time from which the batch's versions are valid, and the time by the merge store's clock.

    `taken` is the time of the snapshot by the clock of the source.
    """
    values = {"key": store.stream.key, "last_batch": last_batch, "taken": taken}
    row = store.run("batches.valid_time", values, **_tables(store, "metrics")).fetchone()
    assert row is not None
    valid, now = row
    return valid, now


def stats_reset(store: MergeStore) -> str | None:
    """Return the start of the merge store's statistics: a crash, which empties unlogged tables, resets them."""
    (found,) = in_step([finding_stats_reset()], store.together)
    return found


def finding_stats_reset() -> Lookup[str | None]:
    """Look for the start of the merge store's statistics; see `stats_reset`."""
    (((since,),),) = yield [Query("batches.store_stats_reset")]
    return None if since is None else datetime.fromisoformat(since).isoformat()


def mark_ingested(store: MergeStore, batch: Batch) -> None:
    """Record that everything is staged, so that another job can continue from here.

    Commits, with the staging, in the message of what comes next, which is to look whether the batch is ours.
    """
    names_of = ("batch_id", "state", "snapshot_time", "strategy", "attempt")
    store.later("batches.batch_ingested", _values(store, batch, *names_of), **_tables(store, "metrics"))
    store.commit_with_next()


def checking_batch(store: MergeStore, batch: Batch) -> Lookup[None]:
    """Look whether the batch is still this job's. Raises BatchLost if it is not."""
    values = _values(store, batch, "batch_id", "attempt")
    (((is_ours,),),) = yield [Query("batches.is_ours", values, _tables(store, "metrics"))]
    if not is_ours:
        raise _lost(store, batch.batch_id)


def mark_committed(
    store: MergeStore, batch: Batch, result: MergeResult, counts: Mapping[str, int], measured: Mapping[str, Any]
) -> None:
    """Write the batch's row and move the counter, with what is sent next; the caller commits, with the merge tables.

    `result` is the run's so far. `counts` are the batch's own: inserted, updated, deleted, total. `measured` are values
    of its quality checks (`move_counter`).
    """
    values = _values(store, _without_positions(batch), "batch_id", "state", "snapshot_time", "strategy", "attempt")
    values |= {**counts, "result": Json(result.to_dict())}
    store.later("batches.batch_committed", values, **_tables(store, "metrics"))
    forget_rejected_keys(store, list(batch.staged))
    move_counter(store, batch.batch_id, result, measured)
    old = {"key": store.stream.key, "before": batch.batch_id - KEPT_BATCHES, "kept_for": KEPT_FOR}
    if store.stream.platform.milestoning is Milestoning.LIVE:
        store.later("batches.fold_run", _values(store, batch, "batch_id", "run_id"), **_tables(store, "metrics"))
        store.later("batches.forget_old_batches", old, **_tables(store, "metrics"))
    else:
        # The time of each batch is read there for ever.
        store.later("batches.empty_old_batches", old, **_tables(store, "metrics"))


def _without_positions(batch: Batch) -> Batch:
    """Return the batch without values of rows that only a batch which has not ended needs: how far cursors came."""
    staged = {
        name: of
        if of.guard is None
        else replace(of, guard={fact: of.guard[fact] for fact in of.guard if fact != "cursor"})
        for name, of in batch.staged.items()
    }
    return replace(batch, staged=staged)


def remove(store: MergeStore, batch: Batch) -> None:
    """Remove a batch that found nothing, with what is sent next. The caller commits."""
    values = _values(store, batch, "batch_id", "attempt")
    store.later("batches.batch_removed", values, **_tables(store, "metrics"))


def checking_committed(store: MergeStore, batch: Batch) -> Lookup[None]:
    """Look whether the batch that is to be committed is this job's. Raises BatchLost if it is not."""
    values = _values(store, batch, "batch_id", "attempt")
    (((is_ours,),),) = yield [Query("batches.is_committed_by_us", values, _tables(store, "metrics"))]
    if not is_ours:
        raise _lost(store, batch.batch_id)


def checking_removed(store: MergeStore, batch: Batch) -> Lookup[None]:
    """Look whether the batch was removed. Raises BatchLost if it is another job's by now."""
    values = _values(store, batch, "batch_id")
    (((is_removed,),),) = yield [Query("batches.is_removed", values, _tables(store, "metrics"))]
    if not is_removed:
        raise _lost(store, batch.batch_id)


def move_counter(store: MergeStore, batch_id: int, result: MergeResult, measured: Mapping[str, Any]) -> None:
    """Record that the source was read; `batch_id` is the last committed batch. The caller commits.

    The checked references and the measured values are recorded with the result: the next batch then only looks at what
    has changed.
    """
    values = {
        "key": store.stream.key,
        "batch_id": batch_id,
        "run_id": result.run_id,
        "result": Json({**result.to_dict(), "references": store.stream.references, "measured": measured}),
    }
    store.later("batches.move_counter", values, **_tables(store, "counter"))


def judged_before(store: MergeStore) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the references that the last run has checked, as `Stream.references`, and the values that it measured."""
    row = store.run("batches.judged_before", {"key": store.stream.key}, **_tables(store, "counter")).fetchone()
    references, measured = row or (None, None)
    return references or {}, measured or {}


def mean_of_earlier(store: MergeStore, batch_id: int, dataset: str, check: QualityCheck, of: int) -> float | None:
    """Return the mean of a check's value over the last `of` committed batches before this one; None if none has it."""
    values = {
        "key": store.stream.key,
        "batch_id": batch_id,
        "dataset": dataset,
        "check": check.name,
        "kind": check.kind.value,
        "batches": of,
    }
    mean = store.value("batches.mean_of_earlier", values, **_tables(store, "metrics"))
    return None if mean is None else float(mean)


def mark_failed(store: MergeStore, batch: Batch, why: BatchFailure) -> None:
    """Record why a batch failed, unless it is committed or no longer this job's. Commits."""
    values = {
        **_values(store, batch, "batch_id", "attempt"),
        "error": why.error,
        "retryable": why.retryable,
        "found": Json(why.found),
    }
    ours = store.run("batches.batch_failed", values, **_tables(store, "metrics")).rowcount == 1
    if ours and why.rejected is not None:
        _keep(store, batch, why.rejected)
    store.commit()


def forget_rejected_keys(store: MergeStore, datasets: list[str]) -> None:
    """Delete the rejected keys of these datasets."""
    values = {"key": store.stream.key, "datasets": datasets}
    store.later("batches.forget_rejected_keys", values, **_tables(store, "rejected"))


def _keep(store: MergeStore, batch: Batch, rejected: RejectedKeys) -> None:
    forget_rejected_keys(store, [rejected.dataset])
    common = {"key": store.stream.key, "batch_id": batch.batch_id, "dataset": rejected.dataset}
    for key, row_count in rejected.sample:
        values = {**common, "reason": rejected.reason, "rejected_key": Json(key), "row_count": row_count}
        store.run("batches.keep_rejected_key", values, **_tables(store, "rejected"))


def _one_row(store: MergeStore, name: str, values: Mapping[str, Any]) -> None:
    if store.run(name, values, **_tables(store, "metrics")).rowcount != 1:
        raise _lost(store, values["batch_id"])


def _lost(store: MergeStore, batch_id: int) -> BatchLost:
    return BatchLost(
        f"{store.stream} batch {batch_id}",
        "the batch is no longer this job's",
        "Another job has gone on with it: see batch_metrics",
    )


def _values(store: MergeStore, batch: Batch, *wanted: str) -> dict[str, Any]:
    every = {
        "batch_id": batch.batch_id,
        "run_id": batch.run_id,
        "model_commit": batch.model_commit,
        "attempt": batch.attempt,
        "snapshot_time": batch.snapshot_time,
        "strategy": batch.strategy,
        "state": Json(batch.state),
    }
    return {"key": store.stream.key, **{name: every[name] for name in wanted}}


def _tables(store: MergeStore, *wanted: str) -> dict[str, sql.Composable]:
    platform = store.stream.platform_name
    every: dict[str, sql.Composable] = {
        "counter": store.table(names.batch_counter_table(platform)),
        "metrics": store.table(names.batch_metrics_table(platform)),
        "rejected": store.table(names.rejected_keys_table(platform)),
        "row_maps": store.table(names.row_maps_table(platform)),
    }
    return {name: every[name] for name in wanted}
