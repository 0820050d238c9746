"""The session with an API: nobody else is asked, nothing is endless, and waits are as the server wishes."""

from __future__ import annotations

import gzip
import socket
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config_schema.errors import StreamFactoryError
from config_schema.model import RestPaginator, RestPaginatorType
from config_schema.tls import Tls
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.rest import addresses, http, pages
from merge_jobs.sources.rest.addresses import admitted_addresses
from merge_jobs.sources.rest.errors import AnswerBroken, ApiNotReached, ListIncomplete, RecordRefused, ServerRefused
from tests.certificates import Authority
from tests.database.rest.conftest import BY_LINK, Answer, StandIn, person, straight_to, with_endpoint
from tests.endless_answers import ENDLESS, endless_server

Type = RestPaginatorType
OFFSET = RestPaginator(Type.OFFSET, limit=2, total_path="total")
NUMBERED = RestPaginator(Type.PAGE_NUMBER, base_page=1, total_path="pages", has_more_path="more")
MARKED = RestPaginator(Type.CURSOR, cursor_path="next", has_more_path="more")
ONE, TWO = person(1), person(2)
DEEP = b'{"results": ' + b"[" * 100_000


def at(number, **changes):
    return {"id": number, **{key: value for key, value in person(number).items() if key != "id"}, **changes}


BROKEN = {
    "HTML": ([Answer(b"\n <!DOCTYPE html><html>sesame")], AnswerBroken, "page 1: it is HTML or XML, and no JSON"),
    "nothing": ([Answer(b"")], AnswerBroken, "page 1: it is empty, and no JSON"),
    "no JSON": ([Answer(b"{'results': []}")], AnswerBroken, "page 1: it is no JSON, or not whole"),
    "no UTF-8": ([Answer('{"results": "é"}'.encode("latin-1"))], AnswerBroken, "page 1: it is no UTF-8"),
    "nested without end": ([Answer(DEEP)], AnswerBroken, "page 1: it is no JSON"),
    "a key twice": ([Answer(b'{"results": [{"id": 1, "id": 2}]}')], AnswerBroken, "page 1: a key is in it twice"),
    "NaN": ([Answer(b'{"results": [NaN]}')], AnswerBroken, "page 1: NaN is no number of JSON"),
    "a number without end": ([Answer(b'{"results": [1' + b"0" * 5000 + b"]}")], AnswerBroken, "page 1: it is no JSON"),
    "no list": ([{"results": "sesame"}], AnswerBroken, "what is at 'results' of the answer is no list"),
    "null": ([{"results": None}], AnswerBroken, "page 1: there is no list of records at 'results'"),
    "no object": ([{"results": [ONE, "sesame"]}], AnswerBroken, "page 1: record 2 is no object"),
    "an object where a number is": (
        [{"results": [ONE, at(2, amount={"sesame": 1})]}],
        RecordRefused,
        "page 1, record 2: column amount: an object where the model has numeric(12,2)",
    ),
    "a number that would be rounded": ([{"results": [at(1, amount=1.005)]}], RecordRefused, "column amount"),
    "a number that is too large": ([{"results": [at(3_000_000_000)]}], RecordRefused, "record 1: column id"),
    "a date that there is not": ([{"results": [at(1, born="2023-02-29")]}], RecordRefused, "column born"),
    "a text as a truth": ([{"results": [at(1, active="sesame")]}], RecordRefused, "column active"),
    "NUL": ([{"results": [at(1, name={"full": "a\0"})]}], RecordRefused, "column fullName: the character NUL"),
    "half a character": ([Answer(b'{"results": [{"id": 1, "name": {"full": "\\ud800"}}]}')], RecordRefused, "fullName"),
    "a column that is missing": (
        [{"results": [ONE, {"id": 2, "name": {}}]}],
        RecordRefused,
        "page 1, record 2: column fullName: the record has no name.full",
    ),
    "values that are nested too deeply": (
        [Answer(b'{"results": [{"id": 1, "name": null, "amount": 1, "born": null, "active": true, "details": '
                + b'{"a": ' * 400 + b"[" * 300 + b"]" * 300 + b"}" * 400 + b"}]}")],
        RecordRefused,
        "column data: a value that is nested too deeply",
    ),
    "the next page is no address": ([{"results": [ONE], "next_url": {"sesame": 1}}], AnswerBroken, "the next page"),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "kind", "said"), BROKEN.values(), ids=BROKEN)
