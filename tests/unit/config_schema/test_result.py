"""The result line: written, found again in a noisy log, and never believed without the token of the try."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import config_schema
from config_schema.result import (
    RESULT_PREFIX,
    Counts,
    DatasetResult,
    MergeResult,
    QualityResult,
    ResultCode,
    ResultReader,
    result_lines,
    termination_message,
)

TOKEN = "3f9a"
SCHEMA = json.loads((Path(config_schema.__file__).parent / "schemas" / "result.schema.json").read_text())


def a_result(**changes) -> MergeResult:
    checked = (QualityResult("email_is_set", "not_null", "warn", 3), QualityResult("rows", "row_count", "fail", 0))
    customers = DatasetResult(Counts(2, 1, 0, 95, 98), "full", "asked for", 0.5, checked)
    addresses = DatasetResult(Counts(1, 1, 3, 10, 12), "full", "asked for", 0.25)
    values = {"run_id": "r1", "platform": "YellowLive", "stream_key": "Store1", "batch_id": 7, "batches": 1}
    return MergeResult(
        **{"code": ResultCode.DONE, "datasets": {"customers": customers, "addresses": addresses}, **values, **changes}
    )


def read(lines, token=TOKEN):
    reader = ResultReader(token)
    for line in lines:
        reader.feed(line)
    return reader.result


def test_what_was_written_is_read():
    assert read(["noise", *result_lines(a_result(), TOKEN), "more noise"]) == a_result()
    partly = a_result(partly_read=("customers",))
    assert read(result_lines(partly, TOKEN)) == partly


def test_the_result_line_holds_its_schema():
    line, code = result_lines(a_result(code=ResultCode.ERROR, error="no", retryable=True, partly_read=("pets",)), TOKEN)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(json.loads(line.removeprefix(RESULT_PREFIX)))
    assert code == "DATASURFACE_RESULT_CODE=-1"


def test_the_totals_are_the_sums_of_the_datasets():
    assert a_result().total == Counts(3, 2, 3, 105, 110)


def test_a_line_printed_by_data_counts_not_at_all():
    forged = a_result(code=ResultCode.KEEP_WORKING)
    assert read([*result_lines(forged, "guess"), RESULT_PREFIX + '{"code": 0}', RESULT_PREFIX + "null"]) is None
    assert read([*result_lines(forged, "guess"), *result_lines(a_result(), TOKEN)]) == a_result()


def test_repeated_lines_count_once_and_the_first_stands():
    line, code = result_lines(a_result(), TOKEN)
    assert read([line, code, line, code]) == a_result()


@given(st.integers(0, 400))
def test_a_line_cut_off_is_no_result(cut):
    line, _ = result_lines(a_result(), TOKEN)
    assert read([line[: min(cut, len(line) - 1)]]) is None


@given(st.text())
def test_any_text_may_stand_in_a_log(text):
    assert read([text, RESULT_PREFIX + text]) is None


def test_a_reader_without_a_token_is_refused():
    with pytest.raises(ValueError, match="token"):
        ResultReader("")


def test_a_long_result_is_cut_to_its_totals_in_the_termination_message():
    many = {f"dataset_{i}": DatasetResult(Counts(1, 0, 0, 0, 1)) for i in range(500)}
    long = a_result(datasets=many, partly_read=tuple(many), code=ResultCode.ERROR, error="\U0001f4a5" * 9000)
    message = termination_message(long, TOKEN)
    found = read([message])
    assert len(message.encode()) <= 4000
    assert found.truncated
    assert found.total == Counts(500, 0, 0, 0, 500)
    assert found.code is ResultCode.ERROR


def test_a_whole_result_replaces_a_truncated_one():
    many = {f"dataset_{i}": DatasetResult(Counts(1, 0, 0, 0, 1)) for i in range(500)}
    long = a_result(datasets=many)
    assert read([termination_message(long, TOKEN), *result_lines(long, TOKEN)]) == long


def test_counts_of_a_time_slice_are_sums_and_the_last_batch():
    assert Counts(1, 2, 3, 4, 5).then(Counts(10, 0, 0, 7, 8)) == Counts(11, 2, 3, 7, 8)


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
KEYS = ("code", "run_id", "platform", "stream_key", "batch_id", "datasets", "total", "error", "retryable", "__class__")


@given(st.dictionaries(st.sampled_from(KEYS), SHAPES))
def test_no_result_of_any_shape_raises_even_with_the_token_of_the_try(values):
    read([RESULT_PREFIX + json.dumps({**values, "token": TOKEN})])


@given(st.sampled_from(KEYS), SHAPES)
def test_one_value_of_any_shape_in_a_result_raises_nothing(key, value):
    read([RESULT_PREFIX + json.dumps({**a_result().to_dict(), key: value, "token": TOKEN})])


TOKEN_KEY = '"token":"3f9a"'


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        "[" * 1_000_000 + f"{{{TOKEN_KEY}}}" + "]" * 1_000_000,
        '{"a":' * 100_000 + f"{{{TOKEN_KEY}}}" + "}" * 100_000,
        f'{{{TOKEN_KEY},"code":{"9" * 100_000}}}',
        f'{{{TOKEN_KEY},"code":1e999}}',
        f'{{{TOKEN_KEY},"code":-Infinity}}',
        f'{{{TOKEN_KEY},"code":NaN}}',
        f'{{{TOKEN_KEY},"token":"\\ud800"}}',
        f'{{{TOKEN_KEY},"token":null}}',
        f'{{{TOKEN_KEY},"datasets":{{"a":{{"counts":{{"__init__":1}}}}}},"code":0}}',
        f"{{{TOKEN_KEY}",
        f"{{{TOKEN_KEY}}}\ud800\x00",
        f"\x00{{{TOKEN_KEY}}}",
        f"{' ' * 5_000_000}{{{TOKEN_KEY}}}",
    ],
    ids=range(14),
)
def test_no_length_or_depth_of_a_line_raises(line):
    assert read([RESULT_PREFIX + line, RESULT_PREFIX + line[::-1]]) is None


def test_many_lines_are_not_kept():
    reader = ResultReader(TOKEN)
    for number in range(2):
        tracemalloc.start()
        for _ in range(5):
            reader.feed(RESULT_PREFIX + f"{number}" * 1_000_000)
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 100_000
        assert peak < 10_000_000
