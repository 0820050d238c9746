"""A thread per platform that reads the control database, so that the dag-processor never waits for it.

The dag-processor asks for a look (`ask`) and takes what was seen (`take_seen`), however long a look takes.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from psycopg2.extensions import connection as Connection

from airflow_plugin.control.connection import fetch_on, open_within
from airflow_plugin.control.stream_changes import (
    Looked,
    all_query,
    changed_keys,
    changes_query,
    with_all,
    with_changes,
)
from airflow_plugin.rows.last_good_file import confirm_token
from airflow_plugin.settings import merge_store_dsn, platform_settings, snapshot_path
from config_schema import names
from config_schema.errors import StreamFactoryError

LOOK_SECONDS = 5.0  # as long as a parse waits for its rows
ALL_SECONDS = 60.0  # between looks at all rows, which also see what no trigger reported
ALL_SHARE = 0.05  # without a revision table every look is one: so much of the time at most
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)  # after looks that failed

log = logging.getLogger(__name__)


@dataclass
class SeenChanges:
    """What was seen since the last call: streams with changed rows, or all; and the current state.

    `looked` is the last look that succeeded, `trouble` the error of the last one that failed; both None before the
    first.
    """

    changed: set[str] = field(default_factory=set)
    looked: Looked | None = None
    trouble: StreamFactoryError | None = None

    @property
    def is_current(self) -> bool:
        """Return whether the last look succeeded."""
        return self.looked is not None and self.trouble is None


class Watch:
    """Looks at one platform (its name in the model) whenever it is asked to."""

    def __init__(self, original: str) -> None:
        self.original, self.platform = original, names.platform_name(original)
        self._state = threading.Condition()
        self._asked = self._answered = 0
        self._seen = SeenChanges()
        self._connection: Connection | None = None
        self._place: tuple[str, str] | None = None  # where the DSN is from, and the schema
        self._next_all = 0.0
        self._not_before = 0.0
        self._failures = 0
        self._thread: threading.Thread | None = None

    def ask(self) -> int:
        """Let the thread look; return the number of this request, for `wait`."""
        with self._state:
            if self._thread is None or not self._thread.is_alive():
                name = f"watch of {self.original}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._asked += 1
            self._state.notify_all()
            return self._asked

    def wait(self, wish: int, until: float) -> bool:
        """Wait until the request is answered, or the monotonic clock shows `until`; return whether it is answered."""
        with self._state:
            return self._state.wait_for(lambda: self._answered >= wish, max(0.0, until - time.monotonic()))

    def take_seen(self) -> SeenChanges:
        """Return what was seen since the last call."""
        with self._state:
            found = self._seen
            self._seen = SeenChanges(looked=found.looked, trouble=found.trouble)
            return found

    def _run(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._asked > self._answered)
                wish = self._asked
            if time.monotonic() >= self._not_before:
                self._look()
            with self._state:
                self._answered = wish
                self._state.notify_all()

    def _look(self) -> None:
        try:
            before, after = self._seen.looked, self._looked(self._seen.looked)
        except Exception as error:  # whatever it is, the next look may succeed
            self._close()
            self._failures += 1
            self._not_before = time.monotonic() + PAUSES[min(self._failures, len(PAUSES)) - 1]
            trouble = error if isinstance(error, StreamFactoryError) else LookFailed(self.platform, error)
            with self._state:
                self._seen.trouble = trouble
            return
        self._failures = 0
        changed = set(after.streams) if before is None else changed_keys(before, after)
        with self._state:
            self._seen.changed |= changed
            self._seen.looked, self._seen.trouble = after, None

    def _looked(self, known: Looked | None) -> Looked:
        """Return the streams as they are. Raises StreamFactoryError, and Airflow's errors of a connection."""
        connection, where, schema = self._open()
        began = time.monotonic()
        if known is not None and known.has_revisions and began < self._next_all:
            query, values = changes_query(self.platform, schema, known)
            rows = fetch_on(connection, where, query, values, seconds=LOOK_SECONDS)
            if (after := with_changes(known, rows)) is not None:
                return after
        query, values = all_query(self.platform, schema, known)
        after = with_all(known, fetch_on(connection, where, query, values, seconds=LOOK_SECONDS))
        now = time.monotonic()
        self._next_all = now + ALL_SECONDS
        if not after.has_revisions:
            self._not_before = now + (now - began) / ALL_SHARE
        self._confirm(after)
        return after

    def _open(self) -> tuple[Connection, str, str]:
        place = self._place
        if place is None:
            self._close()
        if self._connection is None or place is None:
            settings = platform_settings(self.original)
            dsn, where = merge_store_dsn(self.platform)
            self._connection = open_within(dsn, where, seconds=LOOK_SECONDS)
            self._place = place = (where, settings.merge_store_schema)
            self._next_all = 0.0  # another server may be there now
        return self._connection, *place

    def reopen(self) -> None:
        """Read the settings again before the next look."""
        with self._state:
            self._place = None

    def _confirm(self, seen: Looked) -> None:
        """Record in the last-good snapshot when the table was last seen like this: parses are rare."""
        with suppress(OSError):
            confirm_token(snapshot_path(self.platform), seen.token, time.time())

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None


class LookFailed(StreamFactoryError):
    """The bundle cannot check whether a stream table has changed, for an unexpected reason.

    See the dag-processor's log; it tries again soon.
    """

    code = "DF2303"
    retryable = True

    def __init__(self, platform: str, error: Exception) -> None:
        what = f"it cannot be looked at ({type(error).__name__})"
        super().__init__(names.stream_table(platform), what, "See the dag-processor's log")
        self.with_private(str(error))
