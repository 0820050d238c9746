"""One run of the merge job on one stream: options, lock, batches until its time slice ends, result."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg2

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import SourceKind
from config_schema.result import DatasetResult, MergeResult, RefusedDelete, ResultCode
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database.pace import Pace
from merge_jobs.database.together import Lookup
from merge_jobs.database_errors import database_failed
from merge_jobs.errors import DatabaseFailed, KeysRejected, MapWrong, PoolingRefused, QualityFailed, TooManyDeletes
from merge_jobs.process import shutdown
from merge_jobs.process.progress import Phase
from merge_jobs.quality import checks
from merge_jobs.run.begin import begin
from merge_jobs.run.feed import StreamFeed
from merge_jobs.run.ingest import ingest
from merge_jobs.run.merge import DROP_STEPS, Merging, merge_datasets, write_result
from merge_jobs.sources.postgres.change_feed import FeedSession
from merge_jobs.stores.lake import writing as lake
from merge_jobs.stores.postgres import (
    batches,
    cursors,
    migrations,
    operator_audit,
    row_maps,
    run_results,
)
from merge_jobs.stores.postgres.batches import Batch, BatchFailure
from merge_jobs.stores.postgres.files_read import next_file_of
from merge_jobs.stores.postgres.merge_store import LOCK_SECONDS, DryRunStore, MergeStore
from merge_jobs.stores.postgres.progress import reporting
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.strategies.change_feed import CHANGE_FEED
from merge_jobs.strategies.load_pipes import LoadOptions
from merge_jobs.strategies.selection import AUDIT_SECONDS, StrategyOption
from merge_jobs.strategies.step import perform
from merge_jobs.stream import Stream

log = logging.getLogger(__name__)

SHARE = 0.2  # of a time slice in which the source is read, unless the model has another
FEED_PAUSE_SECONDS = 0.05  # between a batch by the change feed and a look at what has come since
LEAST_PAUSE_SECONDS = 1.0  # between two looks at a source that had nothing new
FAIL_SECONDS = 5  # for a lock on the row of a batch that failed
UNDEFINED_TABLE = "42P01"
SETTLE_SECONDS = 60.0  # for the server to end a session whose connection was lost at COMMIT


@dataclass(frozen=True)
class MergeOptions:
    """Options for the merge of a stream; times are in seconds."""

    strategy: StrategyOption = StrategyOption.AUTO
    time_slice_seconds: float = 0  # repeat batches so long; 0 is one batch
    max_delete_fraction: float = 0.5  # of a table; a batch that would delete more fails
    allow_deletes: bool = False  # one batch may delete more than that
    asked_by: str | None = None  # who allowed it
    reason: str | None = None  # why
    lock_wait: float = 0
    audit_interval: float = AUDIT_SECONDS  # compare every row once in so long; 0 is never
    load_connections: int | None = None  # that load a table for the first time; none: as many as suit it
    dry_run: bool = False  # do all of one batch, and undo it


@dataclass(frozen=True)
class Job:
    """What a run must do."""

    stream: Stream
    source: ConnectionInfo
    store: ConnectionInfo
    run_id: str
    model_commit: str | None = None
    options: MergeOptions = field(default_factory=MergeOptions)


def run(job: Job) -> MergeResult:
    """Perform the run, or return its result if its id has committed already. Raises StreamFactoryError."""
    return Run(job).perform()


class Run:
    """One run of a job. `so_far` is what it has committed, also if it fails afterwards."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.so_far = MergeResult(ResultCode.DONE, job.run_id, job.stream.platform.name, job.stream.key)

    def perform(self) -> MergeResult:
        """Return the run's result. Raises StreamFactoryError."""
        job, store = self.job, _open(self.job)
        try:
            limit = job.stream.store.max_source_mb_per_second
            store.session.pace = None if limit is None else Pace(limit, shutdown.pause)
            with store, shutdown.cancelling(store.session.cancel), contextlib.ExitStack() as reporters:
                migrations.run_missing_migrations(store)
                if job.stream.in_lake:
                    lake.prepare(store)
                if not job.options.dry_run:  # which leaves nothing, and so says nothing in a table
                    reporters.enter_context(reporting(store))
                store.progress.enter(Phase.WAITING)
                stored: MergeResult | None
                stored, last = store.lock_stream(job.options.lock_wait, lambda: _done_before(store, job.run_id))
                self.so_far = replace(self.so_far, batch_id=last)
                if stored is not None:
                    run_results.record(store, stored)  # in place of what a try after it may have left
                    store.commit()
                    log.info("%s: run %s has been done already, with batch %d", job.stream, job.run_id, stored.batch_id)
                    return stored
                if job.options.allow_deletes:
                    operator_audit.record_action(store, "allow_deletes", job.options.asked_by, job.options.reason)
                    store.commit()
                with _feed_of(job) as feed, shutdown.cancelling(feed.session.cancel if feed else _nothing):
                    self._time_slice(store, feed)
                return self.so_far
        except psycopg2.Error as error:
            shutdown.check()
            raise database_failed(error, store.where) from error

    def _time_slice(self, store: MergeStore, feed: StreamFeed | None) -> None:
        end = time.monotonic() + self.job.options.time_slice_seconds
        shutdown.from_here_in_order()
        shutdown.check()
        while True:
            try:
                self.so_far, read_seconds = _batch(self._job_now(), store, self.so_far, feed)
            except QualityFailed as error:
                self.so_far = checks.with_quality(self.so_far, error.found)
                raise
            except TooManyDeletes as error:
                self.so_far = replace(self.so_far, refused_delete=_refused(error, self.so_far.batch_id + 1))
                raise
            is_idle = self.so_far.code is not ResultCode.KEEP_WORKING
            # Where each file is read once, a run without a time slice ends when all have been read.
            goes_on = not is_idle and self.job.options.time_slice_seconds == 0
            share, left = self.job.stream.store.max_source_share, end - time.monotonic()
            if feed is not None and share is None and left > 0 and self._is_read_by_feed() and not store.session.closed:
                store.progress.enter(Phase.IDLE)
                # What it finds may not be seen by a batch yet: then it is not asked again at once.
                pause = LEAST_PAUSE_SECONDS if is_idle and feed.had_news else FEED_PAUSE_SECONDS
                if not feed.wait(left if is_idle else min(left, LEAST_PAUSE_SECONDS), pause):
                    log.info("%s: %s", self.job.stream, shutdown.ended().what)
                    return
                if time.monotonic() >= end:
                    return
                continue
            pause = pause_between(read_seconds, share, is_idle=is_idle)
            if store.session.closed or (time.monotonic() + pause >= end and not goes_on):
                return
            store.progress.enter(Phase.IDLE)
            # What was committed before a signal is no error: the slice is only shorter.
            if not shutdown.pause(pause):
                log.info("%s: %s", self.job.stream, shutdown.ended().what)
                return

    def _is_read_by_feed(self) -> bool:
        """Return whether the last batch has read all datasets by the change feed, which is no scan of the source."""
        return all(one.strategy == CHANGE_FEED.name for one in self.so_far.datasets.values())

    def _job_now(self) -> Job:
        # The first batch of the run that commits is the one that an operator has let through.
        options = self.job.options
        if not options.allow_deletes or self.so_far.batches > 0:
            return self.job
        return replace(self.job, options=replace(options, max_delete_fraction=1.0))


