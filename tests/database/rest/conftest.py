"""A producer that is an API, on a stand-in server of this machine that fails in each way that a test wants."""

from __future__ import annotations

import io
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from config_schema.model import (
    Column,
    Database,
    Dataset,
    RestAuth,
    RestAuthType,
    RestEndpoint,
    RestPaginator,
    RestPaginatorType,
    SourceKind,
)
from config_schema.model.sql_types import long_name
from config_schema.tls import Tls
from merge_jobs.database.connections import place_of
from tests.certificates import Authority
from tests.database.merge.producers import read_from, with_written_truth

BEARER = RestAuth(RestAuthType.BEARER)
BY_LINK = RestPaginator(RestPaginatorType.JSON_LINK, next_url_path="next_url")
PEOPLE = Dataset(
    "people",
    (
        Column("id", "integer", nullable=False),
        Column("fullName", "varchar(100)", path="name.full"),
        Column("amount", "numeric(12,2)"),
        Column("born", "date"),
        Column("active", "boolean"),
        Column("data", "jsonb", path="details"),
    ),
    ("id",),
    endpoint=RestEndpoint("people", "results", BY_LINK, full_list=True),
)


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    number: int  # from 1


@dataclass(frozen=True)
class Answer:
    """What the server says. `promised` is the length that it announces; none: no length, and the connection ends."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = -1

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class StandIn:
    """A server whose answers a test gives by path: a function of the request, or a list for one request each."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Callable[[Asked], Any]] = {}
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in._answer(self)

            def log_message(self, *_: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                return  # a client that has gone

        self.server = Server((host, port), Handler)
        self.server.daemon_threads = True
        self.scheme, self.host, self.port = "http", host, self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def has_tls(self, authority: Authority) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue(self.host))
        self.server.socket, self.scheme = context.wrap_socket(self.server.socket, server_side=True), "https"

    def database(self, **more: Any) -> Database:
        return Database(
            **{
                "host": self.host,
                "database": "/v2",
                "credential": "producer",
                "port": self.port,
                "kind": SourceKind.REST,
                "tls": Tls.DISABLE,
                "auth": BEARER,
                **more,
            }
        )

    def pages(self, path: str, *pages: list[Any], **more: Any) -> None:
        """Answer with these pages of records, each with the address of the next one."""

        def answer(asked: Asked) -> Any:
            number = int(asked.query.get("page", 1))
            following = {"next_url": f"{self.url}{path}?page={number + 1}"} if number < len(pages) else {}
            return {"results": pages[number - 1], **following, **more}

        self.answers[path] = answer

    def in_turn(self, path: str, *answers: Any) -> None:
        """Answer each request with the next of these."""
        left = iter(answers)
        self.answers[path] = lambda _: next(left)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = Asked(parts.path, query, {k.lower(): v for k, v in handler.headers.items()}, len(self.asked) + 1)
        self.asked.append(asked)
        found = self.answers.get(parts.path, lambda _: Answer({"error": "no such thing"}, 404))(asked)
        answer = found if isinstance(found, Answer) else Answer(found)
        handler.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            handler.send_header(name, value)
        if answer.promised is None:
            handler.send_header("Connection", "close")
        elif "Transfer-Encoding" not in answer.headers:
            length = len(answer.content) if answer.promised < 0 else answer.promised
            handler.send_header("Content-Length", str(length))
            handler.close_connection = length != len(answer.content)
        else:
            handler.close_connection = True
        handler.end_headers()
        handler.wfile.write(answer.content)


@pytest.fixture
def api() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def of_api(merging):
    """A case whose one dataset is an endpoint of an API; its truth is `case.truth`."""

    def make(api: StandIn, dataset: Dataset = PEOPLE, **source: Any):
        case = merging("SELECT 1")
        case.datasets = (dataset,)
        read_from(case, _Here(api, source))
        with_written_truth(case, merging("SELECT 1"))
        of_class = type(case).job

        def job(*args: Any, **more: Any):
            made = of_class(case, *args, **more)
            return replace(made, source=replace(made.source, admits_private=True))

        case.job = job
        return case

    return make


@dataclass
class _Here:
    api: StandIn
    source: dict[str, Any]

    def database(self) -> Database:
        return self.api.database(**self.source)


def with_endpoint(dataset: Dataset = PEOPLE, **changes: Any) -> Dataset:
    assert dataset.endpoint is not None
    return replace(dataset, endpoint=replace(dataset.endpoint, **changes))


def person(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": {"full": f"Zoë {number}\\\n"},
        "amount": 12.5,
        "born": "1980-02-29",
        "active": True,
        "details": {"a": [1, 2.5, None, "x"]},
        "unknown": "is not read",
        **more,
    }


def row(number: int, amount: str | None = "12.5", born: str | None = "1980-02-29") -> tuple[Any, ...]:
    return number, f"Zoë {number}\\\n", amount, born, True, '{"a": [1, 2.5, null, "x"]}'


class ReadAlone:
    """A source without a merge store."""

    def __init__(self, api: StandIn, dataset: Dataset, source: dict[str, Any]) -> None:
        from merge_jobs.sources.rest.source import RestSource

        secrets = {"PRODUCER_USERNAME": "producer", "PRODUCER_PASSWORD": "geheim"}
        self.dataset = dataset
        self.source = RestSource(place_of(api.database(**source), None, secrets, admits_private=True))
        self.cancel = self.source.cancel

    def read(self) -> bytes:
        written = io.BytesIO()
        types = {column.name: long_name(column.type) for column in self.dataset.columns}
        rows = self.source.copy_out(self.dataset, types, False, written)
        assert written.getvalue().count(b"\n") == rows
        return written.getvalue()


@pytest.fixture
def source_of():
    """A source that is read without a merge store: `source_of(api).read()` are the rows as COPY takes them."""
    with ExitStack() as stack:

        def make(api: StandIn, dataset: Dataset = PEOPLE, **source: Any) -> ReadAlone:
            made = ReadAlone(api, dataset, source)
            stack.callback(made.source.close)
            return made

        yield make


def straight_to(address, seconds):
    """Connect to an address, as socket.create_connection does, without a look at names."""
    found = socket.socket()
    found.settimeout(seconds)
    found.connect(address)
    return found
