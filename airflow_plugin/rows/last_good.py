"""The last known state of the streams: what a parse uses if rows cannot be read, are gone or broken."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from airflow_plugin.rows.reading import TableRow


class Row(NamedTuple):
    """The content of a stream's row."""

    status: str
    config_json: str


@dataclass(frozen=True)
class KnownStream:
    """A stream that is not retired: its row (None if it is gone), and the row that last made a DAG."""

    stream_key: str
    row: Row | None
    good: Row | None = None


@dataclass(frozen=True)
class LastGood:
    """The streams by stream_key; `confirmed_at` (Unix seconds) is when the table last had this state.

    `settings` is the text of the settings by which the streams were evaluated; empty if there were none.
    """

    token: str
    streams: Mapping[str, KnownStream]
    confirmed_at: float = 0.0
    settings: str = ""
    head: bytes = field(default=b"", compare=False)  # the first line of the file that it was read from

    @property
    def age(self) -> float:
        """Return the seconds since the table was last seen; 0 for a snapshot that is stamped ahead of the clock."""
        return max(0.0, time.time() - self.confirmed_at)

    @property
    def ahead(self) -> float:
        """Return by how many seconds the stamp is ahead of the clock: the clock was set back, or is wrong."""
        return max(0.0, self.confirmed_at - time.time())

    def is_younger_than(self, seconds: float) -> bool:
        """Return whether the table was seen within the last `seconds`; False for a stamp ahead of the clock."""
        return not self.ahead and self.age < seconds

    @property
    def gone(self) -> list[str]:
        """The streams of which the row is gone, though they were never retired."""
        return [key for key, stream in self.streams.items() if stream.row is None]


def updated_streams(
    known: Mapping[str, KnownStream], rows: Iterable[TableRow], purged: Collection[str] = ()
) -> dict[str, KnownStream]:
    """Return the streams of the rows; a stream stays, without a row, if its row is gone but it was not retired.

    `purged` are streams that had been retired before their rows were deleted.
    """
    found: dict[str, KnownStream] = {}
    retired = set(purged)
    for key, status, config_json in rows:
        if status == "retired":
            retired.add(key)
        else:
            found[key] = KnownStream(key, Row(status, config_json), known[key].good if key in known else None)
    for key, stream in known.items():
        if key not in found and key not in retired:
            found[key] = KnownStream(key, None, stream.good or stream.row)
    return found


def merged(current: LastGood | None, seen: LastGood, own: Mapping[str, KnownStream]) -> LastGood:
    """Return the state to store: what was `seen`, with what this shard and the other shards found good."""
    others = current.streams if current else {}
    streams = {
        key: own.get(key) or (replace(stream, good=others[key].good) if key in others else stream)
        for key, stream in seen.streams.items()
    }
    return replace(seen, streams=streams)
