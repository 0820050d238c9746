"""How far long work is, logged every few seconds; short work logs nothing.

Of one long COPY a session of its own tells; of work in pieces the job itself does, between them.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import psycopg2

from config_schema.errors import StreamFactoryError
from merge_jobs.database.connections import connect
from merge_jobs.sql import execute
from merge_jobs.stores.postgres.tables import DatasetTables

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
JOIN_SECONDS = 1.0  # for a session that hangs; the batch does not wait for it


@dataclass
class Pieces:
    """Work on `whole` pieces of a kind, of which `did` tells."""

    where: str
    kind: str
    whole: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._logged_at = self.began

    def did(self, more: int) -> None:
        """Count more work done, and log it if nothing was logged for some seconds."""
        self.done += more
        now = time.monotonic()
        if now - self._logged_at >= EVERY_SECONDS:
            part, seconds = 100 * self.done // max(self.whole, 1), now - self.began
            log.info("%s: %d of %d %s (%d %%) in %.0f s", self.where, self.done, self.whole, self.kind, part, seconds)
            self._logged_at = now


@contextlib.contextmanager
def progress_logged(tables: DatasetTables, expected: int | None, kind: str = "rows") -> Iterator[None]:
    """Tell how many rows the merge store's session has taken in, as a part of those `expected` where that is known."""
    over = threading.Event()
    asked = (tables, expected, kind, over)
    reporter = threading.Thread(target=_tell, args=asked, name=f"progress {tables.name}", daemon=True)
    reporter.start()
    try:
        yield
    finally:
        over.set()
        reporter.join(JOIN_SECONDS)


def _tell(tables: DatasetTables, expected: int | None, kind: str, over: threading.Event) -> None:
    began, store = time.monotonic(), tables.store
    if over.wait(EVERY_SECONDS):
        return
    # Whatever goes wrong here, the batch goes on: this only reports it.
    with contextlib.suppress(psycopg2.Error, StreamFactoryError):
        pid = store.session.verified.backend if store.session.verified else store.session.info.backend_pid
        with closing(connect(store.place, "merge-job progress", store.where, 1)) as session:
            while not over.is_set():
                with session.cursor() as cursor:
                    execute(cursor, "dataset.copy_progress", {}, {"pid": pid})
                    for (rows,) in cursor.fetchall():
                        log.info("%s", _line(tables.where, rows, kind, expected, time.monotonic() - began))
                session.commit()
                over.wait(EVERY_SECONDS)


def _line(where: str, rows: int, kind: str, expected: int | None, seconds: float) -> str:
    # The estimate is the source's, of some time ago: a copy that is still going on has not done all of it.
    part = f" ({min(99, 100 * rows // expected)} % of about {expected})" if expected else ""
    return f"{where}: {rows} {kind}{part} in {seconds:.0f} s, {rows / seconds:.0f} rows/s"
