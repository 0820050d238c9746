"""A stand-in for statsd on this machine: adds up what is sent to it."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict


class Statsd:
    """`last` is the newest value of each name, `sums` what was counted in all."""

    def __init__(self) -> None:
        self.last: dict[str, str] = {}
        self.sums: dict[str, float] = defaultdict(float)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    @property
    def environment(self) -> dict[str, str]:
        """What Airflow needs to send its metrics here."""
        port = str(self._socket.getsockname()[1])
        return {"AIRFLOW__METRICS__STATSD_ON": "True", "AIRFLOW__METRICS__STATSD_PORT": port}

    def of(self, prefix: str) -> dict[str, str]:
        """The newest values of names that begin so, without that."""
        return {name.removeprefix(prefix): value for name, value in self.last.items() if name.startswith(prefix)}

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", self._socket.getsockname())
        self._reading.join()
        self._socket.close()

    def _read(self) -> None:
        while packet := self._socket.recv(65536).decode():
            for line in packet.splitlines():
                name, _, value = line.partition(":")
                self.last[name] = value
                if value.endswith("|c"):
                    self.sums[name] += float(value.partition("|")[0])
