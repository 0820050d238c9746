"""Host names to addresses within a given time: the resolver of the C library knows no timeout that callers can set."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import Future

# By process, because a child that was forked has none of its parent's threads.
_running: dict[tuple[int, str], Future[tuple[str, ...]]] = {}


def lookup(host: str) -> Future[tuple[str, ...]]:
    """Return a host's addresses to come, in the resolver's order; the future's error is an OSError.

    A lookup that is still waiting serves later calls for the same name too: a process has one thread for each name.
    """
    name = (os.getpid(), host)
    ours: Future[tuple[str, ...]] = Future()
    found = _running.setdefault(name, ours)
    if found is ours:
        threading.Thread(target=_look_up, args=(name, ours), name=f"lookup of {host}", daemon=True).start()
    return found


def _look_up(name: tuple[int, str], answer: Future[tuple[str, ...]]) -> None:
    try:
        found = socket.getaddrinfo(name[1], None, type=socket.SOCK_STREAM)
        answer.set_result(tuple(dict.fromkeys(str(address[0]) for *_, address in found)))
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of a name is empty or too long
        answer.set_exception(error if isinstance(error, OSError) else OSError(str(error)))
    finally:
        _running.pop(name, None)
