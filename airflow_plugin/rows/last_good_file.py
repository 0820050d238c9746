"""The file of the last-good snapshot: the whole table, for all shards.

The first line has the checksum of the others, the second the platform's settings, then a line for each stream. It
belongs to the user of the dag-processor and is replaced as a whole; its configs are checked like those of rows.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from airflow_plugin.rows.last_good import KnownStream, LastGood, Row
from airflow_plugin.settings import SNAPSHOT_DIR_VARIABLE
from config_schema import names
from config_schema.errors import FileUnwritable, StreamFactoryError

VERSION = 1
LOCK_SECONDS = 2.0  # another shard writes for some milliseconds
SAME = "same"

log = logging.getLogger(__name__)


def read_snapshot(path: Path, platform: str) -> LastGood | None:
    """Return the platform's snapshot; None if there is none yet.

    Raises StreamFactoryError for a file that is incomplete, or that others than its owner may have written.
    """
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LastGoodUnusable(path, f"it cannot be read ({error.strerror})") from error
    if state.st_uid not in (os.geteuid(), 0) or state.st_mode & 0o022:
        raise LastGoodUnusable(path, "others than Airflow's user can have written it")
    first, _, body = content.partition(b"\n")
    try:
        head = json.loads(first)
        if (head["version"], head["platform"]) != (VERSION, platform):
            raise LastGoodUnusable(path, "it is of another platform, or of another version of the plugin")
        if head["sha256"] != hashlib.sha256(body).hexdigest():
            raise LastGoodUnusable(path, "it is not whole: its checksum is wrong")
        settings, *lines = body.decode().splitlines()
        streams = {stream.stream_key: stream for stream in map(_stream, lines)}
        return LastGood(head["token"], streams, state.st_mtime, _text(json.loads(settings)), first)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise LastGoodUnusable(path, "it is no snapshot") from error


def still_there(path: Path, snapshot: LastGood) -> bool:
    """Return whether the file is still the one that was read, by its first line, the checksum of the others."""
    try:
        with path.open("rb") as file:
            return snapshot.head != b"" and file.readline().rstrip(b"\n") == snapshot.head
    except OSError:
        return False


def confirm(path: Path, seen_at: float) -> None:
    """Record when (Unix seconds) the table last had the state in the snapshot."""
    os.utime(path, (seen_at, seen_at))


def confirm_token(path: Path, token: str, seen_at: float) -> None:
    """Record when (Unix seconds) the table was seen, if it still has the snapshot's token.

    Raises OSError if there is no snapshot, or it is not ours.
    """
    with path.open("rb") as file:
        try:
            head = json.loads(file.readline())
        except ValueError:
            return
    if isinstance(head, dict) and head.get("token") == token:
        confirm(path, seen_at)


def write_snapshot(path: Path, platform: str, snapshot: LastGood) -> None:
    """Replace the file as a whole, readable and writable by its owner only. Raises OSError."""
    lines = [json.dumps(snapshot.settings), *map(_line, snapshot.streams.values())]
    body = "".join(f"{line}\n" for line in lines).encode()
    head = {
        "version": VERSION,
        "platform": platform,
        "token": snapshot.token,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(json.dumps(head).encode() + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Prevent other shards and commands from changing the snapshot. Raises OSError, also after LOCK_SECONDS."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_uid != os.geteuid():
        # Else a command that root runs by hand would take the file away from Airflow's user.
        raise PermissionError(f"{path} belongs to another user")
    with path.with_suffix(".lock").open("w") as lock:
        give_up = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
        yield


class LastGoodMissing(StreamFactoryError):
    """There is no last-good snapshot of the platform here.

    Run the command where the dag-processor runs, or set DAGFACTORY_SNAPSHOT_DIR to its folder.
    """

    code = "DF2201"

    def __init__(self, path: Path) -> None:
        self.path = path
        todo = f"Run this where the dag-processor runs, or set {SNAPSHOT_DIR_VARIABLE} to its folder"
        super().__init__(str(path), "there is no snapshot", todo)


class LastGoodUnusable(StreamFactoryError):
    """The last-good snapshot of a platform is broken, or others than Airflow's user may change it.

    Remove it; the next parse that reaches the merge store writes a new one.
    """

    code = "DF2202"

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        super().__init__(str(path), what, "Remove it; the next parse that reaches the merge store writes a new one")


class StreamNotGone(StreamFactoryError):
    """A stream should be forgotten, but its row exists.

    Choose one of those that dagfactory platform last-good shows as gone.
    """

    code = "DF2203"

    def __init__(self, platform: str, stream_key: str) -> None:
        self.platform, self.stream_key = platform, stream_key
        todo = f"See dagfactory platform last-good --platform {platform}"
        super().__init__(stream_key, "it is no stream whose row is gone", todo)


def snapshot_here(path: Path, platform: str) -> LastGood:
    """Return the snapshot, for commands. Raises StreamFactoryError if there is no usable one."""
    found = read_snapshot(path, platform)
    if found is None:
        raise LastGoodMissing(path)
    return found


def forget_streams(platform: str, path: Path, stream_keys: frozenset[str] | None = None) -> list[str]:
    """Forget streams of which the row is gone, all or the named ones; return them.

    Raises StreamFactoryError, with nothing changed, if a named one is not gone or the snapshot is not ours.
    """
    snapshot_here(path, platform)
    try:
        with writing(path):
            snapshot = snapshot_here(path, platform)
            forgotten = frozenset(snapshot.gone) if stream_keys is None else stream_keys
            if wrong := forgotten - frozenset(snapshot.gone):
                raise StreamNotGone(platform, sorted(wrong)[0])
            if forgotten:
                left = {key: stream for key, stream in snapshot.streams.items() if key not in forgotten}
                write_snapshot(path, platform, replace(snapshot, streams=left))
                confirm(path, snapshot.confirmed_at)
                forgotten_file(path).write_text("".join(f"{key}\n" for key in sorted(forgotten)), "utf-8")
            return sorted(forgotten)
    except OSError as error:
        raise FileUnwritable(path, error, "Run this as the user of the dag-processor", "changed") from error


def forgotten_file(path: Path) -> Path:
    """Return the file that lists the streams that were forgotten last, for the bundle."""
    return path.with_suffix(".forgotten")


def usable_snapshot(path: Path, platform: str) -> LastGood | None:
    """Return the snapshot; None, with a warning, if it cannot be used."""
    try:
        return read_snapshot(path, platform)
    except StreamFactoryError as error:
        log.warning("%s: the last-good snapshot is not used: %s", names.stream_table(platform), error)
        return None


def _line(stream: KnownStream) -> str:
    good: object = SAME if stream.good is not None and stream.good == stream.row else stream.good
    return json.dumps([stream.stream_key, stream.row, good])


def _stream(line: str) -> KnownStream:
    key, row, good = json.loads(line)
    current = None if row is None else Row(*map(_text, row))
    if good == SAME:
        return KnownStream(_text(key), current, current)
    return KnownStream(_text(key), current, None if good is None else Row(*map(_text, good)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
