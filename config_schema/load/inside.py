"""Files of a model's folder: regular ones inside it, of a bounded size. A repository may hold links and devices too."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MOST_FILES = 5_000
MOST_BYTES = 64 << 20  # of one file
OUTSIDE = "it is a link that leads out of the model's folder"


class NotInside(Exception):
    """The file is not one of the model's; the text says why."""


def read_inside(path: Path, folder: Path) -> bytes:
    """Return the file's content. Raise NotInside, or OSError if it is not there or cannot be read.

    Links inside the folder are followed: a ConfigMap is mounted so.
    """
    check_inside(path, folder)
    # Not to wait for who writes into a pipe; a device is refused before anything is read of it.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise NotInside("it is no regular file")
        if found.st_size > MOST_BYTES:
            raise NotInside(f"it has {found.st_size >> 20} MB, and a file of a model has at most {MOST_BYTES >> 20}")
        return file.read(MOST_BYTES + 1)


def check_inside(path: Path, folder: Path) -> None:
    """Raise NotInside if a link leads out of the folder, and OSError if it leads to nothing or in a circle."""
    try:
        whole = path.resolve(strict=True)
    except RuntimeError as error:  # what Python says of a circle before 3.13
        raise NotInside("it is a link that leads in a circle") from error
    if not whole.is_relative_to(folder.resolve()):
        raise NotInside(OUTSIDE)
