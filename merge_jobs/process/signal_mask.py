"""SIGTERM and SIGINT that wait: while the job is not ready to end in order, and once it has told its result.

Until this module runs, a few hundredths of a second after the start, Python itself does what it does with them.
"""

from __future__ import annotations

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def let_signals_wait() -> None:
    """From now on a signal is kept, for the main thread and the threads and programs that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def let_signals_in() -> None:
    """From now on a signal comes at once, and so does one that has waited."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
