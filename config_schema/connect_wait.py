"""The wait for a server's first connection: a new pod's may be refused until the cluster's network policies know it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from config_schema.errors import StreamFactoryError

log = logging.getLogger(__name__)

DEFAULT_SECONDS = 15.0
MOST_SECONDS = 600
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 2.0  # seconds
VARIABLE = "DATASURFACE_CONNECT_WAIT"
IN_A_POD = "KUBERNETES_SERVICE_HOST"  # Kubernetes sets it in every container

Made = TypeVar("Made")


class FirstConnections:
    """Opens the first connection to each server, again for some seconds if an error says that a retry can help.

    A server that was reached, or waited for once, is not waited for again: losing it later is for whoever lost it.
    """

    def __init__(self, seconds: float = 0, pause: Callable[[float], object] = time.sleep) -> None:
        self.seconds, self._pause = seconds, pause
        self._known: set[str] = set()

    def set_wait(self, seconds: float, pause: Callable[[float], object] = time.sleep) -> None:
        """Set for how many seconds a first connection is tried again; `pause` sleeps, and may raise to end the wait."""
        self.seconds, self._pause = min(seconds, MOST_SECONDS), pause

    def reach(self, server: str, attempt: Callable[[], Made]) -> Made:
        """Return what `attempt` returns. Raises its last error if the wait is over, at once if no retry can help."""
        end = time.monotonic() + (0 if server in self._known else self.seconds)
        pause, failed = FIRST_PAUSE, 0
        while True:
            try:
                made = attempt()
            except StreamFactoryError as error:
                left = end - time.monotonic()
                if not error.retryable or left <= 0:
                    self._known.add(server)
                    raise
                failed += 1
                log.warning("%s. Connecting is tried again for up to %.0f more seconds (connect_wait)", error, left)
                self._pause(min(pause, left))
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._known.add(server)
                if failed:
                    log.info("connected after %d failed %s", failed, "try" if failed == 1 else "tries")
                return made


first_connections = FirstConnections()
"""Those of this process. It waits only if its program says so: a parse, a page, a person at a terminal do not."""


def wait_in_pods(environment: Mapping[str, str] = os.environ) -> None:
    """Wait for first connections if this process runs in a pod."""
    if IN_A_POD in environment:
        first_connections.set_wait(DEFAULT_SECONDS)