def pause_between(read_seconds: float, share: float | None, *, is_idle: bool) -> float:
    """Return the seconds until the next batch of a time slice reads the source, which the last one read for so many.

    A look at a large source costs it a scan: reading takes no more than its share of the time. `is_idle` says that
    there was nothing new.
    """
    by_share = read_seconds * (1 / (SHARE if share is None else share) - 1)
    return max(LEAST_PAUSE_SECONDS, by_share) if is_idle else by_share


@contextlib.contextmanager
def _feed_of(job: Job) -> Iterator[StreamFeed | None]:
    """Give the stream's change feed, if the model has one, and close its session."""
    feed, stream = job.stream.store.change_feed, job.stream
    if feed is None or job.source.kind is not SourceKind.POSTGRESQL:
        yield None
        return
    slot = names.change_feed_slot(stream.platform_name, stream.key)
    title = names.merge_session(stream.platform_name, stream.key, job.run_id)
    with FeedSession(job.source, feed, slot, title, may_drop=not job.options.dry_run) as session:
        yield StreamFeed(session)


def _nothing() -> None:
    """Cancel nothing."""


def _batch(
    job: Job, store: MergeStore, so_far: MergeResult, feed: StreamFeed | None = None
) -> tuple[MergeResult, float]:
    """Run one batch, from a snapshot of the source to a committed merge.

    Returns the run's result so far, and the seconds for which the source was read.
    """
    began = time.monotonic()
    read_seconds = 0.0
    store.progress.enter(Phase.STARTING)
    last = so_far.batch_id  # nobody else commits one: the stream is locked
    batch = begin(store, job.run_id, job.model_commit, last)
    try:
        shutdown.check()
        if not batch.staged:
            options = job.options
            most = job.stream.store.max_source_connections
            if most is not None and feed is not None:
                most -= 1  # the feed has a session of its own
            load = LoadOptions(options.load_connections, most)
            batch = ingest(store, job.source, batch, options.strategy, last, options.audit_interval, load, feed)
            read_seconds = time.monotonic() - began
        merging = Merging(store, batch, last)
        merge_datasets(merging, job.options.max_delete_fraction)
        result = _result(job, merging, so_far, time.monotonic() - began)
        store.progress.enter(Phase.COMMITTING)
        write_result(merging, result)
        shutdown.check()
        _commit(job, store, result)
    except Exception as error:
        gone = _table_gone(store, error)
        if gone is not None:
            _fail(job, store, batch, gone)
            raise gone from error
        if shutdown.asked() and _is_from_ending(error):
            shutdown.stop_cancelling()
            _fail(job, store, batch, shutdown.ended())
            raise shutdown.ended() from error
        _fail(job, store, batch, error)
        raise
    if feed is not None and not job.options.dry_run:
        feed.committed()
    _drop_leftovers(merging)
    for name, dataset in merging.applied.items():
        log.info("%s %s: %s", job.stream, name, dataset.counts)
    if result.batch_id == last:
        log.info("%s: nothing has changed since batch %d", job.stream, last)
    else:
        done = "not committed: it was a dry run" if job.options.dry_run else "committed"
        log.info("%s batch %d: %s", job.stream, batch.batch_id, done)
    return result, read_seconds


