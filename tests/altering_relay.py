"""A producer's PostgreSQL server of a stranger: what the real one answers is altered on the way."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from tests.relay import Relay

# Takes the kind and the body of a message of the server, and returns the body that the client gets.
Alter = Callable[[bytes, bytes], bytes]


class AlteringRelay(Relay):
    """Passes on to a PostgreSQL server without TLS, and alters each message that it answers."""

    def __init__(self, target: int, alter: Alter) -> None:
        self._alter = alter
        super().__init__(target)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        if source.getpeername()[1] == self.target:
            with suppress(OSError, struct.error):
                self._pass_messages(source, sink)
        super()._pass_on(source, sink)

    def _pass_messages(self, source: socket.socket, sink: socket.socket) -> None:
        first = True
        while kind := exactly(source, 1):
            if first and kind == b"N":  # the answer to whether there is TLS
                sink.sendall(kind)
                first = False
                continue
            (length,) = struct.unpack("!I", exactly(source, 4))
            body = self._alter(kind, exactly(source, length - 4))
            sink.sendall(kind + struct.pack("!I", len(body) + 4) + body)


def exactly(source: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = source.recv(size - len(found))
        if not part:
            return b""
        found += part
    return found