def test_a_wrong_answer_is_refused_with_its_page_and_record(source_of, api, answers, kind, said):
    api.in_turn("/v2/people", *answers)
    refused(source_of(api), kind, said)


def refused(source, kind, said):
    with pytest.raises(kind) as caught:
        source.read()
    assert said in str(caught.value), caught.value
    assert "sesame" not in str(caught.value)
    assert "geheim" not in str(caught.value)
    return caught.value


def link(api, number):
    return {"next_url": f"{api.url}/v2/people?page={number}"}


@pytest.mark.parametrize("loop", [[2, 2, 2], [2, 3, 2, 3]])
def test_a_loop_of_pages_is_noticed(source_of, api, loop):
    api.in_turn("/v2/people", *({"results": [person(i)], **link(api, to)} for i, to in enumerate(loop)))
    refused(source_of(api), ListIncomplete, "it leads back to a page that was read before")


def test_records_that_come_a_second_time_are_noticed(source_of, api):
    api.in_turn("/v2/people", *({"results": [ONE, TWO], "id": i, **link(api, i)} for i in (2, 3)))
    error = refused(source_of(api), ListIncomplete, "page 2: it has the same records as a page before it")
    assert error.retryable


def test_each_of_several_link_headers_counts(source_of, api):
    links = {"Link": '<?page=1>; rel="first", <?page=2>; rel="next"', "link": '<?page=9>; rel="last"'}
    for headers in (links, dict(reversed(links.items()))):
        api.in_turn("/v2/people", Answer([ONE], headers=headers), Answer([TWO], headers={"link": links["link"]}))
        of_header = with_endpoint(paginator=RestPaginator(Type.HEADER_LINK), data_selector="$")
        assert source_of(api, of_header).read().count(b"\n") == 2


TOTALS = {
    "a list that ends early": (
        {"total_records_path": "total"},
        [{"results": [ONE], "total": 2}],
        "page 1: the list has ended after 1 records, and should have 2",
    ),
    "too many": ({"total_records_path": "total"}, [{"results": [ONE, TWO], "total": 1}], "2 records have come"),
    "a page that is not whole": (
        {"page_records_path": "count"},
        [{"results": [ONE], "count": 2}],
        "page 1: it has 1 records, and says that it has 2",
    ),
    "a total that changes": (
        {"paginator": OFFSET},
        [{"results": [ONE, TWO], "total": 4}, {"results": [person(3), person(4)], "total": 5}],
        "page 2: the list had 4 records before, and now it has 5",
    ),
    "a server that gives less than it was asked for": (
        {"paginator": OFFSET},
        [{"results": [ONE], "total": 4}, {"results": [person(3), person(4)], "total": 4}],
        "page 2: the page before it had 1 records where 2 were asked for",
    ),
    "an empty page before the end": (
        {"paginator": OFFSET},
        [{"results": [ONE, TWO], "total": 4}, {"results": [], "total": 4}],
        "the list has ended after 2 records, and should have 4",
    ),
    "fewer pages than there are": (
        {"paginator": NUMBERED},
        [{"results": [ONE], "pages": 3, "more": True}, {"results": [], "pages": 3, "more": False}],
        "the list has ended after 2 pages, and should have 3",
    ),
    "no mark where there is more": (
        {"paginator": MARKED},
        [{"results": [ONE], "next": None, "more": True}],
        "the answer says that there is more",
    ),
}


@pytest.mark.parametrize(("changes", "answers", "said"), TOTALS.values(), ids=TOTALS)
def test_pages_that_are_not_the_whole_list_are_noticed(source_of, api, changes, answers, said):
    api.in_turn("/v2/people", *answers)
    refused(source_of(api, with_endpoint(**changes)), ListIncomplete, said)


@pytest.mark.parametrize("total", [None, "sesame", -1.5, True, [1]])
def test_a_total_that_is_no_number_is_refused(source_of, api, total):
    for changes in ({"total_records_path": "total"}, {"paginator": OFFSET}):
        api.in_turn("/v2/people", {"results": [ONE, TWO], "total": total})
        refused(source_of(api, with_endpoint(**changes)), AnswerBroken, "number")


