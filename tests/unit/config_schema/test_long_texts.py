"""A name or a value of any length makes an error that people can read: the log and the API get no 100 KB of it."""

from __future__ import annotations

from config_schema.errors import UnknownName
from config_schema.job_model import JobModelBroken
from config_schema.problem import LONGEST, Problem
from config_schema.source_check import CheckLevel, ReadableDataset, SourceFinding

LONG = "x" * 100_000


def test_a_problem_is_bounded_in_each_of_its_parts():
    text = str(Problem(LONG, LONG, LONG, LONG, code="DF1300"))
    assert len(text) < 5 * LONGEST
    assert text.count("characters left out") == 4
    assert text.startswith("xxx")


def test_an_error_is_bounded_and_keeps_its_fields():
    for error in (JobModelBroken(LONG, LONG, LONG), UnknownName(LONG, "stream", LONG, [])):
        assert len(str(error)) < 5 * LONGEST
        assert len(str(error.reworded(LONG))) < 5 * LONGEST
    assert UnknownName("--stream", "stream", "y", ["x"]).where == "--stream"


def test_what_is_not_too_long_is_left_as_it_is():
    what = "x" * LONGEST
    assert Problem("f", "p", what, "Do", code="DF1300").__str__() == f"f: p: {what}. Do [DF1300]"


def test_a_finding_at_a_source_is_one_line_of_some_length_whatever_its_server_calls_a_column():
    name = "a\n2026-01-01 00:00:00,000 ERROR forged\x1b[2J" + "x" * 1_000_000
    found = SourceFinding(CheckLevel.NOTE, "t", f"a column {name}", f"Add {name}", "DF5603")
    readable = ReadableDataset("t", "t", "full", f"{name} is no plain table")
    for text in (found.what, found.todo, readable.why):
        assert text.isprintable()
        assert len(text) < 3000
