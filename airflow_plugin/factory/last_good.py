"""The streams as the factory last knew them, kept in a file: what a parse goes by when rows are away, gone or broken.

One file holds the whole table, whatever the shard: a first line with the checksum of the others, a line with the
platform's settings, then a line for each stream. It
belongs to the user of the dag-processor, is replaced whole, and its configs are checked like those of rows.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from airflow_plugin.factory.rows import TableRow
from config_schema.errors import StreamFactoryError

VERSION = 1
LOCK_SECONDS = 2.0  # another shard writes for some milliseconds
SAME = "same"


class Row(NamedTuple):
    """What a row says of its stream."""

    status: str
    config_json: str


@dataclass(frozen=True)
class Stream:
    """A stream that is not retired: its row, None where that is gone, and the row that last made a DAG."""

    stream_key: str
    row: Row | None
    good: Row | None = None


@dataclass(frozen=True)
class Snapshot:
    """The streams by stream_key; `confirmed_at` (Unix seconds) is when the table was last seen to be so.

    `settings` is the text of the settings that the streams were judged by; empty where there were none.
    """

    token: str
    streams: Mapping[str, Stream]
    confirmed_at: float = 0.0
    settings: str = ""
    head: bytes = field(default=b"", compare=False)  # the first line of the file that it was read from

    @property
    def age(self) -> float:
        """Seconds since the table was last seen."""
        return max(0.0, time.time() - self.confirmed_at)

    @property
    def gone(self) -> list[str]:
        """The streams whose rows are not there any more, though they were never retired."""
        return [key for key, stream in self.streams.items() if stream.row is None]


def brought_up_to_date(known: Mapping[str, Stream], rows: Iterable[TableRow]) -> dict[str, Stream]:
    """The streams that the rows tell of; one whose row is gone without having been retired stays, without a row."""
    found: dict[str, Stream] = {}
    retired = set()
    for key, status, config_json in rows:
        if status == "retired":
            retired.add(key)
        else:
            found[key] = Stream(key, Row(status, config_json), known[key].good if key in known else None)
    for key, stream in known.items():
        if key not in found and key not in retired:
            found[key] = Stream(key, None, stream.good or stream.row)
    return found


def read_snapshot(path: Path, platform: str) -> Snapshot | None:
    """The platform's snapshot; None if there is none yet.

    Raises StreamFactoryError for a file that is not whole, or that others than its owner may have written.
    """
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, f"it cannot be read ({error.strerror})") from error
    if state.st_uid not in (os.geteuid(), 0) or state.st_mode & 0o022:
        raise _unusable(path, "others than Airflow's user can have written it")
    first, _, body = content.partition(b"\n")
    try:
        head = json.loads(first)
        if (head["version"], head["platform"]) != (VERSION, platform):
            raise _unusable(path, "it is of another platform, or of another version of the plugin")
        if head["sha256"] != hashlib.sha256(body).hexdigest():
            raise _unusable(path, "it is not whole: its checksum is wrong")
        settings, *lines = body.decode().splitlines()
        streams = {stream.stream_key: stream for stream in map(_stream, lines)}
        return Snapshot(head["token"], streams, state.st_mtime, _text(json.loads(settings)), first)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise _unusable(path, "it is no snapshot") from error


def still_there(path: Path, snapshot: Snapshot) -> bool:
    """Whether the file is the one that the snapshot was read from: its first line has the checksum of all others."""
    try:
        with path.open("rb") as file:
            return snapshot.head != b"" and file.readline().rstrip(b"\n") == snapshot.head
    except OSError:
        return False


def confirm(path: Path, seen_at: float) -> None:
    """Note when (Unix seconds) the table was last seen to be what the snapshot holds."""
    os.utime(path, (seen_at, seen_at))


def write_snapshot(path: Path, platform: str, snapshot: Snapshot) -> None:
    """Replace the file whole, readable and writable by its owner only. Raises OSError."""
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
    """No other shard and no command changes the snapshot meanwhile. Raises OSError, also after LOCK_SECONDS."""
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


def merged(current: Snapshot | None, seen: Snapshot, own: Mapping[str, Stream]) -> Snapshot:
    """What is to be kept: what was `seen`, with what this shard found good, and for others what they found good."""
    others = current.streams if current else {}
    streams = {
        key: own.get(key) or (replace(stream, good=others[key].good) if key in others else stream)
        for key, stream in seen.streams.items()
    }
    return replace(seen, streams=streams)


def _line(stream: Stream) -> str:
    good: object = SAME if stream.good is not None and stream.good == stream.row else stream.good
    return json.dumps([stream.stream_key, stream.row, good])


def _stream(line: str) -> Stream:
    key, row, good = json.loads(line)
    current = None if row is None else Row(*map(_text, row))
    if good == SAME:
        return Stream(_text(key), current, current)
    return Stream(_text(key), current, None if good is None else Row(*map(_text, good)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _unusable(path: Path, what: str) -> StreamFactoryError:
    return StreamFactoryError(
        str(path), what, "Remove it; the next parse that reaches the merge store writes a new one"
    )
