"""An answer over HTTP that has to be there within a time, whatever it begins with and however slowly it comes."""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any


class TimelyAnswer(http.client.HTTPResponse):
    """An answer that ends after `seconds`, with TimeoutError, and where nothing comes for `pause` seconds.

    A server that sends a byte a minute, or "100 Continue" or trailers for ever, would else be waited for for years.
    """

    def __init__(self, sock: socket.socket, *arguments: Any, seconds: float, pause: float, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_TimelyReader(sock, self.fp.detach(), time.monotonic() + seconds, pause))


class _TimelyReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, of: io.RawIOBase, end: float, pause: float) -> None:
        self._sock, self._of, self._end, self._pause = sock, of, end, pause

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has come. Raises TimeoutError."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(min(self._pause, left))
        return self._of.readinto(buffer)

    def close(self) -> None:
        self._of.close()
        super().close()
