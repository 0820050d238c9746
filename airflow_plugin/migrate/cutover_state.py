"""The progress of a cutover: a file beside the static DAG file, written before and after each step."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from config_schema.errors import FileMalformed, FileUnreadable, FileUnwritable, StreamFactoryError

FORMAT = 1
STEPS = ("pause", "drain", "move", "write", "resume")


@dataclass(frozen=True)
class DagCutover:
    """One DAG of the file as it was before the first step; `row_before` is (config_json, status), None without one."""

    static_dag_id: str
    dag_id: str
    platform: str
    stream_key: str
    config_json: str
    was_paused: bool
    fileloc: str
    row_before: tuple[str, str] | None


@dataclass(frozen=True)
class Cutover:
    """`done` are completed steps; the one after them may be half done. `back` says that it is being undone, or was."""

    file: str
    sha256: str
    dags: tuple[DagCutover, ...]
    done: tuple[str, ...] = ()
    back: str | None = None  # begun, done

    @property
    def path(self) -> Path:
        """The path of the static DAG file."""
        return Path(self.file)

    @property
    def aside(self) -> Path:
        """The path of the moved file: a name that no dag-processor reads."""
        return self.path.with_name(f"{self.path.name}.aside")

    def with_done(self, step: str) -> Cutover:
        """Return the cutover with one more step done."""
        return replace(self, done=(*self.done, step))


def state_path(file: Path) -> Path:
    """Return the path of the state's file."""
    return file.with_name(f"{file.name}.cutover.json")


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class NotBegun(StreamFactoryError):
    """A rollback was requested, but no cutover has begun with this state file.

    Nothing; or name the state file of the cutover with --state.
    """

    code = "DF3207"

    def __init__(self, state: Path) -> None:
        super().__init__(str(state), "no cutover has begun", "There is nothing to roll back")


class CutoverBusy(StreamFactoryError):
    """Another cutover is running in this folder.

    Wait for it, and run this one again.
    """

    code = "DF3208"
    retryable = True

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), "another cutover is running in this folder", "Wait for it")


def read_state(path: Path) -> Cutover | None:
    """Return the state; None if no cutover has begun. Raises FileMalformed for any other file."""
    try:
        data = json.loads(path.read_text("utf-8"))
        return _state(data)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileUnreadable(path, error, "Let it be read") from error
    except (ValueError, TypeError, KeyError) as error:
        raise FileMalformed(path, "it is no state of a cutover", "Name another with --state") from error


def write_state(path: Path, state: Cutover) -> None:
    """Write the state whole or not at all, even if the machine stops. Raises FileUnwritable."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **asdict(state)}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise FileUnwritable(path, error, "Name another: --state") from error


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def exclusive_cutover(folder: Path) -> Iterator[None]:
    """Prevent other cutovers in this folder. Raises CutoverBusy if one is running."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise FileUnreadable(folder, error, "Name another file") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CutoverBusy(folder) from None
        except OSError as error:
            raise FileUnwritable(folder, error, "Use a file system with locks", "locked") from error
        yield
    finally:
        os.close(handle)


def _state(data: dict[str, Any]) -> Cutover:
    """Return the state that was written. Raises ValueError, TypeError or KeyError for another format."""
    if data.pop("format") != FORMAT:
        raise ValueError("another format")
    dags = tuple(
        DagCutover(**{**one, "row_before": None if one["row_before"] is None else tuple(one["row_before"])})
        for one in data.pop("dags")
    )
    return Cutover(**{**data, "dags": dags, "done": tuple(data["done"])})
