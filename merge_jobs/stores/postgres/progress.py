"""How far a run is: a row of the progress table while it lasts, and lines in the log for work that takes long.

A thread writes both, with a session of its own: no transaction of the batch waits for it or takes it back. A run of a
second or two has no such session, and the rows of a COPY are counted by the server, so that nothing is slowed down.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

import psycopg2

from config_schema import names
from config_schema.errors import StreamFactoryError
from merge_jobs.database.connections import connect
from merge_jobs.database.session import Session
from merge_jobs.process.progress import Work
from merge_jobs.process.signal_mask import start_without_signals
from merge_jobs.sql import execute
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0  # between two lines in the log
WRITE_SECONDS = 2.0  # between two writes of the row; the first is so long after the run's start
AGAIN_SECONDS = 10.0  # until a session that was lost is opened again
JOIN_SECONDS = 1.0  # for a session that hangs; the run does not wait for it


@dataclass
class Pieces:
    """Work on `whole` pieces of a kind; `did` counts them."""

    tables: DatasetTables
    kind: str
    whole: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._logged_at = self.began
        self.did(0)

    def did(self, more: int) -> None:
        """Count more work done, and log it if nothing was logged for some seconds."""
        self.done += more
        self.tables.store.progress.read(self.tables.name, self.kind, self.whole, self.done)
        now = time.monotonic()
        if more and now - self._logged_at >= EVERY_SECONDS:
            part, seconds = 100 * self.done // max(self.whole, 1), now - self.began
            where = self.tables.where
            log.info("%s: %d of %d %s (%d %%) in %.0f s", where, self.done, self.whole, self.kind, part, seconds)
            self._logged_at = now


def read_counted_by_server(tables: DatasetTables, expected: int | None, kind: str = "rows") -> None:
    """Say that one COPY of the dataset begins, of about `expected` rows where that is known: its server counts them."""
    tables.store.progress.read(tables.name, kind, expected)


@contextlib.contextmanager
def reporting(store: MergeStore) -> Iterator[None]:
    """Report what the store's run is at, as long as this lasts."""
    over = threading.Event()
    reporter = start_without_signals(_Reporter(store, over).report, "progress")
    try:
        yield
    finally:
        over.set()
        reporter.join(JOIN_SECONDS)


class _Reporter:
    """Reports the progress of a run until it is over. Whatever goes wrong here, the run goes on."""

    def __init__(self, store: MergeStore, over: threading.Event) -> None:
        self._store, self._over = store, over
        self._logged_at = 0.0
        self._table = store.table(names.progress_table(store.stream.platform_name))
        self._of_run = {"key": store.stream.key, "run_id": store.run_id}

    def report(self) -> None:
        seconds = WRITE_SECONDS
        while not self._over.wait(seconds):
            with contextlib.suppress(psycopg2.Error, StreamFactoryError):
                self._report_in_a_session()
            seconds = AGAIN_SECONDS

    def _report_in_a_session(self) -> None:
        store = self._store
        with closing(connect(store.place, "merge-job progress", store.where, 1)) as session:
            self._run(session, "forget_dead", {"key": store.stream.key})
            while True:
                self._write(session)
                if self._over.wait(WRITE_SECONDS):
                    break
            self._run(session, "forget", self._of_run)

    def _write(self, session: Session) -> None:
        progress = self._store.progress
        work, size = self._counted(session, progress.now)
        now = time.monotonic()
        values = {
            **self._of_run,
            "seconds": now - progress.began,
            "phase": work.phase.value,
            "phase_seconds": now - work.began,
            "dataset": work.dataset,
            "kind": work.kind,
            "done": work.done,
            "expected": work.expected,
            "bytes": size,
        }
        self._run(session, "write", values)

    def _counted(self, session: Session, work: Work) -> tuple[Work, int | None]:
        """Return the work with what the server has counted of it, and how many bytes that is; log it at times."""
        if work.done is not None:
            return work, None
        found = self._counts_of_server(session)
        if found is None:
            return work, None
        kind, done, whole, size = found
        work = replace(work, kind=kind or work.kind or "rows", done=done, expected=whole or work.expected)
        now = time.monotonic()
        if kind is None and now - max(self._logged_at, work.began) >= EVERY_SECONDS:
            log.info("%s %s: %s", self._store.stream, work.dataset, _line(work, now - work.began))
            self._logged_at = now
        return work, size

    def _counts_of_server(self, session: Session) -> tuple[str | None, int, int | None, int | None] | None:
        batch = self._store.session
        pid = batch.verified.backend if batch.verified else batch.info.backend_pid
        with session.cursor() as cursor:
            execute(cursor, "progress.counted_by_server", {}, {"pid": pid})
            row: tuple[str | None, int, int | None, int | None] | None = cursor.fetchone()
        return row

    def _run(self, session: Session, name: str, values: Mapping[str, object]) -> None:
        """Run a statement on the progress table, and commit."""
        with session.cursor() as cursor:
            execute(cursor, f"progress.{name}", {"progress": self._table}, values)
        session.commit()


def _line(work: Work, seconds: float) -> str:
    # The estimate is the source's, of some time ago: a copy that is still going on has not done all of it.
    rows = work.done or 0
    part = f" ({min(99, 100 * rows // work.expected)} % of about {work.expected})" if work.expected else ""
    return f"{rows} {work.kind}{part} in {seconds:.0f} s, {rows / seconds:.0f} rows/s"
