"""What a program writes to standard error without being asked: libraries, and Python for errors that nobody foresaw.

libpq writes there what a server says while a session begins, unescaped.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from config_schema.echo import echo, echo_text
from config_schema.errors import SHARED_LOG_VARIABLE


def keep_libraries_from_stderr() -> None:
    """Let only Python write to standard error, for the rest of the process; a crash still shows where it was.

    A producer's server, or a trigger of its that runs at a login, could write lines into the log otherwise: no notice
    processor can be set for a session before it has begun.
    """
    own = _without_stderr()
    sys.stderr = os.fdopen(own, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable(own)
    warnings.showwarning = _print_place
    sys.unraisablehook = _print_ignored


def _print_place(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print what kind of warning a library gives, and where: its text may have what a producer's server says."""
    echo(f"{filename}:{lineno}: {category.__name__}", err=True)


def _print_ignored(of: Any) -> None:
    """Print what kind of error nobody can catch, as that of a destructor; `of` has its text too."""
    echo(f"an error was ignored: {of.exc_type.__name__}", err=True)


@contextmanager
def no_library_output() -> Iterator[None]:
    """Let nobody write to standard error meanwhile: for one session, in a program that starts others."""
    sys.stderr.flush()
    own = _without_stderr()
    try:
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)


@contextmanager
def no_texts_in_shared_logs(*, always: bool = False) -> Iterator[None]:
    """End with exit code 1 on an error that no code foresees. In a log that others read, or `always`, it has no text.

    It may hold a row's values, or what a producer's server says; so may that of an error in a thread. Whoever runs a
    command by hand sees both, as Python shows them.
    """
    usual, is_shared = threading.excepthook, always or bool(os.environ.get(SHARED_LOG_VARIABLE))
    if is_shared:
        threading.excepthook = _print_thread
    try:
        yield
    except Exception as error:
        if not is_shared:
            raise
        _print_frames(error)
        sys.exit(1)
    finally:
        threading.excepthook = usual


def _print_thread(of: threading.ExceptHookArgs) -> None:
    if of.exc_value is not None:
        _print_frames(of.exc_value)


def _print_frames(error: BaseException) -> None:
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip("\n")
    said = f"error: unforeseen {type(error).__name__}; its text may hold data, and is not shown. Report it"
    echo_text(f"Traceback (most recent call last):\n{frames}\n{said}", err=True)


def _without_stderr() -> int:
    """Let standard error lead nowhere; return where it led."""
    own = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return own
