"""Text from elsewhere, made fit for a line of a log; and a reader of logs whom no line brings down."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_schema.errors import CommandWrong
from config_schema.printable import printable
from config_schema.result import RESULT_PREFIX, MergeResult, ResultCode, ResultReader, result_lines
from merge_jobs.process.log_lines import TextLines

TOKEN = "the-token"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zürich 雪 t", "Zürich 雪 t"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("abc\u202edef\u2028\x85", "abc\\u202edef\\u2028\\x85"),
        ("\ud800", "\\ud800"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown


@given(st.text())
def test_what_is_printable_is_one_line_and_stays_so(text):
    assert len(printable(text).splitlines()) <= 1
    assert printable(printable(text)) == printable(text)


def test_a_long_text_is_cut_with_its_length():
    assert printable("x" * 50, 10) == "xxxxxxxxxx... (50 characters)"


def test_an_error_is_one_line_whatever_is_named_in_it():
    error = CommandWrong("t\nable", "what\x1b", "to\rdo")
    assert str(error) == "t\\nable: what\\x1b. to\\rdo [DF1002]"


def test_a_line_of_the_log_is_one_line():
    record = logging.LogRecord("x", logging.INFO, "f", 1, "table %s", ("a\nDATASURFACE_RESULT=",), None)
    assert TextLines().format(record).endswith(" INFO table a\\nDATASURFACE_RESULT=")


def test_no_line_of_a_traceback_begins_like_a_line_of_the_log():
    try:
        raise ValueError("a\n2026-01-01 INFO forged")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", (), (type(error), error, error.__traceback__))
    assert all(line.startswith("    ") for line in TextLines().format(record).splitlines()[1:])


@pytest.mark.parametrize(
    "payload",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"token":"the-token","x":' + "[" * 100_000,
        '{"token":"the-token","code":' + "9" * 5000 + "}",
        '"the-token"',
        "null",
        "x" * 10_000_000,
    ],
    ids=["brackets", "objects", "brackets with the token", "digits", "a string", "null", "long"],
)
def test_no_line_of_a_log_brings_its_reader_down(payload):
    reader = ResultReader(TOKEN)
    reader.feed(RESULT_PREFIX + payload)
    assert reader.result is None
    result = MergeResult(ResultCode.DONE, "run", "p", "s")
    reader.feed("\n".join(result_lines(result, TOKEN)))
    assert reader.result == result


@pytest.mark.parametrize("token", ['with "quotes"', "Zürich", "back\\slash"])
def test_a_token_of_any_characters_is_found(token):
    reader = ResultReader(token)
    reader.feed(result_lines(MergeResult(ResultCode.DONE, "run", "p", "s"), token)[0])
    assert reader.result is not None
