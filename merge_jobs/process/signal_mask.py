"""SIGTERM and SIGINT that wait: while the job is not ready to end in order, and once it has printed its result.

Until this module runs, a few hundredths of a second after the start, Python itself does what it does with them.
"""

from __future__ import annotations

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def block_signals() -> None:
    """Block signals, for the main thread and for the threads and programs that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def unblock_signals() -> None:
    """Unblock signals, and take those that have waited."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
