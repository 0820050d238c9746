"""Keeps Airflow quiet inside a command of ours: it logs to stdout, where our data goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

QUIET = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
# What Airflow's own commands say of themselves: only then it looks for connections in its database.
SERVER = {"_AIRFLOW_PROCESS_CONTEXT": "server"}


@contextmanager
def quiet_airflow(*, as_server: bool = False) -> Iterator[None]:
    """Keep Airflow quiet; enter it before importing Airflow, which reads its settings then.

    Variables that are set already win.
    """
    wanted = QUIET | (SERVER if as_server else {})
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        for name in added:
            del os.environ[name]
