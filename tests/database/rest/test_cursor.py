"""APIs that are asked for what has changed: nothing is deleted for not being listed, and no change is missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config_schema.model import (
    Column,
    Cursor,
    Dataset,
    DatasetStrategy,
    Milestoning,
    RestCursorFormat,
    RestEndpoint,
    RestIncremental,
    RestPaginator,
    RestPaginatorType,
)
from merge_jobs.admin.diff import compare
from merge_jobs.run.ingest import StrategyOption
from merge_jobs.run.render_sql import datasets_to_show, rendered_sql
from merge_jobs.sources import Since
from merge_jobs.sources.rest.source import start_value
from tests.database.conftest import PLATFORMS, STORE
from tests.database.rest.conftest import Answer, with_endpoint

SINCE = RestIncremental("since")
EVENTS = Dataset(
    "events",
    (
        Column("id", "integer", nullable=False),
        Column("word", "text"),
        Column("changed", "timestamptz", nullable=False),
        Column("gone", "timestamptz"),
    ),
    ("id",),
    strategy=DatasetStrategy.CURSOR,
    cursor=Cursor("changed"),
    endpoint=RestEndpoint("events", "$", RestPaginator(RestPaginatorType.SINGLE_PAGE), incremental=SINCE),
)


class Events:
    """An API that gives what has changed at or after a time, and only the newest where nobody names one."""

    def __init__(self, api, inclusive=True):
        self.records, self.inclusive, self.asked, self.fault = [], inclusive, [], None
        api.answers["/v2/events"] = self.answer

    def put(self, number, word, minute, gone=None):
        self.records = [one for one in self.records if one["id"] != number]
        at = f"2026-01-02T03:{minute:02}:00Z"
        self.records.append({"id": number, "word": word, "changed": at, "gone": gone and at})

    def answer(self, asked):
        if self.fault is not None:
            return self.fault
        since = asked.query.get("since")
        self.asked.append(since)
        if since is None:
            return self.records
        at_least = [one for one in self.records if one["changed"] >= since]
        return at_least if self.inclusive else [one for one in at_least if one["changed"] > since]


def counts(case, of=Milestoning.LIVE, **options):
    result = case.run(of, max_delete_fraction=0.0, **options)
    total = result.total
    return result.datasets["events"].strategy, total.inserted, total.updated, total.deleted, total.total


@pytest.mark.parametrize("of", Milestoning)
@pytest.mark.parametrize("inclusive", [True, False])
def test_only_what_has_changed_is_asked_for_and_nothing_is_deleted_for_not_being_listed(of_api, api, of, inclusive):
    case, events = of_api(api, EVENTS), Events(api, inclusive)
    events.put(1, "a", 1)
    events.put(2, "b", 2)
    assert counts(case, of) == ("initial", 2, 0, 0, 2)
    del events.records[0]  # the API keeps only so much
    assert counts(case, of) == ("cursor", 0, 0, 0, 2)
    assert counts(case, of) == ("cursor", 0, 0, 0, 2)
    events.put(2, "c", 5)
    events.put(3, "d", 6)
    assert counts(case, of) == ("cursor", 1, 1, 0, 3)
    assert events.asked == [None, *["2026-01-02T03:02:00Z"] * 3]
    # Whatever makes a batch read everything: what is not listed stays as it is.
    assert counts(case, of, strategy=StrategyOption.FULL) == ("full", 0, 0, 0, 3)
    case.datasets = (replace(EVENTS, columns=(*EVENTS.columns, Column("more", "text", path="word"))),)
    assert counts(case, of) == ("full", 0, 2, 0, 3)
    rows = case.open_rows(of, case.datasets[0])
    assert sorted((row[1], row[4]) for row in rows.values()) == [("a", None), ("c", "c"), ("d", "d")]
    assert counts(case, of) == ("cursor", 0, 0, 0, 3)
    assert events.asked[4:] == [None, None, "2026-01-02T03:06:00Z"]


@pytest.mark.parametrize("of", Milestoning)
def test_a_comparison_is_of_what_the_endpoint_lists(of_api, api, of):
    case, events = of_api(api, EVENTS), Events(api)
    for number in (1, 2, 3):
        events.put(number, "a", number)
    counts(case, of)
    del events.records[0]
    events.put(2, "b", 4)
    events.put(4, "d", 5)
    job = case.job(of)
    found = compare(job.store, job.source, job.stream, job.stream.datasets, 10).datasets["events"]
    assert sorted((key.difference.value, str(key.key)) for key in found.keys) == [
        ("different", "{'id': '2'}"),
        ("only_in_source", "{'id': '4'}"),
    ]
    counts(case, of)
    job = case.job(of)
    found = compare(job.store, job.source, job.stream, job.stream.datasets, 10).datasets["events"]
    assert found.keys == ()


def test_records_that_the_api_marks_as_deleted_are_gone_whatever_a_batch_reads(of_api, api):
    case, events = of_api(api, replace(EVENTS, cursor=Cursor("changed", deleted_at="gone"))), Events(api)
    events.put(1, "a", 1)
    events.put(2, "b", 2)
    events.put(3, "c", 2)
    assert counts(case) == ("initial", 3, 0, 0, 3)
    events.put(1, "a", 4, gone=True)

    def deletes(**options):
        result = case.run(Milestoning.LIVE, **options)
        return result.total.deleted, result.total.total

    assert deletes() == (1, 2)
    events.put(2, "b", 5, gone=True)
    del events.records[0]
    assert deletes(strategy=StrategyOption.FULL) == (1, 1)
    assert deletes() == (0, 1)


def test_a_full_list_with_a_cursor_finds_deletes_by_a_sweep(of_api, api):
    cursor = Cursor("changed", delete_sweep=1)
    dataset = with_endpoint(replace(EVENTS, cursor=cursor), full_list=True)
    case, events = of_api(api, dataset), Events(api)
    events.put(1, "a", 1)
    events.put(2, "b", 2)
    case.run(Milestoning.LIVE)
    del events.records[0]
    deleted, asked = 0, 0
    while not deleted:  # a sweep is due a second after the last one
        result = case.run(Milestoning.LIVE, max_delete_fraction=1.0)
        deleted, asked = result.total.deleted, asked + 1
    assert (deleted, result.total.total) == (1, 1)
    assert events.asked[-2:] == ["2026-01-02T03:02:00Z", None]


def test_a_wrong_answer_moves_no_cursor(of_api, api):
    case, events = of_api(api, EVENTS), Events(api)
    events.put(1, "a", 1)
    counts(case)
    events.put(2, "b", 7)
    for fault in (Answer(b"<html>"), Answer({}, 403), [{"id": 3}]):
        events.fault = fault
        with pytest.raises(Exception, match="dataset events: page 1"):
            case.run(Milestoning.LIVE)
    events.fault = None
    assert counts(case) == ("cursor", 1, 0, 0, 2)


@pytest.mark.parametrize("of", Milestoning)
def test_what_is_asked_and_what_stays_is_printed_without_a_connection(of_api, api, of):
    case = of_api(api, EVENTS)
    stream, _ = datasets_to_show(case.ecosystem, PLATFORMS[of], STORE, "events")
    text = {how: rendered_sql(how, stream, EVENTS, stream.platform.merge_store) for how in ("full", "cursor")}
    assert f"-- the records of events below /v2 on {api.host}" in text["full"]
    assert (
        f"-- the records from the last cursor on, less the lookback, of events below /v2 on {api.host}"
        in text["cursor"]
    )
    assert 'SELECT "id", "word", "changed", "gone" FROM' in text["full"]
    assert "keep_unlisted" not in text["cursor"]
    listed = with_endpoint(EVENTS, full_list=True)
    assert "it has not said that they are gone" in text["full"]
    assert "it has not said that" not in rendered_sql("full", stream, listed, stream.platform.merge_store)


def test_an_initial_value_is_sent_where_everything_is_read(of_api, api):
    dataset = with_endpoint(EVENTS, incremental=replace(SINCE, initial_value="2026-01-02T03:02:00Z"))
    case, events = of_api(api, dataset), Events(api)
    events.put(1, "a", 1)
    events.put(2, "b", 2)
    assert counts(case) == ("initial", 1, 0, 0, 1)
    assert events.asked == ["2026-01-02T03:02:00Z"]


WRITTEN = [
    ("timestamp with time zone", "2026-01-02 03:04:05.678+00", "iso", "2026-01-02T03:04:05.678000Z"),
    ("timestamp with time zone", "2026-01-02 03:04:05+00", "iso", "2026-01-02T03:04:05Z"),
    ("timestamp without time zone", "2026-01-02 03:04:05", "iso", "2026-01-02T03:04:05"),
    ("timestamp with time zone", "2026-01-02 03:04:05.678+00", "date", "2026-01-02"),
    ("timestamp with time zone", "2026-01-02 03:04:05.678+00", "unix", "1767323045"),
    ("timestamp without time zone", "1969-12-31 23:59:59.5", "unix", "-1"),
    ("timestamp with time zone", "2026-01-02 03:04:05.678999+00", "unix_ms", "1767323045678"),
    ("date", "2026-01-02", "iso", "2026-01-02"),
    ("date", "2026-01-02", "unix", "1767312000"),
    ("bigint", "1767323045678", "iso", "1767323045678"),
    ("timestamp with time zone", "0044-03-15 00:00:00+00 BC", "iso", "0044-03-15 00:00:00+00 BC"),
]


@pytest.mark.parametrize(("kind", "at", "form", "sent"), WRITTEN)
def test_a_value_is_written_as_the_server_wants_it_and_never_later_than_it_is(kind, at, form, sent):
    endpoint = replace(EVENTS.endpoint, incremental=RestIncremental("since", RestCursorFormat(form)))
    assert start_value(endpoint, Since("changed", kind, at, at)) == sent
    assert start_value(replace(endpoint, incremental=None), Since("changed", kind, at, at)) is None
