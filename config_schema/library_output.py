"""Standard error for Python alone: libpq writes there what a server says while a session begins, unescaped."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def keep_libraries_from_stderr() -> None:
    """Let only Python write to standard error, for the rest of the process; a crash still shows where it was.

    A producer's server, or a trigger of its that runs at a login, could write lines into the log otherwise: no notice
    processor can be set for a session before it has begun.
    """
    own = _without_stderr()
    sys.stderr = os.fdopen(own, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable(own)


@contextmanager
def no_library_output() -> Iterator[None]:
    """Let nobody write to standard error meanwhile: for one session, in a program that starts others."""
    sys.stderr.flush()
    own = _without_stderr()
    try:
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)


def _without_stderr() -> int:
    """Let standard error lead nowhere; return where it led."""
    own = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return own
