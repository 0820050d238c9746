"""The session in which dlt's client asks: one server, no redirect, bounded answers, waits as the server wishes."""

from __future__ import annotations

import contextlib
import http.client
import logging
import ssl
import time
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict

from config_schema.tls import Tls, ca_file
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.process import shutdown
from merge_jobs.sources.rest.addresses import admitted_addresses, connected
from merge_jobs.sources.rest.errors import AnswerBroken, ApiNotReached, ServerRefused
from merge_jobs.sources.timely_answer import TimelyAnswer
from merge_jobs.sources.values.json_values import NotExactJson, parsed_json

log = logging.getLogger(__name__)

SECONDS = 60  # for the network to answer
ANSWER_SECONDS = 600  # for the whole of one answer
LONGEST_ANSWER = 64 << 20  # bytes, unpacked
CHUNK = 1 << 18
ATTEMPTS = 6  # of one page
FIRST_WAIT, LONGEST_WAIT = 1.0, 120.0  # seconds between two attempts; a server that asks for more is left for the next
AGAIN = frozenset([408, 425, 429, 500, 502, 503, 504])
DENIED = frozenset([401, 403, 407])
PORTS = {"https": 443, "http": 80}
HEADERS = {"User-Agent": "airflow-stream-factory", "Accept": "application/json", "Accept-Encoding": "gzip"}


class JsonResponse(requests.Response):  # type: ignore[misc]  # it has no types
    """An answer whose JSON has been read once, exactly."""

    parsed: Any = None

    def json(self, **_: Any) -> Any:
        """Return the answer's JSON."""
        return self.parsed


class _Again(Exception):
    """An answer that another try may better: what is wrong, and for how many seconds the server wants to be left."""

    def __init__(self, what: str, todo: str, seconds: float | None = None, status: int | None = None) -> None:
        super().__init__(what)
        self.what, self.todo, self.seconds, self.status = what, todo, seconds, status


