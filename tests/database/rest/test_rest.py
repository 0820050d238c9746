"""Producers that are APIs: the laws hold for every way of paging, and what is wrong is refused without any loss."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from config_schema.model import (
    Column,
    Consistency,
    Dataset,
    Milestoning,
    RestAuth,
    RestAuthType,
    RestEndpoint,
    RestKeyLocation,
    RestPaginator,
    RestPaginatorType,
    RestParam,
)
from config_schema.model.plain_data import plain
from merge_jobs.admin.check_source import check_source
from merge_jobs.errors import KeysRejected, TooManyDeletes
from merge_jobs.sources.rest import addresses
from merge_jobs.sources.rest.errors import AnswerBroken, ApiNotReached, ListIncomplete, RecordRefused
from tests.database import conftest as database_conftest
from tests.database.rest.conftest import Answer, person, row, straight_to, with_endpoint

LIVE = Milestoning.LIVE
Type = RestPaginatorType


def offset(asked, records):
    start, limit = int(asked.query["offset"]), int(asked.query["limit"])
    return {"results": records[start : start + limit], "meta": {"total": len(records)}}


def numbered(asked, records):
    number, size = int(asked.query["page"]) - 1, 2
    return {"results": records[number * size : (number + 1) * size], "more": (number + 1) * size < len(records)}


def marked(asked, records):
    start = int(asked.query.get("after", "0"))
    following = {"next": str(start + 2)} if start + 2 < len(records) else {"next": None}
    return {"results": records[start : start + 2], "meta": following}


def linked_by_header(asked, records):
    number = int(asked.query.get("page", 1))
    link = f'</v2/people?page={number + 1}>; rel="next"' if number * 2 < len(records) else ""
    return Answer(records[(number - 1) * 2 : number * 2], headers={"Link": link} if link else {})


def linked(asked, records):
    number = int(asked.query.get("page", 1))
    return {"results": records[(number - 1) * 2 : number * 2], "next_url": f"?page={number + 1}" if number < 3 else ""}


def of_pages(kind, **keys):
    return RestPaginator(kind, **keys)


PAGING = {
    "a link in the answer": (linked, of_pages(Type.JSON_LINK, next_url_path="next_url"), {}),
    "a link in the header": (linked_by_header, of_pages(Type.HEADER_LINK), {"data_selector": "$"}),
    "an offset": (offset, of_pages(Type.OFFSET, limit=2), {"total_records_path": "meta.total"}),
    "an offset up to a total": (offset, of_pages(Type.OFFSET, limit=2, total_path="meta.total"), {}),
    "a page's number": (numbered, of_pages(Type.PAGE_NUMBER, base_page=1, has_more_path="more"), {}),
    "a page's number up to an empty one": (numbered, of_pages(Type.PAGE_NUMBER, base_page=1), {}),
    "a mark": (marked, of_pages(Type.CURSOR, cursor_path="meta.next", cursor_param="after"), {}),
    "one page": (lambda _, records: {"results": records}, of_pages(Type.SINGLE_PAGE), {}),
}


@pytest.mark.parametrize(("answer", "paginator", "changes"), PAGING.values(), ids=PAGING)
def test_every_way_of_paging_gives_all_records_in_as_many_requests_as_it_takes(
    source_of, api, answer, paginator, changes
):
    records = [person(number) for number in range(1, 6)]
    api.answers["/v2/people"] = lambda asked: answer(asked, records)
    written = source_of(api, with_endpoint(paginator=paginator, **changes)).read()
    keys = [line.split(b"\t")[0] for line in written.splitlines()]
    assert keys == [b"1", b"2", b"3", b"4", b"5"]
    until_empty = paginator.type in (Type.OFFSET, Type.PAGE_NUMBER) and not (
        paginator.total_path or paginator.has_more_path
    )
    assert len(api.asked) == (1 if paginator.type is Type.SINGLE_PAGE else 4 if until_empty else 3)


@pytest.mark.parametrize(("cap", "number"), [(2, 5), (9, 5), (9, 0)])
def test_a_server_that_gives_fewer_on_a_page_than_asked_for_is_no_end_of_the_list(source_of, api, cap, number):
    records = [person(number) for number in range(1, number + 1)]

    def capped(asked):
        start, limit = int(asked.query["offset"]), int(asked.query["limit"])
        return {"results": records[start : start + min(limit, cap)]}

    api.answers["/v2/people"] = capped
    source = source_of(api, with_endpoint(paginator=of_pages(Type.OFFSET, limit=9)))
    if cap < number:
        with pytest.raises(ListIncomplete, match="behind the last of 2: fewer come on a page than are asked for"):
            source.read()
    else:
        assert source.read().count(b"\n") == number
    assert len(api.asked) == (3 if number else 1), "one more than until the list is empty"


@pytest.mark.parametrize(
    "of", [of_pages(Type.JSON_LINK, next_url_path="nxt"), of_pages(Type.CURSOR, cursor_path="nxt")]
)
def test_a_first_page_without_the_key_of_the_next_one_is_taken_for_the_whole_and_the_log_says_so(
    source_of, api, caplog, of
):
    api.answers["/v2/people"] = lambda _: {"results": [person(1)], "next": "/v2/people?page=2"}
    source_of(api, with_endpoint(paginator=of)).read()
    assert "the first page has nothing at 'nxt', and is taken for the whole list" in caplog.text
    caplog.clear()
    api.answers["/v2/people"] = lambda _: {"results": [person(1)], "nxt": None}
    source_of(api, with_endpoint(paginator=of)).read()
    assert "taken for the whole" not in caplog.text


@pytest.mark.parametrize("way", ["a link in the answer", "an offset up to a total"])
def test_the_laws_hold(of_api, api, way):
    answer, paginator, changes = PAGING[way]
    case = of_api(api, with_endpoint(paginator=paginator, **changes))
    records = [person(number) for number in range(1, 6)]
    api.answers["/v2/people"] = lambda asked: answer(asked, records)
    case.truth = [row(number) for number in range(1, 6)]
    case.merge_both()
    records[1:3] = [person(9, amount=-0.01, born=None)]
    case.truth = [row(1), row(9, "-0.01", None), row(4), row(5)]
    for result in case.merge_both(max_delete_fraction=1.0).values():
        assert (result.total.inserted, result.total.updated, result.total.deleted) == (1, 0, 2)


LOGINS = {
    "bearer": (RestAuth(RestAuthType.BEARER), ("authorization", "Bearer geheim")),
    "basic": (RestAuth(RestAuthType.HTTP_BASIC), ("authorization", "Basic cHJvZHVjZXI6Z2VoZWlt")),
    "a header": (RestAuth(RestAuthType.API_KEY, "X-Key"), ("x-key", "geheim")),
    "a parameter": (RestAuth(RestAuthType.API_KEY, "key", RestKeyLocation.QUERY), "geheim"),
    "none": (None, ("authorization", None)),
}


@pytest.mark.parametrize(("auth", "sent"), LOGINS.values(), ids=LOGINS)
def test_each_request_has_the_login_and_the_first_one_the_params(source_of, api, auth, sent):
    endpoint = {"params": (RestParam("kind", "a b"),), "headers": (RestParam("X-Version", "7"),)}
    api.pages("/v2/people", [person(1)], [person(2)])
    assert source_of(api, with_endpoint(**endpoint), auth=auth).read().count(b"\n") == 2
    for asked in api.asked:
        found = asked.query.get("key") if isinstance(sent, str) else asked.headers.get(sent[0])
        assert found == (sent if isinstance(sent, str) else sent[1])
        assert asked.headers["x-version"] == "7"
    assert [asked.query.get("kind") for asked in api.asked] == ["a b", None]


NESTED = Dataset(
    "lines",
    (
        Column("order_id", "integer", nullable=False, path="$parent.id"),
        Column("position", "integer", nullable=False, path="$index"),
        Column("sku", "text", path='["item no"].sku'),
        Column("note", "text"),
        Column("raw", "jsonb", path="$"),
    ),
    ("order_id", "position"),
    endpoint=RestEndpoint(
        "orders",
        "$",
        RestPaginator(Type.SINGLE_PAGE),
        nested="parts.lines",
        optional=("note",),
        full_list=True,
    ),
)


def test_the_elements_of_a_nested_list_are_rows_of_a_dataset_of_their_own(of_api, api):
    case = of_api(api, NESTED)
    orders = [
        {"id": 1, "parts": {"lines": [{"item no": {"sku": "a"}, "note": [1]}, {"item no": {"sku": None}}]}},
        {"id": 2, "parts": {"lines": []}},
        {"id": 3, "parts": None},
        {"id": 4, "parts": {"lines": [{"item no": None}]}},
    ]
    api.answers["/v2/orders"] = lambda _: orders
    case.truth = [
        (1, 0, "a", "[1]", '{"item no": {"sku": "a"}, "note": [1]}'),
        (1, 1, None, None, '{"item no": {"sku": null}}'),
        (4, 0, None, None, '{"item no": null}'),
    ]
    case.merge_both()
    del orders[0]["parts"]["lines"][1]
    case.truth = [case.truth[0], case.truth[2]]
    for result in case.merge_both(max_delete_fraction=1.0).values():
        assert result.total.deleted == 1


def test_numbers_keep_every_digit_and_a_single_record_may_be_the_answer(of_api, api):
    n = "12345678901234567890.123456789012345678901"
    columns = (Column("id", "bigint", nullable=False), Column("n", "numeric"), Column("d", "jsonb", path="$"))
    endpoint = RestEndpoint("one", "$", RestPaginator(Type.SINGLE_PAGE), full_list=True)
    case = of_api(api, Dataset("one", columns, ("id",), endpoint=endpoint))
    text = f'{{"id": 1, "n": {n}}}'
    api.answers["/v2/one"] = lambda _: Answer(b"\xef\xbb\xbf" + text.encode())
    case.truth = [(1, n, text)]
    case.merge_both()


TOO_LATE = [person(1), person(2), person(3)]
# What the second page says instead, which error that is, and whether another try can help.
WRONG = {
    "HTML": (Answer(b"<html>sesame</html>", headers={"Content-Type": "text/html"}), AnswerBroken, True),
    "a cut answer": (Answer(b'{"results": [{"id": 3', promised=None), AnswerBroken, True),
    "another list": ({"records": []}, AnswerBroken, False),
    "a word where a number is": ({"results": [person(3), person(4, amount="sesame")]}, RecordRefused, False),
    "a key that is missing": ({"results": [{"id": 3}]}, RecordRefused, False),
    "a key twice": ({"results": [person(1)]}, KeysRejected, False),
    "the first page once more": ({"results": [person(1), person(2)]}, ListIncomplete, True),
    "no login": (Answer({}, 403), ApiNotReached, False),
}


def test_what_is_wrong_is_refused_with_its_place_and_nothing_is_lost_or_deleted(of_api, api):
    case = of_api(api)
    case.truth = [row(1), row(2), row(3)]
    api.pages("/v2/people", [person(1), person(2)], [person(3)])
    case.merge_both()
    first = {"results": [person(1), person(2)], "next_url": f"{api.url}/v2/people?page=2"}
    for name, (second, kind, may_help) in WRONG.items():
        for of in Milestoning:
            api.in_turn("/v2/people", first, second)
            with pytest.raises(kind) as caught:
                case.run(of, max_delete_fraction=1.0)
            assert caught.value.retryable is may_help, name
            assert "sesame" not in str(caught.value)
            assert kind is KeysRejected or "page 2" in str(caught.value), name
            assert len(case.open_rows(of, case.datasets[0])) == 3, name
    api.pages("/v2/people", [person(1)], [person(9)])
    case.truth = [row(1), row(9)]
    for of in Milestoning:
        case.run(of, max_delete_fraction=1.0)
        assert case.open_rows(of, case.datasets[0]) == case.source_rows(case.datasets[0])


def test_a_list_with_few_records_meets_the_delete_guard(of_api, api):
    case = of_api(api)
    api.pages("/v2/people", [person(number) for number in range(3000)])
    case.run(LIVE)
    api.pages("/v2/people", [])
    with pytest.raises(TooManyDeletes):
        case.run(LIVE, max_delete_fraction=0.2)


def test_a_job_of_another_kind_does_not_import_dlt():
    """It takes a second, and fifty megabytes."""
    code = (
        "import sys, merge_jobs.cli, merge_jobs.run.request, merge_jobs.sources.opening;"
        "assert not {'dlt', 'requests', 'merge_jobs.sources.rest'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_a_look_at_the_source_asks_for_one_page_and_says_what_is_wrong_with_it(of_api, api, monkeypatch):
    monkeypatch.setenv("PRODUCER_PASSWORD", "geheim")
    stream = of_api(api).job(LIVE).stream
    api.pages("/v2/people", [person(1)], [{"id": "sesame"}])
    (readable,) = check_source(stream, [f"127.0.0.1:{api.port}"]).datasets
    assert (readable.strategy, readable.table, len(api.asked)) == ("full", "people", 1)
    api.pages("/v2/people", [{"id": "sesame"}])
    (finding,) = check_source(stream, [f"127.0.0.1:{api.port}"]).findings
    assert (finding.code, finding.dataset) == ("DF5133", "people")
    assert "column id: a text where the model has integer" in finding.what
    (finding,) = check_source(stream, ["127.0.0.1:1"]).findings
    assert (finding.code, len(api.asked)) == ("DF5302", 2)


def test_a_name_of_this_machine_is_asked_only_where_the_settings_say_that_it_may_be(of_api, api, monkeypatch):
    monkeypatch.setenv("PRODUCER_PASSWORD", "geheim")
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("127.0.0.1", api.port))])
    monkeypatch.setattr(addresses.socket, "create_connection", straight_to)
    api.pages("/v2/people", [person(1)])
    stream = of_api(api, host="api.test").job(LIVE).stream
    server = f"api.test:{api.port}"
    (finding,) = check_source(stream, [server]).findings
    assert (finding.code, api.asked) == ("DF5131", [])
    assert f"private:{server}" in finding.todo
    check = check_source(stream, [server, f"private:{server}"])
    assert (check.findings, len(api.asked)) == ((), 1)


def test_a_job_that_waits_for_a_slow_server_ends_when_it_is_asked_to(of_api, api, tmp_path, monkeypatch):
    monkeypatch.setattr(database_conftest, "_as_yaml", plain)  # which says everything
    asked, go_on = threading.Event(), threading.Event()

    def slow(_):
        asked.set()
        go_on.wait(300)
        return {"results": []}

    api.answers["/v2/people"] = slow
    case = of_api(api)
    case.consistency = Consistency.SINGLE_DATASET
    with case.start_child(LIVE, tmp_path, "run-slow", "--dataset=people") as child:
        try:
            while not asked.wait(0.1):
                assert child.poll() is None, child.communicate()
            child.terminate()
            out, err = child.communicate(timeout=300)
        finally:
            go_on.set()
    assert "ended by SIGTERM" in out, out + err
