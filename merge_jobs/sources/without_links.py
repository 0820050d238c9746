"""Opens what has a path without links, part by part: a link that has come since the path was checked is an error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# How a folder above a file is opened: the job need not be allowed to list it.
PASSED = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY


def opened_without_links(path: Path, flags: int = 0) -> int:
    """Open a file or a folder for reading. A pipe that nobody writes to is no wait. Raises OSError."""
    with folder_without_links(path.parent) as folder:
        return os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags, dir_fd=folder)


def stat_without_links(path: Path) -> os.stat_result:
    """Return what a path names, without opening it: closing a file ends the locks that SQLite has on it.

    Raises OSError.
    """
    with folder_without_links(path.parent) as folder:
        return os.stat(path.name, dir_fd=folder, follow_symlinks=False)


@contextmanager
def folder_without_links(path: Path) -> Iterator[int]:
    """Give the folder to start a path from. Raises OSError."""
    folder = os.open("/", PASSED)
    try:
        for part in path.parts[1:]:
            inner = os.open(part, PASSED | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)
