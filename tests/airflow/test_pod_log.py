"""The lines of a container's log, of which streams repeat some, or have some in another order."""

from __future__ import annotations

import importlib
import tracemalloc
from typing import Any

import pytest


@pytest.fixture
def module(airflow_here) -> Any:
    return importlib.import_module("airflow_plugin.operators.pod_log")


def line(second: float, text: str) -> str:
    return f"2026-11-30T10:00:{second:09.6f}Z {text}"


def taken(position: Any, lines: list[str]) -> list[str]:
    position.next_stream()
    return [text for one in lines if (text := position.take(one)) is not None]


def test_a_stream_goes_on_behind_the_last_line_of_the_one_before(module):
    position = module.LogPosition()
    log = [line(1, "a"), line(2, "b"), line(2, "b"), line(3, "c"), line(4, "d")]
    assert taken(position, log[:2]) == ["a", "b"]
    assert taken(position, log[:4]) == ["b", "c"]
    assert taken(position, log) == ["d"]
    assert taken(position, log) == []


def test_lines_that_change_places_are_all_there_once(module):
    position = module.LogPosition()
    assert taken(position, [line(2, "out"), line(1.9, "err")]) == ["out", "err"]
    assert taken(position, [line(1.9, "err"), line(1.95, "late"), line(2, "out"), line(3, "new")]) == ["late", "new"]


def test_of_a_long_log_what_is_older_than_the_lines_kept_was_read(module, monkeypatch):
    monkeypatch.setattr(module, "KEPT_LINES", 10)
    position = module.LogPosition()
    log = [line(number / 100, f"line {number}") for number in range(100)]
    assert len(taken(position, log[:80])) == 80
    assert taken(position, log) == [f"line {number}" for number in range(80, 100)]


def test_a_stream_asks_for_all_of_the_log_and_then_for_more_than_what_is_missing(module):
    position = module.LogPosition()
    assert position.next_stream() is None
    position.take(line(1, "a"))
    assert position.next_stream() >= module.MARGIN_SECONDS


def test_text_without_a_time_is_taken_as_it_is(module):
    position = module.LogPosition()
    assert taken(position, ["unable to retrieve container logs"]) == ["unable to retrieve container logs"]
    assert taken(position, [line(1, "")]) == [""]


def test_long_lines_are_not_kept(module):
    """A line may have a megabyte, and a thousand of them are known again."""
    position = module.LogPosition()
    tracemalloc.start()
    try:
        for number in range(20):
            position.take(line(number, "x" * (1 << 20)))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1 << 20