def _done_before(store: MergeStore, run_id: str) -> list[Lookup[Any]]:
    """Return looks for the result of the run, if it has one already, and for the stream's last committed batch."""
    return [batches.finding_result_of_run(store, run_id), batches.finding_last_batch(store)]


def _result(job: Job, merging: Merging, so_far: MergeResult, seconds: float) -> MergeResult:
    """Return the run's result with this batch: sums over the batches of the run's time slice."""
    batch, last, applied = merging.batch, merging.last, merging.applied
    changed = any(dataset.counts.changed for dataset in applied.values())
    takes_id = changed or any(staged.strategy == "initial" for staged in batch.staged.values())
    datasets = {}
    for name, dataset in applied.items():
        before = so_far.datasets.get(name, DatasetResult())
        summed, took = before.counts.then(dataset.counts), round(before.seconds + dataset.seconds, 3)
        checked = checks.then(before.quality, dataset.quality)
        datasets[name] = replace(dataset, counts=summed, seconds=took, quality=checked)
    assert batch.snapshot_time is not None
    next_files = {name: next_file_of(of.guard) for name, of in batch.staged.items()}
    is_more = any(one.left for one in next_files.values() if one) or (changed and job.options.time_slice_seconds > 0)
    return MergeResult(
        code=ResultCode.KEEP_WORKING if is_more else ResultCode.DONE,
        run_id=job.run_id,
        platform=job.stream.platform.name,
        stream_key=job.stream.key,
        batch_id=batch.batch_id if takes_id else last,
        batches=so_far.batches + takes_id,
        model_commit=job.model_commit,
        source_snapshot_time=batch.snapshot_time.isoformat(),
        seconds=round(so_far.seconds + seconds, 3),
        datasets=datasets,
        shape_changed=so_far.shape_changed or merging.reshaped,
        partly_read=tuple(
            name
            for name, of in batch.staged.items()
            if next_files[name] or (of.strategy == "cursor" and not cursors.is_swept(of.guard))
        ),
    )


def _commit(job: Job, store: MergeStore, result: MergeResult) -> None:
    """Commit; if the connection is lost meanwhile, find out the outcome. The session may be closed afterwards."""
    try:
        store.commit()
    except psycopg2.Error as error:
        if not store.session.closed:
            raise
        log.warning("%s: the connection was lost at COMMIT", job.stream)
        if not _is_committed(job, result):
            raise database_failed(error, store.where) from error
        log.info("%s: the server did commit", job.stream)


