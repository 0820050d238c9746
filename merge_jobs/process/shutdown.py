"""How a job ends when it is asked to: what it waits for is cancelled, and its batch is recorded as failed.

The driver waits inside libpq, where no Python signal handler runs. So the signal wakes a thread, which cancels what the
sessions are doing until the job has noticed. Without `ended_by_signals` nothing here has an effect.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType

import psycopg2

from merge_jobs.errors import Ended
from merge_jobs.process.signal_mask import SIGNALS, block_signals, start_without_signals, unblock_signals

AGAIN_SECONDS = 0.5  # a cancel between two statements hits none
Handler = Callable[[int, FrameType | None], object]


@dataclass
class _State:
    """The signals of the process: which one came, and what it cancels."""

    came: str | None = None
    requested: threading.Event = field(default_factory=threading.Event)
    noticed: threading.Event = field(default_factory=threading.Event)
    at_once: bool = False
    cancels: list[Callable[[], None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


_state = _State()


def asked() -> bool:
    """Return whether the job was asked to end."""
    return _state.requested.is_set()


def check() -> None:
    """Raise Ended if the job was asked to end."""
    if asked():
        raise ended()


def ended() -> Ended:
    """Return the error of a job that was asked to end."""
    return Ended(str(_state.came))


def pause(seconds: float) -> bool:
    """Wait; return whether the time passed. Returns False at once if the job is asked to end."""
    return not _state.requested.wait(seconds)


def pause_or_end(seconds: float) -> None:
    """Wait. Raises Ended at once if the job is asked to end."""
    if not pause(seconds):
        raise ended()


@contextlib.contextmanager
def cancelling(cancel: Callable[[], None]) -> Iterator[None]:
    """Call `cancel`, from another thread, if the job is asked to end within this context."""
    _state.cancels.append(cancel)
    try:
        yield
    finally:
        with _state.lock:
            _state.cancels.remove(cancel)


@contextlib.contextmanager
def raised_at_once() -> Iterator[None]:
    """Raise Ended at once on a signal, until `from_here_in_order`; an earlier signal raises it too.

    The code that the signal interrupts may turn it into another error, as Python does while it creates a class.
    """
    try:
        _state.at_once = True
        check()
        yield
    except Exception as error:
        if _state.at_once and asked() and not isinstance(error, Ended):
            raise ended() from error
        raise
    finally:
        from_here_in_order()


def from_here_in_order() -> None:
    """Let signals raise nothing by themselves any more: `check` raises, and so do cancelled calls."""
    _state.at_once = False


def stop_cancelling() -> None:
    """Record that the job has seen the request: its sessions can be used again after this call."""
    _state.noticed.set()
    with _state.lock:
        return


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """End the job on SIGTERM and SIGINT, also blocked ones; later signals wait until the process ends.

    For the main thread. A container's first process has no default handlers, so without this it would not end at
    all.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = {number: signal.signal(number, _raise_unless_in_order) for number in SIGNALS}
    signal.set_wakeup_fd(write_end)
    start_without_signals(_watch, "signals", read_end)
    try:
        unblock_signals()
        yield
    finally:
        block_signals()
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(write_end)


def _raise_unless_in_order(number: int, frame: FrameType | None) -> None:
    _note(number)
    if _state.at_once:
        raise ended()


def _note(number: int) -> None:
    _state.came = _state.came or signal.Signals(number).name
    _state.requested.set()


def _watch(read_end: int) -> None:
    while written := os.read(read_end, 1):
        if written[0] in SIGNALS:
            _note(written[0])
            break
    while written and not _state.noticed.is_set():
        with _state.lock:
            if not _state.noticed.is_set():
                _cancel_all()
        _state.noticed.wait(AGAIN_SECONDS)
    os.close(read_end)


def _cancel_all() -> None:
    for cancel in list(_state.cancels):
        with contextlib.suppress(psycopg2.Error):
            cancel()
