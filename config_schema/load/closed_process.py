"""Running a model's code in a closed process: without environment, rights, or time to spare.

Model code is code of whoever may push to the model's repository. The child (closed_child.py) cannot read this process's
environment or memory, is another user if this is root, and sees only a copy of the model's files.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

TIME_LIMIT_SECONDS = 60.0
GRACE_SECONDS = 1.0
ANSWER_BYTES = 64 << 20
ANSWER_VALUES = 5_000_000  # each takes some 60 bytes here, where its text may have three
CHILD = Path(__file__).with_name("closed_child.py")
SET_DUMPABLE = 4  # <linux/prctl.h>


class CodeFailed(Exception):
    """The code ended without an answer; the text says how, and may contain text of the code."""


def evaluate(folder: Path, root: Path) -> Any:
    """Return what `eco.py` in `folder` gives, as plain data. Raises CodeFailed.

    Any user must be able to read the folder, because the child is not root. `root` is an empty folder; if the
    system allows it, the child makes it its own root, with nothing but the folder and Python in it.
    """
    _close_to_other_processes()
    product = str(Path(__file__).resolve().parents[2])
    child = subprocess.Popen(
        [sys.executable, "-I", str(CHILD), product, str(folder), str(root)],
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        written = _read(child)
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
    finally:
        _end(child)
    return _answer(written, child.returncode)


def _close_to_other_processes() -> None:
    """Close /proc/<this process> to other processes of the user, permanently: it shows the environment."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DUMPABLE, 0, 0, 0, 0)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child. SIGTERM lets it end the process in its namespaces, which a signal to its group may not reach."""
    with suppress(ProcessLookupError, PermissionError):
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _read(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout is not None
    end, written = time.monotonic() + TIME_LIMIT_SECONDS, bytearray()
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        while True:
            if not ready.select(max(0.0, end - time.monotonic())):
                raise CodeFailed(f"it did not end within {TIME_LIMIT_SECONDS:g} s")
            part = os.read(child.stdout.fileno(), 1 << 16)
            if not part:
                return bytes(written)
            written += part
            if len(written) > ANSWER_BYTES:
                raise CodeFailed(f"it gave more than {ANSWER_BYTES >> 20} MB")


def _answer(written: bytes, exit_code: int) -> Any:
    if written.count(b",") > ANSWER_VALUES:
        raise CodeFailed(f"it gave more than {ANSWER_VALUES} values")
    try:
        answer = json.loads(written)
    except (ValueError, RecursionError):
        ended = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        raise CodeFailed(f"it ended with {ended} and gave no ecosystem") from None
    if not isinstance(answer, dict) or "ecosystem" not in answer:
        failed = answer.get("failed") if isinstance(answer, dict) else None
        raise CodeFailed(f"it failed: {failed or 'it gave no ecosystem'}")
    return answer["ecosystem"]