def _drop_leftovers(merging: Merging) -> None:
    """Drop what the batch staged. Errors are left to the next batch, because this one is committed."""
    store = merging.store
    if store.session.closed:
        return
    try:
        perform(DROP_STEPS, merging)
    except psycopg2.Error as error:
        log.warning("%s: staging is left to the next batch: %s", store.stream, database_failed(error, store.where))
        if not store.session.closed:
            store.rollback()


def _is_committed(job: Job, result: MergeResult) -> bool:
    try:
        with _open(job) as store:
            # The lost session holds the stream until the server has ended it, one way or the other.
            store.lock_stream(SETTLE_SECONDS)
            return batches.result_of_run(store, job.run_id) == result
    except (psycopg2.Error, StreamFactoryError) as error:
        raise DatabaseFailed(
            f"merge store {job.store}",
            "the connection was lost at COMMIT, and whether it was done cannot be read",
            "Try again with the same run id: what was committed is not done twice",
            retryable=True,
            sqlstate=None,
        ) from error


def _table_gone(store: MergeStore, error: Exception) -> DatabaseFailed | None:
    """Return what to report if a row map or staging table was dropped during the batch; None for other errors."""
    if isinstance(error, psycopg2.errors.UndefinedTable):
        error = database_failed(error, store.where)
    if not isinstance(error, DatabaseFailed) or error.sqlstate != UNDEFINED_TABLE:
        return None
    if not error.where.startswith(store.where):
        return None  # a table of the source
    todo = "A table was dropped while the batch ran. Try again: the next batch makes it again"
    return DatabaseFailed(error.where, error.what, todo, retryable=True, sqlstate=error.sqlstate)


def _is_from_ending(error: Exception) -> bool:
    """Return whether the error comes from the shutdown of the job, which cancels its statements."""
    if isinstance(error, psycopg2.Error):
        error = database_failed(error, "")
    return isinstance(error, StreamFactoryError) and error.retryable


def _fail(job: Job, store: MergeStore, batch: Batch, error: Exception) -> None:
    """Record the failure in the batch's row; if this fails too, it must not hide the error."""
    if isinstance(error, psycopg2.Error):
        error = database_failed(error, store.where)
    foreseen = isinstance(error, StreamFactoryError)
    text = str(error) if foreseen else f"unforeseen {type(error).__name__}"
    retryable = error.retryable if isinstance(error, StreamFactoryError) else True
    rejected = error.rejected if isinstance(error, KeysRejected) else None
    quality, data = (error.found, error.data) if isinstance(error, QualityFailed) else (None, None)
    refused = _refused(error, batch.batch_id) if isinstance(error, TooManyDeletes) else None
    why = BatchFailure(text, retryable, rejected, _said(error), quality, data, refused)
    try:
        if store.session.closed or isinstance(error, PoolingRefused):
            with _open(job, FAIL_SECONDS) as fresh:
                batches.mark_failed(fresh, batch, why)
        else:
            store.rollback()
            if isinstance(error, MapWrong):
                _forget_map(store, error.dataset)
            batches.mark_failed(store, batch, why)
    except (psycopg2.Error, StreamFactoryError):
        log.warning("%s batch %d: failed, and its row could not be written", job.stream, batch.batch_id)


def _refused(error: TooManyDeletes, batch_id: int) -> RefusedDelete:
    return RefusedDelete(batch_id, error.dataset, error.gone, error.before, error.allowed)


def _said(error: BaseException | None) -> str | None:
    """Return the text of a producer's server, from the error or from one that led to it."""
    while error is not None:
        if isinstance(error, DatabaseFailed) and error.said:
            return error.said
        error = error.__cause__ or error.__context__
    return None


def _forget_map(store: MergeStore, name: str) -> None:
    for dataset in store.stream.datasets:
        if dataset.name == name:
            row_maps.forget(DatasetTables(store, dataset))


def _open(job: Job, lock_seconds: int = LOCK_SECONDS) -> MergeStore:
    kind = DryRunStore if job.options.dry_run else MergeStore
    return kind(job.store, job.stream, job.run_id, lock_seconds)
