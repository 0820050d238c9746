"""Lists end where their JSON reaches a number of bytes, and say where to go on."""

from __future__ import annotations

import json

import pytest

from airflow_plugin.web.serializers import MOST_BYTES, fitting, page


@pytest.mark.parametrize("text", ["x", "ü", "\x01", "\ud800", '"', "🙂"])
def test_as_many_items_as_fit_are_taken_whatever_their_characters(text):
    items = [{"text": text * 1000}] * 5000
    found = fitting(items)
    size = len(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
    assert MOST_BYTES - 10_000 < size <= MOST_BYTES + 2
    assert found == items[: len(found)]


def test_one_item_is_always_there_however_long():
    assert fitting([{"text": "x" * 10}, {"text": "y"}], most=5) == [{"text": "x" * 10}]
    assert fitting([]) == []


def test_pages_lead_through_all_of_a_list_once():
    items = [{"number": number, "text": "x" * 100_000} for number in range(25)]
    seen, offset = [], 0
    while offset is not None:
        reported = page("rows", items[offset : offset + 20], len(items), offset)
        seen += reported["rows"]
        offset = reported["next"]
    assert seen == items


def test_a_page_behind_the_end_has_no_next():
    assert page("rows", [], 3, 10) == {"total": 3, "next": None, "rows": []}
