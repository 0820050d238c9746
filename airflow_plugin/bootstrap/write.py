"""Writing files only where they differ, and showing what would differ."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from config_schema.errors import StreamFactoryError


@dataclass(frozen=True)
class FileChange:
    """A file as it is (None: not there) and as it is to be."""

    path: Path
    before: str | None
    after: str

    @property
    def state(self) -> str:
        if self.before is None:
            return "new"
        return "unchanged" if self.before == self.after else "changed"

    def diff(self) -> Iterator[str]:
        """Lines of a unified diff."""
        before = (self.before or "").splitlines()
        yield from difflib.unified_diff(before, self.after.splitlines(), str(self.path), str(self.path), lineterm="")


def file_changes(folder: Path, files: Mapping[PurePosixPath, str]) -> list[FileChange]:
    """What writing these files below `folder` changes. Raises StreamFactoryError for one that cannot be read."""
    return [FileChange(folder / path, _read(folder / path), text) for path, text in files.items()]


def write(change: FileChange) -> None:
    """Write a file that is new or changed; it is replaced whole, so that the dag-processor never sees a half."""
    if change.state == "unchanged":
        return
    try:
        change.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=change.path.parent, prefix=".", suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(change.after)
        Path(name).chmod(0o644)
        Path(name).replace(change.path)
    except OSError as error:
        raise _unusable(change.path, error) from error


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> StreamFactoryError:
    what = error.strerror if isinstance(error, OSError) and error.strerror else "it is not text"
    return StreamFactoryError(str(path), what, "Choose another folder with --out, or mend this one")
