"""Which files of a folder a model's code may see: the regular ones inside it, as a bounded list."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from config_schema.errors import StreamFactoryError
from config_schema.load.inside import MOST_BYTES, MOST_FILES, NotInside, check_inside


def model_files(folder: Path) -> list[Path]:
    """Return the files below `folder`, relative to it, in the order of their names.

    Links that lead out, hidden files and Python's caches are left out. Raise StreamFactoryError if there is too much.
    """
    found: list[Path] = []
    size = 0
    for path in _regular_files(folder, folder):
        found.append(path.relative_to(folder))
        size += path.stat().st_size
        if len(found) > MOST_FILES or size > MOST_BYTES:
            what = f"the folder has more than {MOST_FILES} files or {MOST_BYTES >> 20} MB"
            raise StreamFactoryError(str(folder), what, "Keep the model in a folder of its own")
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
