"""The streams as the factory last knew them: what a parse goes by when rows are away, gone or broken."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from airflow_plugin.rows.reading import TableRow


class Row(NamedTuple):
    """What a row says of its stream."""

    status: str
    config_json: str


@dataclass(frozen=True)
class KnownStream:
    """A stream that is not retired: its row, None where that is gone, and the row that last made a DAG."""

    stream_key: str
    row: Row | None
    good: Row | None = None


@dataclass(frozen=True)
class LastGood:
    """The streams by stream_key; `confirmed_at` (Unix seconds) is when the table was last seen to be so.

    `settings` is the text of the settings that the streams were judged by; empty where there were none.
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
        """Return by how many seconds the snapshot is stamped ahead of the clock: it was set back since, or is wrong."""
        return max(0.0, self.confirmed_at - time.time())

    def is_younger_than(self, seconds: float) -> bool:
        """Return whether the table was seen within the last `seconds`; nobody knows for one stamped ahead."""
        return not self.ahead and self.age < seconds

    @property
    def gone(self) -> list[str]:
        """The streams whose rows are not there any more, though they were never retired."""
        return [key for key, stream in self.streams.items() if stream.row is None]


def updated_streams(known: Mapping[str, KnownStream], rows: Iterable[TableRow]) -> dict[str, KnownStream]:
    """Return the streams of the rows; one whose row is gone without being retired stays, without a row."""
    found: dict[str, KnownStream] = {}
    retired = set()
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
    """Return what to keep: what was `seen`, with what this shard and the other shards found good."""
    others = current.streams if current else {}
    streams = {
        key: own.get(key) or (replace(stream, good=others[key].good) if key in others else stream)
        for key, stream in seen.streams.items()
    }
    return replace(seen, streams=streams)
