"""Reads objects by S3's protocol, from one server: an answer that names another one is refused, and nobody asked there.

Requests are signed (AWS Signature Version 4), so that the secret key itself goes nowhere. What a server answers is
bounded, and its texts are not repeated.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import io
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from config_schema.tls import Tls, ca_file
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.files.errors import FileChanged, FolderNotRead
from merge_jobs.sources.files.s3_list import ListedObject, ListPage, page_of
from merge_jobs.sources.timely_answer import TimelyAnswer

SECONDS = 60  # for the network to answer
ANSWER_SECONDS = 300  # for a whole answer: a server that sends a byte a minute does not hold a job for years
LONGEST_PAGE = 8 << 20  # bytes of a list of a thousand objects
LONGEST_RANGE = 4 << 20
MOST_OBJECTS = 1_000_000  # below a prefix: their names are in memory
NOTHING = hashlib.sha256(b"").hexdigest()
OF_AMAZON = re.compile(r"s3[.-](?:fips\.)?(?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d+)\.amazonaws\.com(?:\.cn)?")
SAFE = "-_.~"
DEFAULT_PORTS = {"https": 443, "http": 80}
DENIED = (401, 403)
# The answers to a look at what is there, to one at a range, and to a range that is the whole.
GOOD = (200, 206)


@dataclass(frozen=True)
class S3Object:
    """An object as a look at it finds it; `modified` in whole seconds since 1970, `tag` of its version."""

    key: str
    size: int
    modified: float
    tag: str


class S3Client:
    """A connection to the server at an address, with the login of its secret."""

    def __init__(self, place: ConnectionInfo, where: str) -> None:
        self._place, self._where = place, where
        self._scheme = "http" if place.tls is Tls.DISABLE else "https"
        host = f"[{place.host}]" if ":" in place.host else place.host
        self._host = host if place.port == DEFAULT_PORTS[self._scheme] else f"{host}:{place.port}"
        of_amazon = OF_AMAZON.fullmatch(place.host.lower())
        self._region = of_amazon[1] if of_amazon else "us-east-1"  # elsewhere it is only a part of what is signed
        self._connection: http.client.HTTPConnection | None = None

    def objects(self, bucket: str, prefix: str, *, deep: bool) -> Iterator[ListedObject]:
        """Yield the objects whose keys begin with the prefix; `deep`: also in its folders. Raises FolderNotRead."""
        query, number = {"list-type": "2", "prefix": prefix, **({} if deep else {"delimiter": "/"})}, 0
        while True:
            page = self._page(bucket, query)
            number += max(1, len(page.objects))
            if number > MOST_OBJECTS:
                what = f"there are more than {MOST_OBJECTS} objects below the prefix"
                raise FolderNotRead(self._where, what, "Name a narrower prefix in the model", retryable=False)
            yield from page.objects
            if page.token is None:
                return
            query = {**query, "continuation-token": page.token}

    def find(self, bucket: str, key: str) -> S3Object | None:
        """Return an object as it is now; None if it is not there."""
        status, headers, _ = self._asked("HEAD", bucket, key, {}, {}, 0)
        if status == 404:
            return None
        self._check(status)
        return S3Object(key, *self._described(headers))

    def read(self, bucket: str, of: S3Object, start: int, end: int) -> bytes:
        """Return the bytes of an object from `start` to before `end`. Raises FileChanged if it is another one."""
        wanted = {"Range": f"bytes={start}-{end - 1}", "If-Match": of.tag}
        status, _, body = self._asked("GET", bucket, of.key, {}, wanted, end - start)
        if status in (404, 412, 416) or (status == 200 and (start, end) != (0, of.size)):
            raise FileChanged(self._where, of.key)
        self._check(status)
        if len(body) != end - start:
            raise self._wrong()
        return body

    def _described(self, headers: Mapping[str, str]) -> tuple[int, float, str]:
        try:
            changed, size = parsedate_to_datetime(headers["last-modified"]).timestamp(), int(headers["content-length"])
            if size < 0:
                raise ValueError("nothing is so long")
            return size, float(int(changed)), headers["etag"]
        except (KeyError, ValueError, OverflowError) as error:
            raise self._wrong() from error

    def _page(self, bucket: str, query: Mapping[str, str]) -> ListPage:
        status, _, body = self._asked("GET", bucket, "", query, {}, LONGEST_PAGE)
        self._check(status)
        try:
            return page_of(body)
        except (ValueError, OverflowError, OSError) as error:
            raise self._wrong() from error

    def _asked(
        self, method: str, bucket: str, key: str, query: Mapping[str, str], more: Mapping[str, str], most: int
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and at most so many bytes; a connection that has been idle for long is renewed."""
        path = quote(f"/{bucket}/{key}" if key else f"/{bucket}", safe=f"/{SAFE}")
        asked = "&".join(f"{quote(name, safe=SAFE)}={quote(value, safe=SAFE)}" for name, value in sorted(query.items()))
        for attempt in range(2):
            headers = {**self._signed(method, path, asked), **more}
            try:
                if self._connection is None:
                    self._connection = self._connected()
                elif self._connection.sock is not None:
                    self._connection.sock.settimeout(SECONDS)  # the last answer has left less
                self._connection.request(method, f"{path}?{asked}" if asked else path, headers=headers)
                answer = self._connection.getresponse()
                body = answer.read(most + 1) if answer.status in GOOD else b""
                if len(body) > most:
                    raise self._wrong()
                found = {name.lower(): value for name, value in answer.getheaders()}
                if answer.status not in GOOD or not answer.isclosed():
                    self.close()
                return answer.status, found, body
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.close()
                if attempt:
                    raise self._wrong() from error
        raise AssertionError("each attempt returns or raises")

    def _connected(self) -> http.client.HTTPConnection:
        connection = self._opened()
        answer = partial(TimelyAnswer, seconds=ANSWER_SECONDS, pause=SECONDS)
        connection.response_class = answer  # type: ignore[assignment]  # what makes one does too
        return connection

    def _opened(self) -> http.client.HTTPConnection:
        host, port = self._place.host, self._place.port
        if self._scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=SECONDS)
        file = ca_file(self._place.tls_ca) if self._place.tls_ca else None  # none: the system's
        try:
            context = ssl.create_default_context(cafile=file)
        except OSError:
            what = f"the file with the CA cannot be read ({file})"
            todo = "Correct tls_ca, or mount the Secret or ConfigMap that it names"
            raise FolderNotRead(self._where, what, todo, retryable=False) from None
        return http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _signed(self, method: str, path: str, query: str) -> dict[str, str]:
        """Return the headers of a request, with its signature."""
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {"host": self._host, "x-amz-content-sha256": NOTHING, "x-amz-date": now}
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{NOTHING}"
        scope = f"{now[:8]}/{self._region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self._place.password}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        login = f"Credential={self._place.user}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
        return {**headers, "authorization": f"AWS4-HMAC-SHA256 {login}"}

    def _check(self, status: int) -> None:
        """Raise FolderNotRead for an answer that is none."""
        if status in GOOD:
            return
        if status in DENIED:
            what, todo = "the login was refused, or may not read there", "Check the secret"
        elif status == 404:
            what, todo = "there is no such bucket", "Correct the address in the model"
        elif 300 <= status < 400:
            what = "the storage sends its readers to another address, where nobody goes"
            todo = "Write the address in the model that the bucket really has, and let the settings allow it"
        else:
            raise self._wrong()
        raise FolderNotRead(self._where, what, todo, retryable=False)

    def _wrong(self) -> FolderNotRead:
        what = "the storage does not answer as it should"
        return FolderNotRead(self._where, what, "Check the address; try again", retryable=True)


class OpenedObject(io.RawIOBase):
    """An object as a file, which can be sought in. All of it is read from one version."""

    def __init__(self, client: S3Client, bucket: str, of: S3Object) -> None:
        super().__init__()
        self._client, self._bucket, self._of, self._at = client, bucket, of, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, origin: int = io.SEEK_SET) -> int:
        """Set the position, and return it."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._of.size}[origin])
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes. Raises FileChanged, and FolderNotRead."""
        end = min(self._at + min(len(buffer), LONGEST_RANGE), self._of.size)
        if end <= self._at:
            return 0
        found = self._client.read(self._bucket, self._of, self._at, end)
        buffer[: len(found)] = found
        self._at = end
        return len(found)
