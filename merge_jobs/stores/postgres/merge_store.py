"""The session on the merge store: the stream's lock, and statements run under their names; one that commits nothing."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model.sql_types import BUILT_IN_TYPES, base_type
from config_schema.sql.locks import lock_number, stream_lock
from merge_jobs.database.connections import (
    ConnectionInfo,
    connect,
    connecting,
    keep_waiting,
)
from merge_jobs.database.pooling import check_may_lock, release
from merge_jobs.database.together import Lookup, Rows, in_step
from merge_jobs.errors import BatchLost, StreamBusy, TypeOfAnother
from merge_jobs.process.progress import Progress
from merge_jobs.sql import Query, execute
from merge_jobs.stream import Stream

LOCK_SECONDS = 60  # for a lock on a merge table
POLL_SECONDS = 0.2
END_SECONDS = 1.0  # for the server to end a session whose client has gone; a lock of it stands until then


class MergeStore:
    """One session on the merge store of a stream. Used as a context it is closed at the end, with a rollback."""

    def __init__(self, place: ConnectionInfo, stream: Stream, run_id: str, lock_seconds: int = LOCK_SECONDS) -> None:
        self.place, self.stream, self.run_id = place, stream, run_id
        self.progress = Progress()
        self.where = f"merge store {place}"
        title = names.merge_session(stream.platform_name, stream.key, run_id)
        self._title = title
        self.known_types: set[str] = set()  # of the model, as it writes them
        self._types: dict[str, tuple[str | None, str | None]] = {}
        self.session = connect(place, title, self.where, lock_seconds)
        self.session.expect_tables(place.schema, _tables_of(stream))
        self._lock_number = stream_lock(place.schema, stream.platform_name, stream.key)

    def run(self, name: str, values: Mapping[str, Any] | None = None, **parts: sql.Composable) -> Cursor:
        """Run the statement `file.name`. Raises psycopg2.Error, which the edge of the job translates."""
        cursor = self.session.cursor()
        execute(cursor, name, parts, values or {})
        return cursor

    def value(self, name: str, values: Mapping[str, Any] | None = None, **parts: sql.Composable) -> Any:
        """Return the first column of the first row of a statement."""
        row = self.run(name, values, **parts).fetchone()
        return None if row is None else row[0]

    def together(self, queries: Sequence[Query]) -> list[Rows]:
        """Run queries in one message, and return the rows of each; times are texts."""
        return self.session.together(queries)

    def later(self, name: str, values: Mapping[str, Any] | None = None, **parts: sql.Composable) -> None:
        """Run the statement `file.name` in the message of the next one: nobody waits for what it does."""
        self.session.later(Query(name, values or {}, parts))

    def type_text(self, text: str) -> sql.SQL:
        """Return a type of the model as a statement must name it: a type of an extension with its schema."""
        schema = self._of_type(text)[0]
        return sql.SQL(text if schema is None else f"{schema}.{text}")

    def equals(self, text: str) -> sql.SQL:
        """Return the operator that compares two values of a key of the model's type."""
        schema = self._of_type(text)[1]
        return sql.SQL("=" if schema is None else f"OPERATOR({schema}.=)")

    def _of_type(self, text: str) -> tuple[str | None, str | None]:
        """Return the quoted schemas of a type and of its equality operator; None for pg_catalog.

        Raises TypeOfAnother for a type that somebody has made whom the login has no reason to trust.
        """
        if base_type(text) in BUILT_IN_TYPES:
            return None, None
        if text not in self._types:
            # By the search_path of the role, as the model's author sees it: the session's own is pinned.
            found = self.value("dataset.type_in_sight", {"type": text})
            self.run("session.names_of_postgresql")
            row = self.run("dataset.schemas_of_type", {"type": found, "text": text}).fetchone()
            if row is not None and not row[2]:
                raise TypeOfAnother(self.where, text)
            self._types[text] = (None, None) if row is None else (row[0], row[1])
        return self._types[text]

    def table(self, name: str) -> sql.Identifier:
        """Return a table of the merge store's schema."""
        return sql.Identifier(self.place.schema, name)

    def commit(self) -> None:
        """Commit the transaction."""
        self.session.commit()

    def commit_with_next(self) -> None:
        """Commit the transaction in the message of the next statement, which must come soon."""
        self.session.commit_with_next()

    def rollback(self) -> None:
        """Roll the transaction back."""
        self.session.rollback()

    def lock_stream(self, wait: float, looks: Callable[[], Sequence[Lookup[Any]]] = tuple) -> list[Any]:
        """Lock the stream until the session ends, and return what the looks find once it is locked.

        Raises StreamBusy naming the holder after `wait` seconds, and PoolingRefused if a pooler in between keeps no
        server process for the session.
        """
        if self.session.pooled:
            self._check_pool()
        give_up = time.monotonic() + max(wait, END_SECONDS)
        while True:
            self.later("batches.take_lock", {"lock": self._lock_number})
            is_held, *found = in_step([self._finding_lock(), *looks()], self.together)
            if is_held:
                break
            self.commit()
            if time.monotonic() >= give_up:
                raise self._busy()
            time.sleep(POLL_SECONDS)
        assert self.session.verified is not None
        self.session.locked_to = self.session.verified.backend
        if self.session.pooled:  # what it gives the next transaction tells whether the lock is still ours
            self.commit()
        return found

    def _finding_lock(self) -> Lookup[bool]:
        (((is_held,),),) = yield [Query("batches.lock_is_held", {"lock": self._lock_number})]
        return bool(is_held)

    def checking_lock(self) -> Lookup[None]:
        """Look whether the session still holds the stream's lock. Raises BatchLost if not."""
        if not (yield from self._finding_lock()):
            raise BatchLost(
                self.where,
                "the session no longer holds the stream's lock",
                "Connect to the server itself, not through a proxy that pools transactions",
            )

    def close(self) -> None:
        """Release the stream's lock if a pooler would keep it, and close the session."""
        if self.session.pooled and self.session.locked_to is not None and not self.session.closed:
            # Where the pooler does not reset a session that has ended, its lock would stay.
            with contextlib.suppress(psycopg2.Error, StreamFactoryError):
                self.session.rollback()
                release(self.session, self.session.locked_to, self._lock_number)
        self.session.close()

    def _check_pool(self) -> None:
        probe = lock_number(f"probe {uuid.uuid4()}")
        sslmode = self.session.info.dsn_parameters["sslmode"]
        check_may_lock(self.session, lambda: connecting(self.place, self._title, sslmode), probe)
        backend = self.session.verified.backend if self.session.verified else 0
        if not keep_waiting(self.session, backend):
            raise BatchLost(self.where, "the pooler has changed the server process", "Try again")

    def __enter__(self) -> MergeStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _busy(self) -> StreamBusy:
        row = self.run("batches.lock_holder", {"lock": self._lock_number}).fetchone()
        self.commit()
        # The holder's session is named after its run.
        holder = "another job" if row is None else f"pid {row[0]} ({row[1] or 'its name is not ours to see'})"
        return StreamBusy(f"{self.stream}", holder)


