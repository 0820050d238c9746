"""A server over HTTP whose answers have no end."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# How an answer begins, and what comes then, again and again.
ENDLESS = {
    "another answer to come": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers after the body": (CHUNKED + b"4\r\n<a/>\r\n0\r\n", b"X: y\r\n"),
    "parts of nearly nothing": (CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n"),
}


@contextlib.contextmanager
def endless_server(kind: str) -> Iterator[int]:
    """Answer every request so; yield the port."""
    begin, more = ENDLESS[kind]

    def answer(asking: socket.socket) -> None:
        with asking, contextlib.suppress(OSError):
            asking.recv(1 << 16)
            asking.sendall(begin)
            while True:
                asking.sendall(more)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                answer(listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
