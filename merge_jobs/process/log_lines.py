"""The job's log on stdout: lines for people, or on request one JSON object per line for machines."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from config_schema.printable import printable

MOST_ERRORS = 10  # of which one came of the other


class LogFormat(Enum):
    """The formats of the job's log lines."""

    TEXT = "text"
    JSON = "json"


class WithoutTexts(logging.Formatter):
    """Formats an error as its class and frames. Libraries log errors with what a server said in them."""

    def formatException(self, ei: Any) -> str:
        """Return the frames and classes of an error, and of those that it came of; none of their texts."""
        found: list[str] = []
        error: BaseException | None = ei[1]
        while error is not None and len(found) < MOST_ERRORS:
            frames = "".join(traceback.format_tb(error.__traceback__))
            found.append(f"Traceback (most recent call last):\n{frames}{type(error).__name__}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(reversed(found))


class JsonLines(WithoutTexts):
    """`time` (UTC), `level`, `logger` and `message` of a record, and the fields that all lines share."""

    def __init__(self, same: Mapping[str, str]) -> None:
        super().__init__()
        self._same = dict(same)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, also if its message has several."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._same,
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


class TextLines(WithoutTexts):
    """A line for people. Names and texts from elsewhere in a message cannot begin a new line."""

    def __init__(self, form: str = "%(asctime)s %(levelname)s %(message)s") -> None:
        super().__init__(form)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Format a message so that it stays on one line."""
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """Return the frames and classes of an error, indented, with control characters escaped."""
        return "\n".join(f"    {printable(line)}" for line in super().formatException(ei).splitlines())


def log_to_stdout(wanted: LogFormat = LogFormat.TEXT, **same: str) -> None:
    """Log to stdout, line by line; each JSON object also has the fields `same`."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(same) if wanted is LogFormat.JSON else TextLines())
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers[:] = [handler]


def log_to_stderr() -> None:
    """Log warnings and errors to stderr, of which only the message is a line: for commands that have no log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(TextLines("%(message)s"))
    logging.getLogger().handlers[:] = [handler]
