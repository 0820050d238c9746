"""A relay in front of a PostgreSQL server that counts the round trips of its clients.

A round trip is a message of the frontend/backend protocol after which the client waits for the server's answer: the
request for TLS, the start of a session, an answer to a password question, a query (which may have many statements),
the end of rows that COPY sends in, and a Sync or function call. A query that begins a COPY into the server is one, the
end of its rows another.
"""

from __future__ import annotations

import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from tests.altering_relay import exactly
from tests.relay import Relay

TLS_REQUESTS = {80877103: "TLS request", 80877104: "GSSAPI request"}
CANCEL = 80877102
WAITED_FOR = {b"p": "password", b"Q": "query", b"c": "end of COPY", b"f": "end of COPY", b"S": "sync", b"F": "function"}


@dataclass(frozen=True)
class Trip:
    """A round trip: the database and the name of its session, what kind it is, and the text of a query."""

    database: str
    session: str
    kind: str
    text: str = ""


@dataclass
class CountingRelay(Relay):
    """Passes on to a port of 127.0.0.1, and keeps the round trips of all sessions, in order."""

    target: int
    trips: list[Trip] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.target)

    @property
    def by_kind(self) -> Counter[str]:
        return Counter(trip.kind for trip in self.trips)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        if source.getpeername()[1] != self.target:
            with suppress(OSError, struct.error):
                self._pass_messages(source, sink)
        super()._pass_on(source, sink)

    def _pass_messages(self, source: socket.socket, sink: socket.socket) -> None:
        of: dict[bytes, bytes] = {}
        while not of:
            head = exactly(source, 8)
            length, code = struct.unpack("!II", head)
            body = exactly(source, length - 8)
            if code not in TLS_REQUESTS and code != CANCEL:
                values = body.split(b"\0")
                of = dict(zip(values[::2], values[1::2], strict=False))
            if code != CANCEL:
                self._count(of, TLS_REQUESTS.get(code, "start"))
            sink.sendall(head + body)
        while kind := exactly(source, 1):
            size = exactly(source, 4)
            body = exactly(source, struct.unpack("!I", size)[0] - 4)
            if kind in WAITED_FOR:
                self._count(of, WAITED_FOR[kind], body.rstrip(b"\0").decode() if kind == b"Q" else "")
            sink.sendall(kind + size + body)

    def _count(self, of: dict[bytes, bytes], kind: str, text: str = "") -> None:
        database, session = (of.get(name, b"").decode() for name in (b"database", b"application_name"))
        self.trips.append(Trip(database, session, kind, text))
