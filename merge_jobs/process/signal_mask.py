"""Blocks SIGTERM and SIGINT until the job is ready to end in order, and again once it has printed its result.

Until this module runs, some hundredths of a second after the start, Python's own handlers are active.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SMALL_STACK = 1 << 20  # bytes, for a thread that only copies: all of a stack counts where memory is limited
_starting = threading.Lock()  # a stack's size is set for all threads that start


def block_signals() -> None:
    """Block signals, for the main thread and for the threads and programs that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def start_without_signals(
    target: Callable[..., None], name: str, *arguments: object, stack: int = 0
) -> threading.Thread:
    """Start a daemon thread that gets no signals: one would end the process while the main thread blocks them.

    `stack` is the size of its stack in bytes; 0 is the system's.
    """
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    with signals_blocked(), _starting:
        others = threading.stack_size(stack)
        try:
            thread.start()
        finally:
            threading.stack_size(others)
    return thread


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block signals while a library may start threads of its own: one that gets a signal would end the process."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock_signals() -> None:
    """Unblock signals; blocked ones are delivered now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
