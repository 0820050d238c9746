"""Blocks SIGTERM and SIGINT until the job is ready to end in order, and again once it has printed its result.

Until this module runs, some hundredths of a second after the start, Python's own handlers are active.
"""

from __future__ import annotations

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def block_signals() -> None:
    """Block signals, for the main thread and for the threads and programs that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def unblock_signals() -> None:
    """Unblock signals; blocked ones are delivered now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
