"""A log for machines: whatever a record holds, it is one line of JSON."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from merge_jobs.process.log_lines import JsonLines


def record(message: str, *arguments: object, error: Any = None) -> logging.LogRecord:
    return logging.LogRecord("merge_jobs.run.job", logging.WARNING, __file__, 1, message, arguments, error)


def test_a_message_with_a_line_end_is_one_line():
    line = JsonLines({"run_id": "run 1"}).format(record("%s: found\n%s", "Store1", '"\u2028'))
    assert len(line.splitlines()) == 1
    reported = json.loads(line)
    assert (reported["message"], reported["level"], reported["run_id"]) == (
        'Store1: found\n"\u2028',
        "WARNING",
        "run 1",
    )


def test_an_unforeseen_error_has_its_traceback_in_the_same_line():
    try:
        raise ValueError("no such thing")
    except ValueError:
        line = JsonLines({}).format(record("it failed", error=sys.exc_info()))
    assert json.loads(line)["exception"].endswith("ValueError: no such thing")
