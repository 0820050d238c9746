"""A log for machines: whatever a record holds, it is one line of JSON."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from merge_jobs.process.log_lines import JsonLines, TextLines

JSON_LINES = JsonLines({})


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


@pytest.mark.parametrize("form", [JSON_LINES, TextLines()], ids=["JSON", "text"])
def test_an_error_that_a_library_logs_has_its_frames_and_no_text(form):
    """SQLAlchemy's pool logs what a server answers to ROLLBACK."""
    text = "".join(["ge", "heim\nof a row"])  # frames have the lines of the code
    try:
        try:
            raise KeyError(text)
        except KeyError:
            raise ValueError(text) from RuntimeError(text)
    except ValueError:
        line = form.format(record("it failed", error=sys.exc_info()))
    assert "geheim" not in line
    assert line.index("RuntimeError") < line.index("test_an_error_that_a_library_logs") < line.rindex("ValueError")
    assert form is not JSON_LINES or len(line.splitlines()) == 1


def test_a_circle_of_errors_ends():
    try:
        raise ValueError
    except ValueError as error:
        error.__cause__ = error
        assert TextLines().format(record("it failed", error=sys.exc_info())).count("\n    ValueError") == 10
