"""A relay in front of a server, for tests of one that hangs or is down: it can be held up, or let nobody in."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Relay:
    """Listens at `host`:`port` and passes on to a port of 127.0.0.1, unless it is held, refuses, or does not listen."""

    def __init__(self, target: int, host: str = "127.0.0.1") -> None:
        self.target = target
        self._host = host
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._refusing = False
        self._timer: threading.Timer | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def listen_not(self, seconds: float | None = None) -> None:
        """Let the system refuse connections, as network policies do with a pod that they do not know yet.

        For so many seconds, or until `listen` is called.
        """
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if seconds is not None:
            self._timer = threading.Timer(seconds, self.listen)
            self._timer.start()

    def listen(self) -> None:
        """Let connections in again."""
        self._listener = socket.create_server((self._host, self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def hold(self) -> None:
        """Pass nothing on, and let everybody wait."""
        self._open.clear()

    def refuse(self) -> None:
        """End all connections, and each new one at once."""
        self._refusing = True
        self._end_all()

    def release(self) -> None:
        self._refusing = False
        self._open.set()

    def close(self) -> None:
        self.release()
        if self._timer is not None:
            self._timer.cancel()
        self._listener.close()
        self._end_all()

    def _end_all(self) -> None:
        for one in [end for pair in self._pairs for end in pair]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._open.wait()
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
