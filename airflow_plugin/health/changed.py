"""Asks Airflow to parse the files of changed rows, and waits until it has stored them.

By the API of the pages, which Airflow's api-server has: one request for 500 streams.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from airflow_plugin.airflow_api import AirflowClient, Unseen
from airflow_plugin.control.stream_table import RowChange
from airflow_plugin.rows.fingerprint import fingerprint_of_row
from config_schema.errors import StreamFactoryError

TOGETHER = 500  # streams in a request
POLL_SECONDS = 1.0
BLOCKED_SECONDS = 30.0  # after which nobody waits for what does not end by itself
SHOWN = 10  # streams in an error

Changed = Mapping[str, Mapping[str, str | None]]  # by platform (derived name) and stream_key: the row's fingerprint


class NotStored(StreamFactoryError):
    """The rows are written, but Airflow has not stored matching DAGs in time, or cannot.

    Do what the error says about each stream. The rows stay; Airflow shows them as soon as it has parsed their file.
    """

    code = "DF2501"
    retryable = True

    def __init__(self, where: str, unseen: Mapping[str, Unseen], seconds: float) -> None:
        self.unseen, self.seconds = dict(unseen), seconds
        reasons = [f"{key}: {one.what}" for key, one in sorted(unseen.items())[:SHOWN]]
        more = [f"and {len(unseen) - SHOWN} more"] if len(unseen) > SHOWN else []
        what = f"the rows are written, and {len(unseen)} of them not stored after {seconds:.0f} s"
        todos = list(dict.fromkeys(one.todo for one in unseen.values()))
        super().__init__(where, f"{what} ({'; '.join([*reasons, *more])})", "; ".join(todos[:3]))


@dataclass
class SeenReport:
    """What was found of changed streams: those not stored, by `platform/stream_key`, and what became of the asking."""

    unseen: dict[str, Unseen] = field(default_factory=dict)
    left: dict[str, dict[str, str | None]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    notes: set[str] = field(default_factory=set)


def changed_rows(changes: Iterable[RowChange]) -> dict[str, str | None]:
    """Return the fingerprints of rows that were written, by stream_key."""
    return {one.stream_key: fingerprint_of_row(one.status, one.config_json) for one in changes}


def look(api: AirflowClient, changed: Changed, *, ask: bool) -> SeenReport:
    """Ask which changed streams are not stored yet, and with `ask` have their files parsed.

    Raises StreamFactoryError.
    """
    found = SeenReport()
    for platform, some in _requests(changed):
        seen = api.seen(platform, some, ask=ask)
        found.files |= set(seen.files)
        found.notes |= {seen.note} if seen.note else set()
        found.unseen |= {f"{platform}/{key}": one for key, one in seen.unseen.items()}
        if seen.unseen:
            found.left.setdefault(platform, {}).update({key: some[key] for key in seen.unseen})
    return found


def wait_until_stored(
    api: AirflowClient, changed: Changed, seconds: float, report: Callable[[SeenReport], None]
) -> float:
    """Have the files of changed streams parsed, and wait until Airflow has stored them; return how long that took.

    `report` gets each look. Raises NotStored after so many seconds, or sooner where no stream left can come by itself;
    and what the API raises, if it does not answer in all that time.
    """
    began = unblocked_at = time.monotonic()
    left, asks = changed, True
    while True:
        failure: StreamFactoryError | None = None
        try:
            found = look(api, left, ask=asks)
        except StreamFactoryError as error:
            if not error.retryable:
                raise
            failure, unblocked_at = (
                error,
                time.monotonic(),
            )  # nobody knows whether streams are blocked while it does not answer
        else:
            report(found)
            if not found.unseen:
                return time.monotonic() - began
            left, asks = found.left, False
            if not all(one.is_blocked for one in found.unseen.values()):
                unblocked_at = time.monotonic()
        now = time.monotonic()
        if now - began >= seconds or now - unblocked_at >= BLOCKED_SECONDS:
            raise failure or NotStored(f"Airflow at {api.url}", found.unseen, now - began)
        time.sleep(min(POLL_SECONDS, began + seconds - now))


def _requests(changed: Changed) -> Iterator[tuple[str, dict[str, str | None]]]:
    for platform, streams in changed.items():
        keys = list(streams)
        for start in range(0, len(keys), TOGETHER):
            yield platform, {key: streams[key] for key in keys[start : start + TOGETHER]}
