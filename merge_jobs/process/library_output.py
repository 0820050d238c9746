"""Standard error for Python alone: libpq writes there what a server says while a session begins, unescaped."""

from __future__ import annotations

import faulthandler
import os
import sys


def keep_libraries_from_stderr() -> None:
    """Let only Python write to standard error, for the rest of the process; a crash still shows where it was.

    A producer's server, or a trigger of its that runs at a login, could write lines into the log otherwise: no notice
    processor can be set for a session before it has begun.
    """
    own = os.dup(2)
    sys.stderr = os.fdopen(own, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable(own)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
