"""What others say, jobs, nodes and registries, as a task's log shows it. No Airflow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from config_schema.printable import printable

GROUP_MARKERS = ("::group::", "::endgroup::")  # Airflow's pages fold away what is between
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


def as_logged(line: str) -> str:
    """Return a job's line in which data forges no other line, controls no terminal and folds no lines away."""
    shown = printable(line.rstrip("\r"))
    return f"| {shown}" if shown.startswith(GROUP_MARKERS) else shown


class EscapingLog:
    """A logger of the provider's code, whose messages are its own and whose arguments are what others say."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._log, name)
        return partial(_say, found) if name in LEVELS else found


def _say(say: Callable[..., Any], message: str, *said: Any, **more: Any) -> Any:
    return say(message, *(one if isinstance(one, int | float) else printable(str(one)) for one in said), **more)