class ApiSession(requests.Session):  # type: ignore[misc]  # it has no types
    """Requests to the server at an address, by one connection. What it raises is a StreamFactoryError.

    `where` and `page` name what is asked for.
    """

    def __init__(self, place: ConnectionInfo, where: str) -> None:
        super().__init__()
        self.trust_env = False  # no proxy, no login of a file .netrc
        self.headers = CaseInsensitiveDict(HEADERS)
        self.where, self.page = where, 1
        self._place = place
        self._scheme = "http" if place.tls is Tls.DISABLE else "https"
        self._addresses: list[str] | None = None
        self._connection: _Connection | None = None
        self._is_cancelled = False

    @property
    def base_url(self) -> str:
        """The address of the server with the path that all endpoints begin with."""
        host = f"[{self._place.host}]" if ":" in self._place.host else self._place.host
        return f"{self._scheme}://{host}:{self._place.port}{self._place.database}"

    def send(self, request: requests.PreparedRequest, **_: Any) -> JsonResponse:
        """Return the answer to a request, after as many attempts as it takes. Raises ApiNotReached after the last."""
        path = self._path_here(str(request.url))
        headers = {str(name): str(value) for name, value in request.headers.items()}
        for attempt in range(ATTEMPTS):
            self._check_end()
            try:
                found, body = self._asked(path, headers)
                return self._response(request, found, body)
            except _Again as again:
                wait = FIRST_WAIT * 2**attempt if again.seconds is None else again.seconds
                if attempt == ATTEMPTS - 1 or wait > LONGEST_WAIT:
                    what = again.what
                    if wait > LONGEST_WAIT:
                        what += f", and asks to be left alone for {wait:.0f} seconds"
                    raise ApiNotReached(
                        self._place_of_page, what, again.todo, retryable=True, status=again.status
                    ) from again
                log.warning("%s: %s; asked again in %.0f s", self._place_of_page, again.what, wait)
                self._pause(wait)
        raise AssertionError("the last attempt returns or raises")

    def cancel(self) -> None:
        """End what waits for the server; called from another thread."""
        self._is_cancelled = True
        connection = self._connection
        if connection is not None:
            connection.cancel()

    def _check_end(self) -> None:
        """Raise Ended if the job was asked to end, BrokenPipeError if nobody reads what the API gives."""
        shutdown.check()
        if self._is_cancelled:
            raise BrokenPipeError

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._check_end()
            shutdown.pause_or_end(min(left, 1.0))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _place_of_page(self) -> str:
        return f"{self.where}: page {self.page}"

    def _path_here(self, url: str) -> str:
        """Return what a request asks the admitted server for. Raises ServerRefused for another server."""
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme)
            host = (parts.hostname or "").rstrip(".")
        except ValueError:
            parts, port, host = urlsplit(""), None, ""
        here = (self._scheme, self._place.host.lower().rstrip("."), self._place.port)
        if (parts.scheme, host, port) != here or parts.username is not None:
            raise ServerRefused(
                self._place_of_page,
                "the address of the next page is on another server, and nobody was asked there",
                "Write the API's own address in the model, and let the settings allow it",
            )
        return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"

    def _asked(self, path: str, headers: Mapping[str, str]) -> tuple[CaseInsensitiveDict[str], bytes]:
        """Return headers and body of a good answer. Raises _Again, and what is final."""
        try:
            if self._connection is None:
                self._connection = self._connected()
            elif self._connection.sock is not None:
                self._connection.sock.settimeout(SECONDS)  # the last answer has left less
            self._connection.request("GET", path, headers=dict(headers))
            with self._connection.getresponse() as answer:
                found = _headers(answer)
                if answer.status != 200:
                    self.close()
                    self._refuse(answer.status, found)
                body = self._body(answer, found)
        except ssl.SSLError as error:
            self.close()
            self._check_end()
            if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                raise _Again("it ends the connection", "Check the address and the network; try again") from error
            what = "its certificate is not for this host, or no CA that is trusted has signed it"
            if not isinstance(error, ssl.SSLCertVerificationError):
                what = "no connection in TLS comes about"
            todo = "Check host, port, tls and tls_ca in the model"
            raise ApiNotReached(self.where, what, todo, retryable=False) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            self._check_end()
            cut = isinstance(error, http.client.IncompleteRead)
            what = "the answer was cut" if cut else f"it does not answer ({type(error).__name__})"
            raise _Again(what, "Check the address and the network; try again") from error
        if answer.will_close:
            self.close()
        return found, body

    def _connected(self) -> _Connection:
        place = self._place
        if self._addresses is None:
            self._addresses = admitted_addresses(
                place.host, place.port, self.where, admits_private=place.admits_private
            )
        context = None
        if self._scheme == "https":
            file = ca_file(place.tls_ca) if place.tls_ca else None  # none: the system's
            try:
                context = ssl.create_default_context(cafile=file)
            except OSError:
                what = f"the file with the CA cannot be read ({file})"
                todo = "Correct tls_ca, or mount the Secret or ConfigMap that it names"
                raise ApiNotReached(self.where, what, todo, retryable=False) from None
        return _Connection(place.host, place.port, self._addresses, context)

    def _refuse(self, status: int, headers: Mapping[str, str]) -> None:
        if status in AGAIN:
            what = "it has had too many requests (429)" if status == 429 else f"it answers with the error {status}"
            raise _Again(what, "Look at the API's own status; try again", _seconds_to_wait(headers), status)
        if 300 <= status < 400:
            raise ServerRefused(
                self._place_of_page,
                f"it redirects to another address ({status}), where nobody goes",
                "Write the address and the path in the model that the API really has",
            )
        if status in DENIED:
            what, todo = f"the login was refused, or may not read there ({status})", "Check the secret and its rights"
        elif status == 404:
            what, todo = "there is no such endpoint (404)", "Correct endpoint.path, or the source's base path"
        else:
            what, todo = f"it answers with {status}", "Correct path, params and headers of the endpoint in the model"
        raise ApiNotReached(self._place_of_page, what, todo, retryable=False, status=status)

    def _body(self, answer: http.client.HTTPResponse, headers: Mapping[str, str]) -> bytes:
        """Return the answer's bytes, unpacked. Raises AnswerBroken for too many, and what the connection raises."""
        packed = headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("identity", "gzip", ""):
            raise self._broken("it is packed in another way than gzip, which was not asked for")
        unpack = zlib.decompressobj(31) if packed == "gzip" else None
        whole = answer.length  # none: the end is where the last chunk is, or the connection ends
        parts, size, came, until = [], 0, 0, time.monotonic() + ANSWER_SECONDS
        while whole is None or came < whole:
            raw = answer.read1(CHUNK if whole is None else min(CHUNK, whole - came))
            if not raw:
                break
            came += len(raw)
            try:
                part = raw if unpack is None else unpack.decompress(raw, LONGEST_ANSWER + 1 - size)
            except zlib.error as error:
                raise self._broken("it is no gzip", retryable=True) from error
            if unpack is not None and unpack.unused_data:
                raise self._broken("it goes on behind what is packed by gzip")
            parts.append(part)
            size += len(part)
            if size > LONGEST_ANSWER or (unpack is not None and unpack.unconsumed_tail):
                todo = "Ask for fewer records on a page, by the paginator or params of the endpoint"
                raise self._broken(f"it has more than {LONGEST_ANSWER >> 20} MB", todo)
            if time.monotonic() > until:
                raise TimeoutError
            shutdown.check()
        if whole is not None and came < whole:
            raise http.client.IncompleteRead(b"")
        if unpack is not None and not unpack.eof:
            raise self._broken("it is packed by gzip, and cut", retryable=True)
        return b"".join(parts)

    def _response(
        self, request: requests.PreparedRequest, headers: CaseInsensitiveDict[str], body: bytes
    ) -> JsonResponse:
        response = JsonResponse()
        response.status_code, response.headers, response.request = 200, headers, request
        response.url, response.encoding = str(request.url), "utf-8"
        response.parsed = self._parsed(body)
        return response

    def _parsed(self, body: bytes) -> Any:
        try:
            return parsed_json(body.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise self._broken("it is no UTF-8, which JSON is in") from error
        except (ValueError, ArithmeticError, RecursionError) as error:
            if isinstance(error, NotExactJson):
                raise self._broken(str(error)) from error
            what = "it is no JSON, or not whole"
            if body.lstrip()[:1] == b"<":
                what = "it is HTML or XML, and no JSON"
            elif not body.strip():
                what = "it is empty, and no JSON"
            raise self._broken(what, retryable=True) from error

    def _broken(self, what: str, todo: str = "", *, retryable: bool = False) -> AnswerBroken:
        self.close()
        todo = todo or "Look at the answer with another program"
        return AnswerBroken(self.where, self.page, what, todo, retryable=retryable)


class _Connection(http.client.HTTPConnection):
    """A connection to one of the addresses that the host had when it was resolved."""

    def __init__(self, host: str, port: int, addresses: list[str], context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self.default_port = PORTS["http" if context is None else "https"]  # which the header Host leaves out
        self._addresses, self._context = addresses, context
        answer = partial(TimelyAnswer, seconds=ANSWER_SECONDS, pause=SECONDS)
        self.response_class = answer  # type: ignore[assignment]  # what makes one does too

    def connect(self) -> None:
        sock = connected(self._addresses, self.port, SECONDS)
        sock.settimeout(SECONDS)
        try:
            self.sock = sock if self._context is None else self._context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise

    def cancel(self) -> None:
        sock = self.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(2)


def _headers(answer: http.client.HTTPResponse) -> CaseInsensitiveDict[str]:
    """Return the headers of an answer; one that comes several times, as Link may, has all of its values."""
    found: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for name, value in answer.getheaders():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return for how long the server wants to be left alone: seconds, or until a date; None if it does not say."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit() and len(said) < 10:
        return float(said)
    try:
        at = parsedate_to_datetime(said)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
