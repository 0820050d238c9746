"""The files of a model's folder: regular ones inside it, limited in number. A repository may contain links too."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from config_schema.errors import StreamFactoryError

MOST_FILES = 5_000
MOST_BYTES = 64 << 20  # of one file
OUTSIDE = "it is a link that leads out of the model's folder"


class ModelTooLarge(StreamFactoryError):
    """The folder of a model that is code has more or larger files than its code may see.

    Keep the model in a folder of its own.
    """

    code = "DF1111"

    def __init__(self, folder: Path) -> None:
        what = f"the folder has more than {MOST_FILES} files or {MOST_BYTES >> 20} MB"
        super().__init__(str(folder), what, "Keep the model in a folder of its own")


def model_files(folder: Path) -> list[Path]:
    """Return the files below `folder`, relative to it, sorted by name.

    Links that lead out, hidden files and Python's caches are left out. Raises ModelTooLarge.
    """
    found: list[Path] = []
    size = 0
    for path in _regular_files(folder, folder):
        found.append(path.relative_to(folder))
        size += path.stat().st_size
        if len(found) > MOST_FILES or size > MOST_BYTES:
            raise ModelTooLarge(folder)
    return found


def files_digest(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of the model's files: equal for equal checkouts."""
    digest = hashlib.sha256()
    for path in model_files(folder):
        content = (folder / path).read_bytes()
        digest.update(f"{path.as_posix()}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
        digest.update(content)
    return digest.hexdigest()


def _regular_files(folder: Path, top: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = folder / entry.name
            if entry.name == "__pycache__" or entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _regular_files(path, top)
            elif _is_regular(path, top):
                yield path


def _is_regular(path: Path, top: Path) -> bool:
    try:
        check_inside(path, top)
        return stat.S_ISREG(path.stat().st_mode)
    except (NotInside, OSError):
        return False


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
