"""COPY from a source | COPY into the merge store, through a pipe: no row passes through Python.

The driver holds one whole row, up to three times; everything else has constant size (process/memory_limit.py).
"""

from __future__ import annotations

import contextlib
import contextvars
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from psycopg2 import sql

from config_schema.errors import StreamFactoryError
from merge_jobs.database.pace import PacedReader
from merge_jobs.database.session import Session
from merge_jobs.database_errors import too_large_a_row
from merge_jobs.process.signal_mask import SMALL_STACK, start_without_signals

CHUNK_BYTES = 1 << 17
PIPE_BYTES = 1 << 20


def copy_through(
    copy_out: Callable[[BinaryIO], int],
    cancel: Callable[[], None],
    name: str,
    session: Session,
    copy_in: sql.Composed,
) -> int:
    """Copy what `copy_out` writes, in its own thread, into the table of `copy_in`; return the number of rows.

    It is read at the pace of the session, if that has one.

    Raises the first error of either side; the caller then rolls back, because the merge store has seen an end of
    input that was not the real one.
    """
    read_end, write_end = os.pipe()
    pace = session.pace
    _widen(write_end)
    reader = os.fdopen(read_end, "rb", buffering=CHUNK_BYTES)
    out = _CopyOut(copy_out, os.fdopen(write_end, "wb", buffering=CHUNK_BYTES))
    # In a copy of our context: what the thread runs is held to the statements of the same step.
    run = contextvars.copy_context().run
    thread = start_without_signals(run, f"copy {name}", out.run, stack=SMALL_STACK)
    failed = True
    try:
        with session.cursor() as cursor:
            paced = reader if pace is None else PacedReader(reader, pace)
            cursor.copy_expert(copy_in, paced, CHUNK_BYTES)  # type: ignore[arg-type]  # it only calls read()
            copied = cursor.rowcount
        failed = False
    finally:
        reader.close()  # a source that still writes gets EPIPE
        if failed and thread.is_alive():
            thread.join(1)
            cancel()
        thread.join()
        if isinstance(out.error, MemoryError):
            raise too_large_a_row(name) from out.error
        if out.error is not None and not isinstance(out.error, BrokenPipeError):
            raise out.error
    if out.rows != copied:
        raise CopyIncomplete(name, out.rows, copied)
    return copied


class CopyIncomplete(StreamFactoryError):
    """Fewer or more rows arrived in the merge store than the source has sent.

    Try again; nothing was merged.
    """

    code = "DF5007"
    retryable = True

    def __init__(self, name: str, sent: int, arrived: int) -> None:
        self.sent, self.arrived = sent, arrived
        super().__init__(name, f"the source sent {sent} rows, and {arrived} arrived", "Try again")


@dataclass
class _CopyOut:
    copy_out: Callable[[BinaryIO], int]
    writer: BinaryIO
    rows: int = -1
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.rows = self.copy_out(self.writer)
            self.writer.flush()
        except BaseException as error:
            self.error = error
        finally:
            with contextlib.suppress(OSError):
                self.writer.close()


def _widen(pipe: int) -> None:
    # Linux only, and within a limit per user: the usual 64 kB do as well, with more switching.
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return
