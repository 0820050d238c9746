"""Writes files only if they differ, and shows the differences."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from airflow_plugin.factory.factory_file import factory_file
from config_schema import names
from config_schema.errors import FileUnreadable, FileUnwritable

ANOTHER = "Choose another folder with --out, or correct this one"


@dataclass(frozen=True)
class FileChange:
    """A file as it is (None: it does not exist) and as it should be."""

    path: Path
    before: str | None
    after: str

    @property
    def state(self) -> str:
        """Whether the file is new, changed or unchanged."""
        if self.before is None:
            return "new"
        return "unchanged" if self.before == self.after else "changed"

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff."""
        before = (self.before or "").splitlines()
        yield from difflib.unified_diff(before, self.after.splitlines(), str(self.path), str(self.path), lineterm="")


def file_changes(folder: Path, files: Mapping[PurePosixPath, str]) -> list[FileChange]:
    """Return what writing these files below `folder` changes. Raises FileUnreadable for an unreadable one."""
    return [FileChange(folder / path, _read(folder / path), text) for path, text in files.items()]


def write(change: FileChange) -> None:
    """Write a new or changed file; it is replaced as a whole, so that the dag-processor never sees half of it.

    Raises FileUnwritable.
    """
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
        raise FileUnwritable(change.path, error, ANOTHER) from error


def superseded(folder: Path, files: Mapping[PurePosixPath, str], platform: str, original: str) -> list[Path]:
    """Return the platform's unedited factory files for another number of shards: a stream must be in one file."""
    wanted = {folder / path for path in files}
    found = (folder / "dags").glob(f"{platform}_factory*.py")
    return sorted(path for path in found if path not in wanted and _is_factory_file(path, platform, original))


def remove(path: Path) -> None:
    """Remove a superseded file. Raises FileUnwritable."""
    try:
        path.unlink()
    except OSError as error:
        raise FileUnwritable(path, error, ANOTHER, "removed") from error


def _is_factory_file(path: Path, platform: str, original: str) -> bool:
    match = re.fullmatch(r".*_(\d{1,4})_of_(\d{1,4})\.py", path.name)
    number, count = (int(match[1]), int(match[2])) if match else (1, 1)
    is_named_so = path.name == names.factory_file(platform, number, count)
    return is_named_so and _read(path) == factory_file(original, number, count)


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(path, error, ANOTHER) from error
