"""A platform's factory files in the folder of the bundle: written, touched, and the state of their parses.

Airflow parses a file if its modification time is newer than its last parse. A touch during a parse has no effect, since
that parse ends after it. So each parse records the modification time that it found, at its start and after all rows
were read, as the time of a file in STAMPS. A file that is newer than its last good parse must be touched again.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from airflow_plugin.factory.factory_file import bundle_file
from airflow_plugin.factory.shards import Shard, shard
from config_schema import names
from config_schema.errors import StreamFactoryError

STAMPS = ".parses"  # beside the files; Airflow looks at *.py only
BEGUN, DONE = "begun", "done"
PLATFORM = "platform"  # the part of the file that has the platform's own DAGs
FINISHED_WITHIN = 3600  # seconds after a parse began; more than any timeout that is set
PART = re.compile(r'part="([^"]+)"')


class ShardFolder:
    """The files of one platform (its name in the model) in a folder that may contain those of others."""

    def __init__(self, folder: Path, original: str) -> None:
        self.folder, self.original = folder, original
        self.platform = names.platform_name(original)

    def path(self, number: int) -> Path:
        """Return the path of a file for streams."""
        return self.folder / names.bundle_streams_file(self.platform, number)

    @property
    def platform_path(self) -> Path:
        """Return the path of the file for the platform's own DAGs."""
        return self.folder / names.bundle_platform_file(self.platform)

    def files(self) -> dict[int, int]:
        """Return the modification time, in nanoseconds, of each file for streams, by its number."""
        numbers = {number: path for path in self.folder.iterdir() if (number := self.number_of(path.name)) is not None}
        return {number: modified(path) for number, path in numbers.items()}

    def number_of(self, file_name: str) -> int | None:
        """Return the number of a file for streams; None for another file."""
        match = re.fullmatch(rf"{re.escape(self.platform)}_factory_streams_(\d+)\.py", file_name)
        return int(match[1]) if match else None

    def shard(self, number: int) -> Shard | None:
        """Return the part of the streams in the file; None if it was not written by us."""
        try:
            text = self.path(number).read_text("utf-8")
        except (OSError, UnicodeError):
            return None
        match = PART.search(text)
        try:
            found = shard(match[1]) if match else None
        except StreamFactoryError:
            return None
        return found if found and text == bundle_file(self.original, str(found)) else None

    def write(self, number: int, part: Shard) -> None:
        """Write the file, also an existing one, so that Airflow parses it."""
        self._write(self.path(number), str(part))

    def write_platform(self) -> bool:
        """Write the file of the platform's own DAGs unless it exists; return whether it was written."""
        if self.platform_path.exists():
            return False
        self._write(self.platform_path, PLATFORM)
        return True

    def write_for_workers(self, numbers: range) -> None:
        """Write missing files of these numbers, and that of the platform, for workers, which load one by name."""
        text = bundle_file(self.original, None)
        last = self.path(numbers[-1])  # it is written after all others
        if last.exists() and last.read_text("utf-8") == text:
            return
        _write_text(self.platform_path, text)
        for number in numbers:
            path = self.path(number)
            try:
                os.link(self.platform_path, path)
            except OSError:  # it is there, by another version or another process; or a file system without links
                _write_text(path, text)

    def remove(self, number: int) -> None:
        """Remove a file, and the records of its parses."""
        self.path(number).unlink(missing_ok=True)
        for kind in (BEGUN, DONE):
            _stamp(self.path(number), kind).unlink(missing_ok=True)

    def _write(self, path: Path, part: str) -> None:
        before = modified(path)
        _write_text(path, bundle_file(self.original, part))
        _set_modified(path, before)


def touch(path: Path) -> None:
    """Let Airflow parse the file; if it was deleted meanwhile, the next update writes it again."""
    try:
        _set_modified(path, modified(path))
    except FileNotFoundError:
        return


def stamp(path: Path, kind: str, found: int) -> None:
    """Record that a parse which found the file with this modification time has begun, or has read all rows."""
    mark = _stamp(path, kind)
    try:
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
        os.utime(mark, ns=(time.time_ns(), found))
    except OSError:  # a folder that this process may not write to: the file is touched again, and parsed once more
        return


def parses(path: Path) -> tuple[int, int, int]:
    """Return the modification times of the file, of its last parse that began, and of the last that was complete.

    In nanoseconds, 0 if there is none.
    """
    return modified(path), modified(_stamp(path, BEGUN)), modified(_stamp(path, DONE))


def begun_at(path: Path) -> float:
    """Return when (Unix seconds) the last parse of the file began; 0 if none did."""
    return _stamped_at(path, BEGUN)


def done_at(path: Path) -> float:
    """Return when (Unix seconds) the last parse that read all rows ended; 0 if none did."""
    return _stamped_at(path, DONE)


def _stamped_at(path: Path, kind: str) -> float:
    try:
        return _stamp(path, kind).stat().st_atime
    except OSError:
        return 0.0


def modified(path: Path) -> int:
    """Return the file's modification time in nanoseconds; 0 if it does not exist."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _stamp(path: Path, kind: str) -> Path:
    return path.parent / STAMPS / f"{path.name}.{kind}"


def take_from_future(path: Path) -> None:
    """Give a parsed file a time that is not ahead of the clock; otherwise Airflow keeps parsing it until then.

    It is ahead if the clock was set back before the file was touched, or before the dag-processor was restarted.
    """
    at, now = int(done_at(path) * 1e9), time.time_ns()
    if at < now < modified(path):
        for one in (_stamp(path, BEGUN), _stamp(path, DONE), path):
            with suppress(FileNotFoundError):  # deleted meanwhile: the next look writes it again
                os.utime(one, ns=(at, at))


def _set_modified(path: Path, before: int) -> None:
    # Never back, and after the last parse: the clock may have been set back since.
    now = max(time.time_ns(), before + 1, _after_last_parse(path))
    os.utime(path, ns=(now, now))


def _after_last_parse(path: Path) -> int:
    """Return when Airflow counts the last parse as finished, if that is ahead of the clock; otherwise 0."""
    last = max(begun_at(path), done_at(path))
    return int((last + FINISHED_WITHIN) * 1e9) if last > time.time() else 0


def _write_text(path: Path, text: str) -> None:
    """Replace the file as a whole, because a parse may read it at any time."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)  # workers may run as another user
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
