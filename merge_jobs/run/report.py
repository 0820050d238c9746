"""Telling the result: the last two lines of the log, and the container's termination message."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from config_schema import names
from config_schema.result import MergeResult, result_lines, termination_message

log = logging.getLogger(__name__)

DEFAULT_TERMINATION_MESSAGE = "/dev/termination-log"


def report(result: MergeResult, token: str) -> None:
    """Write the termination message where a container wants one, then the result's lines to stdout."""
    path = Path(os.environ.get(names.TERMINATION_MESSAGE_VARIABLE, DEFAULT_TERMINATION_MESSAGE))
    if path.exists() and os.access(path, os.W_OK):
        try:
            path.write_text(termination_message(result, token), "utf-8")
        except OSError as error:
            log.warning("the termination message could not be written: %s", error.strerror)
    sys.stdout.write("".join(f"{line}\n" for line in result_lines(result, token)))
    sys.stdout.flush()
