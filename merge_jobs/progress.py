"""How far a long COPY is, told every few seconds from a session of its own. It costs a short one nothing."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg2

from config_schema.errors import StreamFactoryError
from merge_jobs.database import connect
from merge_jobs.sql import execute
from merge_jobs.tables import DatasetTables

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0


@contextlib.contextmanager
def progress_told(tables: DatasetTables, expected: int | None) -> Iterator[None]:
    """Tell how many rows the merge store's session has taken in, as a part of those `expected` where that is known."""
    over = threading.Event()
    told = threading.Thread(target=_tell, args=(tables, expected, over), name=f"progress {tables.name}", daemon=True)
    told.start()
    try:
        yield
    finally:
        over.set()
        told.join()


def _tell(tables: DatasetTables, expected: int | None, over: threading.Event) -> None:
    began, store = time.monotonic(), tables.store
    if over.wait(EVERY_SECONDS):
        return
    # Whatever goes wrong here, the batch goes on: this only tells of it.
    with contextlib.suppress(psycopg2.Error, StreamFactoryError):
        pid = store.session.info.backend_pid
        with closing(connect(store.place, "merge-job progress", store.where, 1)) as session:
            session.autocommit = True
            while True:
                with session.cursor() as cursor:
                    execute(cursor, "dataset.copy_progress", {}, {"pid": pid})
                    for (rows,) in cursor.fetchall():
                        log.info("%s", _line(tables, rows, expected, time.monotonic() - began))
                if over.wait(EVERY_SECONDS):
                    return


def _line(tables: DatasetTables, rows: int, expected: int | None, seconds: float) -> str:
    # The estimate is the source's, of some time ago: a copy that is still going on has not done all of it.
    part = f" ({min(99, 100 * rows // expected)} % of about {expected})" if expected else ""
    return f"{tables.where}: {rows} rows{part} in {seconds:.0f} s, {rows / seconds:.0f} rows/s"
