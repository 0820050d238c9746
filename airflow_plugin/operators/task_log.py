"""What others say, jobs, nodes and registries, as a task's log shows it. No Airflow."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from config_schema.printable import printable

GROUP_MARKERS = ("::group::", "::endgroup::")  # Airflow's pages fold away what is between
LEVELS = ("debug", "info", "warning", "error", "critical")
# How a job's line begins: with its time and level, as a JSON object, or as commands print what is wrong.
LEVEL = re.compile(
    r"""\d{4}-\d\d-\d\d[ ]\d\d:\d\d:\d\d,\d{3}[ ](?P<text>[A-Z]+)[ ]
    | \{"time":[ ]"[^"]*",[ ]"level":[ ]"(?P<json>[A-Z]+)"
    | (?P<command>error|warning):[ ]""",
    re.VERBOSE,
)


def as_logged(line: str) -> str:
    """Return a job's line in which data forges no other line, controls no terminal and folds no lines away."""
    shown = printable(line.rstrip("\r"))
    return f"| {shown}" if shown.startswith(GROUP_MARKERS) else shown


def level_of(line: str) -> int:
    """Return the level at which a job has logged a line; INFO for a line without one."""
    found = LEVEL.match(line)
    name = found[found.lastgroup or 0].upper() if found else "INFO"
    return logging.getLevelNamesMapping().get(name, logging.INFO)


class EscapingLog:
    """A logger of the provider's code: its messages are its own, their arguments and errors are what others say."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        if name == "exception":
            return partial(_say, self._log.error, exc_info=True)
        found = getattr(self._log, name)
        return partial(_say, found) if name in LEVELS else found


def _say(say: Callable[..., Any], message: str, *said: Any, exc_info: Any = None, **more: Any) -> Any:
    """Log the message; an error in a line, as those of others may have any lines, not by its traceback."""
    if exc_info and (error := sys.exception()) is not None:
        message, said = f"{message}: %s", (*said, f"{type(error).__name__}: {error}")
    return say(message, *(one if isinstance(one, int | float) else printable(str(one)) for one in said), **more)