def _tables_of(stream: Stream) -> list[str]:
    """Return the tables of the platform and of the stream's datasets that a batch comes to, where they are there."""
    platform, store = stream.platform_name, stream.store.name
    kinds = (
        *(names.batch_counter_table, names.batch_metrics_table, names.rejected_keys_table, names.row_maps_table),
        *(names.erased_keys_table, names.erasure_salt_table, names.files_read_table),
        *(names.run_results_table, names.schema_version_table),
    )
    of_datasets = (kind(platform, store, one.name) for one in stream.datasets for kind in _KINDS)
    return [*(kind(platform) for kind in kinds), *of_datasets]


_KINDS = (names.merge_table, names.row_map_table, names.staging_table, names.row_map_staging_table)


class DryRunStore(MergeStore):
    """A merge store in which every commit is a savepoint; the end of the session rolls all of it back."""

    _has_savepoint = False

    def commit(self) -> None:
        """Keep what was done so far, within the transaction."""
        if self._has_savepoint:  # those of one name would pile up, each a subtransaction more
            self._execute("RELEASE SAVEPOINT dry_run")
        self._execute("SAVEPOINT dry_run")
        self._has_savepoint = True

    def commit_with_next(self) -> None:
        """Keep what was done so far, within the transaction."""
        self.commit()

    def rollback(self) -> None:
        """Go back to where the last commit would have been."""
        self.session.drop_waiting()
        if self._has_savepoint:
            self._execute("ROLLBACK TO SAVEPOINT dry_run")
        else:
            super().rollback()

    def _execute(self, statement: str) -> None:
        with self.session.cursor() as cursor:
            cursor.execute(statement)