def test_an_answer_without_the_list_is_empty_only_if_it_says_so(source_of, api):
    api.answers["/v2/people"] = lambda _: {"count": 0, "status": "OK"}
    assert source_of(api, with_endpoint(page_records_path="count")).read() == b""
    refused(source_of(api), AnswerBroken, "there is no list of records")


# --- the network


@pytest.fixture
def without_waits(monkeypatch):
    monkeypatch.setattr(http, "FIRST_WAIT", 0.0)


FLEETING = {
    "429": Answer({}, 429, {"Retry-After": "0"}),
    "503 until a time that has passed": Answer({}, 503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "500": Answer(b"<html>", 500),
    "502 with nonsense": Answer(b"", 502, {"Retry-After": "soon"}),
    "cut": Answer(b'{"results"', promised=100),
    "a cut chunk": Answer(b"ff\r\n{", headers={"Transfer-Encoding": "chunked"}),
}


@pytest.mark.parametrize("fault", FLEETING.values(), ids=FLEETING)
def test_what_may_pass_is_asked_again_and_nothing_is_lost(source_of, api, without_waits, fault):
    first = {"results": [ONE], **link(api, 2)}
    api.in_turn("/v2/people", fault, first, fault, fault, {"results": [TWO]})
    assert source_of(api).read().count(b"\n") == 2
    api.answers["/v2/people"] = lambda _: fault
    error = refused(source_of(api), ApiNotReached, "page 1: ")
    assert error.retryable
    assert len(api.asked) == 5 + http.ATTEMPTS


def test_a_server_that_asks_for_a_long_wait_is_left_alone_until_the_next_run(source_of, api):
    later = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    for said in ("7200", later):
        api.answers["/v2/people"] = lambda _, said=said: Answer({}, 429, {"Retry-After": said})
        error = refused(source_of(api), ApiNotReached, "asks to be left alone for 7")
        assert error.retryable
    assert len(api.asked) == 2


def test_an_answer_that_never_ends_is_given_up(source_of, api, without_waits, monkeypatch):
    monkeypatch.setattr(http, "ANSWER_SECONDS", -1)
    api.pages("/v2/people", [ONE])
    assert refused(source_of(api), ApiNotReached, "it does not answer (TimeoutError)").retryable


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_without_an_end_ends(monkeypatch, kind):
    monkeypatch.setattr(http, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    with endless_server(kind) as port:
        place = ConnectionInfo("127.0.0.1", port, "/", "public", "", "", tls=Tls.DISABLE, admits_private=True)
        session = http.ApiSession(place, "here")
        with closing(session), pytest.raises((ApiNotReached, AnswerBroken)) as caught:
            session.get(f"http://127.0.0.1:{port}/")
    assert caught.value.retryable


def test_a_wait_ends_when_the_reader_has_gone(source_of, api):
    source = source_of(api)

    def busy(_):
        threading.Thread(target=source.cancel).start()
        return Answer({}, 429, {"Retry-After": "100"})

    api.answers["/v2/people"] = busy
    with pytest.raises(BrokenPipeError):
        source.read()


FINAL = {401: "the login was refused", 403: "may not read there", 404: "no such endpoint", 400: "it answers with 400"}


@pytest.mark.parametrize(("status", "said"), FINAL.items())
def test_what_does_not_pass_by_itself_is_not_asked_again(source_of, api, status, said):
    api.answers["/v2/people"] = lambda _: Answer({"error": "sesame"}, status)
    assert not refused(source_of(api), ApiNotReached, said).retryable
    assert len(api.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(source_of, api, status):
    elsewhere = StandIn()
    try:
        api.answers["/v2/people"] = lambda _: Answer(b"", status, {"Location": f"{elsewhere.url}/sesame"})
        refused(source_of(api), ServerRefused, f"it redirects to another address ({status})")
        assert not elsewhere.asked
    finally:
        elsewhere.stop()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{other}/v2/people",
        "http://127.0.0.2:{port}/v2/people",
        "https://127.0.0.1:{port}/v2/people",
        "//127.0.0.2:{port}/v2/people",
        "http://127.0.0.1:{port}@127.0.0.2:{port}/v2/people",
        "http://sesame@127.0.0.1:{port}/v2/people",
        "http://127.0.0.1/v2/people",
        "http://[::1]:{port}/v2/people",
        "http://127.0.0.1:{port}0000000/",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/sesame",
    ],
)
def test_the_address_of_a_page_leads_to_no_other_server(source_of, api, url):
    elsewhere = StandIn("127.0.0.2", api.port)
    try:
        following = url.format(port=api.port, other=api.port + 1)
        api.in_turn("/v2/people", {"results": [ONE], "next_url": following})
        with pytest.raises((ServerRefused, AnswerBroken)) as caught:
            source_of(api).read()
        assert "page 2" in str(caught.value) or "page 1: it does not name" in str(caught.value)
        assert "sesame" not in str(caught.value)
        assert not elsewhere.asked
    finally:
        elsewhere.stop()


def test_a_name_is_resolved_once_and_what_it_means_later_is_not_asked(source_of, api, monkeypatch):
    """DNS may give the admitted server's address first, and another one for the next connection."""
    elsewhere, looked = StandIn("127.0.0.2", api.port), []

    def resolve(host, port, **_):
        looked.append(host)
        address = "127.0.0.1" if len(looked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(addresses.socket, "create_connection", straight_to)
    try:
        number = {"results": [ONE], "next_url": f"http://api.test:{api.port}/v2/people?page=2"}
        api.in_turn("/v2/people", Answer(number, promised=None), {"results": [TWO]})
        assert source_of(api, host="api.test").read().count(b"\n") == 2
        assert looked == ["api.test"]
        assert [asked.headers["host"] for asked in api.asked] == [f"api.test:{api.port}"] * 2
        assert not elsewhere.asked
    finally:
        elsewhere.stop()


FORBIDDEN = ["0.0.0.0", "169.254.169.254", "224.0.0.1", "::", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "::1", "fd00::1", "::ffff:10.0.0.1", "2002:a00:1::"]
# An address of IPv4 in other forms, where clouds say who a machine is, and what older tables of Python take for public.
FORBIDDEN += ["::ffff:0:a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "::169.254.169.254"]
FORBIDDEN += ["fd00:ec2::254", "100.100.100.200", "192.0.0.192"]
PRIVATE += ["::ffff:0:7f00:1", "64:ff9b:1:fffe::7f00:1", "::127.0.0.1", "64:ff9b:1::808:808", "100.64.0.1"]
PRIVATE += ["192.0.0.10", "192.88.99.1", "fec0::1", "5f00::1", "3fff::1"]
PUBLIC = ["93.184.216.34", "2606:4700:4700::1111", "64:ff9b::5db8:d822"]


@pytest.mark.parametrize("address", [*FORBIDDEN, *PRIVATE, *PUBLIC])
def test_a_name_leads_to_private_addresses_only_where_the_settings_say_so(monkeypatch, address):
    both = [(0, 0, 0, "", ("93.184.216.34", 443)), (0, 0, 0, "", (address, 443))]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: both)
    for admits_private in (False, True):
        if address in FORBIDDEN or (address in PRIVATE and not admits_private):
            with pytest.raises(ServerRefused) as caught:
                admitted_addresses("api.example", 443, "here", admits_private=admits_private)
            assert ("private:api.example:443" in caught.value.todo) == (address in PRIVATE)
        else:
            found = admitted_addresses("api.example", 443, "here", admits_private=admits_private)
            assert address in found


def test_a_name_without_an_address_and_a_server_that_does_not_listen_may_help_later(source_of, api, without_waits):
    error = refused(source_of(api, host="no-such-host.invalid"), ApiNotReached, "the name of its host has no address")
    assert error.retryable
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert refused(source_of(api, port=port), ApiNotReached, "it does not answer").retryable


def test_a_server_without_tls_is_not_read_where_tls_is_wanted(source_of, api):
    assert not refused(source_of(api, tls=Tls.VERIFY_FULL), ApiNotReached, "no connection in TLS").retryable


@pytest.mark.parametrize("tls", [None, Tls.REQUIRE, Tls.VERIFY_FULL])
def test_only_a_server_with_a_certificate_of_the_ca_for_its_name_is_asked(source_of, api, tmp_path, tls):
    ours, another = Authority(tmp_path, "ours"), Authority(tmp_path, "another")
    api.has_tls(ours)
    api.pages("/v2/people", [ONE], [TWO])
    assert source_of(api, tls=tls, tls_ca=str(ours.ca)).read().count(b"\n") == 2
    assert api.asked[-1].headers["authorization"] == "Bearer geheim"
    api.asked.clear()
    for of in ({"tls_ca": None}, {"tls_ca": str(another.ca)}, {"tls_ca": str(ours.ca), "host": "localhost"}):
        error = refused(source_of(api, tls=tls, **of), ApiNotReached, "its certificate is not for this host")
        assert not error.retryable
    assert not refused(source_of(api, tls=tls, tls_ca="/no/such"), ApiNotReached, "the file with the CA").retryable
    assert api.asked == []


def test_answers_packed_by_gzip_are_unpacked_and_bounded(source_of, api, monkeypatch):
    zipped = {"Content-Encoding": "gzip"}
    whole = gzip.compress(Answer({"results": [ONE]}).content)
    api.answers["/v2/people"] = lambda _: Answer(whole, headers=zipped)
    assert source_of(api).read().count(b"\n") == 1
    api.answers["/v2/people"] = lambda _: Answer(whole[:-9], headers=zipped)
    refused(source_of(api), AnswerBroken, "page 1: it is packed by gzip, and cut")
    api.answers["/v2/people"] = lambda _: Answer(b"sesame", headers=zipped)
    refused(source_of(api), AnswerBroken, "page 1: it is no gzip")
    api.answers["/v2/people"] = lambda _: Answer(whole, headers={"Content-Encoding": "br"})
    refused(source_of(api), AnswerBroken, "page 1: it is packed in another way than gzip")
    api.answers["/v2/people"] = lambda _: Answer(whole + b"more", headers=zipped)
    refused(source_of(api), AnswerBroken, "page 1: it goes on behind what is packed by gzip")
    monkeypatch.setattr(http, "LONGEST_ANSWER", 1 << 20)
    bomb = gzip.compress(b" " * (64 << 20), 1)
    api.answers["/v2/people"] = lambda _: Answer(bomb, headers=zipped)
    refused(source_of(api), AnswerBroken, "page 1: it has more than 1 MB")
    for promised in (-1, None):
        api.answers["/v2/people"] = lambda _, p=promised: Answer(b" " * ((1 << 20) + 1), promised=p)
        refused(source_of(api), AnswerBroken, "page 1: it has more than 1 MB")


@pytest.mark.parametrize("word", ["geheim\n", "ge heim", "gehe\u00efm", "geheim\x00"])
def test_a_secret_that_no_header_can_have_is_refused_without_being_shown(source_of, api, word):
    source = source_of(api)
    source.source.place = replace(source.source.place, password=word)
    error = refused(source, ApiNotReached, "the token or key in the secret has a blank")
    assert (error.retryable, api.asked) == (False, [])


def test_pages_without_records_and_without_an_end_are_noticed(source_of, api, monkeypatch):
    monkeypatch.setattr(pages, "MOST_EMPTY", 5)
    api.answers["/v2/people"] = lambda asked: {"results": [], **link(api, asked.number)}
    refused(source_of(api), ListIncomplete, "page 6: 5 pages before it have no records, and there is no end")


NAMES = ["id", "name", "amount", "born", "active", "details"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["people", "?page=2", "//x", "http://[", "2024-02-30", "\ud800", "\0", "%zz", "http:", "/../"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "full", ""]), inner, max_size=4)
    ),
    max_leaves=12,
)
RECORDS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES)), max_size=2)
ANSWERS = VALUES | st.fixed_dictionaries(
    {"results": RECORDS}, optional=dict.fromkeys(["next_url", "total", "next", "pages", "more"], VALUES)
)
PAGINATORS = [BY_LINK, OFFSET, NUMBERED, MARKED, RestPaginator(Type.HEADER_LINK)]


def test_no_answer_ends_in_anything_but_rows_or_an_error_of_ours(source_of, api, without_waits):
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        answers=st.lists(ANSWERS, min_size=1, max_size=3),
        paginator=st.sampled_from(PAGINATORS),
        selector=st.sampled_from(["results", "$"]),
    )
    def read(answers, paginator, selector):
        left = iter(answers)
        api.answers["/v2/people"] = lambda _: next(left, {"results": []})
        source = source_of(api, with_endpoint(paginator=paginator, data_selector=selector, optional=("amount", "born")))
        try:
            source.read()
        except StreamFactoryError as error:
            refused.append(error.where)
        finally:
            source.source.close()

    refused = []
    read()
    assert refused
    assert {where.partition(": page")[0] for where in refused} == {"source /v2: dataset people"}
