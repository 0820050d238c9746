"""The change feed of a stream: a replication slot of its producer, whose log tells which keys may have changed.

The log is a hint only. Rows are read in the batch's snapshot, so a key too many costs one look, and no key may be
missed. In the order of a batch: `look` before its snapshot; `decode` in it, up to where the log had come after it, so
that all that the snapshot sees has been read; `advance` after its commit, never past a transaction that the snapshot
did not see.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import sql

from config_schema.model import ChangeFeed, Dataset
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.database.session import Session, SessionSide
from merge_jobs.database.together import Rows
from merge_jobs.database_errors import source_failed
from merge_jobs.errors import ConnectFailed, DatabaseFailed
from merge_jobs.process import shutdown
from merge_jobs.sources.postgres.pgoutput import Decoded, Keys, MessageReader
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.sql import Query, composed, execute

log = logging.getLogger(__name__)

PLUGIN = "pgoutput"
LOCK_SECONDS = 10
FIRST_VERSION = 150000  # of PostgreSQL: publications with schemas, row filters and column lists
MOST_MESSAGES = 2_000_000  # of one batch; the next one goes on from there
MOST_KEY_BYTES = 32 << 20
SETTLE_SECONDS = 2.0  # for the transactions that ran when the slot was looked at
POLL_SECONDS = 0.05
WRAP = 1 << 32
MEGABYTE = 1 << 20
OTHER_LEVELS = ("minimal", "replica")
INVALIDATED = ("wal_removed", "rows_removed", "wal_level_insufficient", "idle_timeout")
LEFT_BEHIND = 16 * MEGABYTE  # of log that the slot may hold back after batches without changes


@dataclass(frozen=True)
class Slot:
    """A replication slot: its position in bytes of the log, and how many it holds back; `wrong` if it cannot be used.

    `server` is another one after a restart: a server that was promoted or restored has another log.
    """

    name: str
    position: int
    held_back: int
    server: str = ""
    wrong: str | None = None
    is_there: bool = True


@dataclass(frozen=True)
class PublishedTable:
    """A dataset's table as the batch's snapshot has it, and what of it is published.

    `facts` are what must not have changed while the feed is followed; `wrong` says why it cannot be followed.
    """

    oid: int = 0
    facts: Sequence[Any] = ()
    wrong: str | None = None


@dataclass(frozen=True)
class FeedKeys:
    """What the log has up to a batch's snapshot: keys by table, and how far the slot may advance.

    `wrong` says why it has said nothing.
    """

    tables: Mapping[int, Keys]
    advance: int
    wrong: str | None = None

    def doubt(self, oid: int) -> str | None:
        """Return why the keys of a table may not be all; None if they are."""
        return self.wrong or self.tables[oid].doubt


@dataclass(frozen=True)
class Snapshot:
    """What a batch sees: transactions before `least`, and others before `most` that were not `running`.

    `log` is how far the log had come when the snapshot had been taken, on this `server`.
    """

    least: int
    most: int
    running: frozenset[int]
    log: int
    server: str

    def sees(self, transaction: int) -> bool:
        """Return whether a transaction that has committed is visible."""
        return transaction < self.least or (transaction < self.most and transaction not in self.running)


class FeedSession:
    """A session beside the batch's own, in which the log is decoded. It is opened when it is needed first."""

    def __init__(
        self, place: ConnectionInfo, feed: ChangeFeed, slot: str, application_name: str, *, may_drop: bool = True
    ) -> None:
        self.place, self.feed, self.slot, self.may_drop = place, feed, slot, may_drop
        self.where = f"source {place}: change feed"
        self._name = application_name
        self._seen = 0  # how far the log was when it was looked at last
        self._open: Session | None = None

    @property
    def _session(self) -> Session:
        if self._open is None or self._open.closed:
            try:
                self._open = connect(self.place, self._name, self.where, LOCK_SECONDS, SessionSide.PRODUCER)
            except ConnectFailed as error:
                error.said = error.from_server
                raise
        return self._open

    def close(self) -> None:
        """Close the session."""
        if self._open is not None:
            self._open.close()

    def cancel(self) -> None:
        """Cancel what runs, from another thread."""
        if self._open is not None:
            with contextlib.suppress(psycopg2.Error):
                self._open.cancel()

    def look(self) -> Slot:
        """Look at the slot, and drop it if it holds back more of the log than it may. Before the batch's snapshot."""
        try:
            return self._looked()
        except DatabaseFailed as error:
            shutdown.check()
            self._reset()
            return self._unfit(f"the slot cannot be looked at: {error.what}")

    def _looked(self) -> Slot:
        with self._words():
            if self._session.server_version < FIRST_VERSION:
                return self._unfit("the source is older than PostgreSQL 15")
            looks = [Query("change_feed.server"), Query("change_feed.slot", {"slot": self.slot})]
            (about,), ((found, position, held),) = self._session.together(looks)
            self._session.rollback()
        in_recovery, level, database, replicates, *_, server = about
        if in_recovery:
            return self._unfit("the source is a standby")
        if level != "logical":
            return self._unfit(f"wal_level of the source is {level if level in OTHER_LEVELS else 'not logical'}")
        if not replicates:
            return self._unfit("the job's user has no REPLICATION")
        if found is None:
            return self._unfit(f"there is no slot {self.slot}", is_there=False)
        wrong = _slot_wrong(self.slot, found, database)
        if wrong is None and held > self.feed.max_wal * MEGABYTE and self.may_drop:
            wrong = f"the slot held back {held // MEGABYTE} MB of WAL, more than max_wal, and was dropped"
            log.error("%s: %s: run merge-job feed create when the stream keeps up again", self.where, wrong)
            self.drop()
            return self._unfit(wrong, is_there=False)
        return Slot(self.slot, position or 0, held, server, wrong)

    def _unfit(self, wrong: str, *, is_there: bool = True) -> Slot:
        return Slot(self.slot, 0, 0, wrong=wrong, is_there=is_there)

    def own_transaction(self) -> int:
        """Return the number of a transaction that began after all that stand in the log now."""
        with self._words():
            (((number,),),) = self._session.together([Query("change_feed.own_transaction")])
            self._session.rollback()
            return int(number)

    def settle(self, transaction: int) -> None:
        """Wait a while for all transactions before the one of this number.

        A commit may stand in the log, before the slot's position, a moment before a snapshot sees it, and longer
        where a standby is waited for. So a batch that is the first to trust the slot's position must see all of them.
        """
        give_up = time.monotonic() + SETTLE_SECONDS
        while self._oldest_running() < transaction and time.monotonic() < give_up:
            shutdown.pause(POLL_SECONDS)
            shutdown.check()

    def _oldest_running(self) -> int:
        with self._words():
            (((oldest,),),) = self._session.together([Query("change_feed.oldest_running")])
            self._session.rollback()
            return int(oldest)

    def decode(self, slot: Slot, snapshot: Snapshot, tables: Mapping[int, Keys]) -> FeedKeys:
        """Read the log from the slot's position as far as the snapshot may see, and return which keys may have changed.

        What keeps the log from being read is a reason not to use the feed, and no error.
        """
        reader, self._seen = MessageReader(tables), snapshot.log
        try:
            self._wait_for_flush(snapshot.log)
            parts: dict[str, sql.Composable] = {
                "slot": sql.Literal(self.slot),
                "upto": sql.Literal(lsn(snapshot.log)),
                "most": sql.Literal(MOST_MESSAGES),
                "publication": sql.Literal(self.feed.publication),
            }
            with self._words():
                with self._session.cursor() as cursor:
                    cursor.copy_expert(composed("change_feed.peek", parts, {}), reader)
                (((_, position, _),),) = self._session.together([Query("change_feed.slot", {"slot": self.slot})])
                self._session.rollback()
        except DatabaseFailed as error:
            shutdown.check()
            self._reset()
            return FeedKeys(tables, 0, f"the slot cannot be read: {error.what}")
        if reader.wrong is not None:
            return FeedKeys(tables, 0, reader.wrong)
        if position != slot.position:
            return FeedKeys(tables, 0, "somebody else has advanced the slot meanwhile")
        return _judged(reader, snapshot)

    def _wait_for_flush(self, position: int) -> None:
        """Let the server write its log up to a position: decoding reads what is written only."""
        with self._words():
            if self._flushed() < position:
                with self._session.cursor() as cursor:
                    execute(cursor, "change_feed.flush", {}, {})
                self._session.commit()

    def _flushed(self) -> int:
        (((position,),),) = self._session.together([Query("change_feed.flushed")])
        return int(position)

    def has_news(self, slot: Slot) -> bool:
        """Return whether the log has something for a batch since the slot's position, or too much of it is held back.

        While nobody writes, this is a look at the log's end. Doubt is left to the batch.
        """
        try:
            with self._words():
                end, seen = self._flushed(), self._seen
                self._seen = end
                if end > seen and end - slot.position <= LEFT_BEHIND:
                    values = {"slot": self.slot, "publication": self.feed.publication}
                    (((found,),),) = self._session.together([Query("change_feed.has_news", values)])
                    self._session.rollback()
                    return bool(found)
                self._session.rollback()
                return end > seen
        except DatabaseFailed:
            self._reset()
            return True

    def advance(self, position: int) -> None:
        """Let the server forget the log up to a position. After the batch's commit; an error is only logged."""
        try:
            with self._words():
                self._run("change_feed.advance", {"slot": self.slot, "upto": lsn(position)})
                self._session.commit()
        except DatabaseFailed as error:
            self._reset()
            log.warning("%s: the slot is not advanced: the next batch reads the same again: %s", self.where, error)

    def has_room(self) -> bool:
        """Return whether the source has room for a slot more."""
        with self._words():
            ((*_, most, number, _),) = self._session.together([Query("change_feed.server")])[0]
            self._session.rollback()
            return bool(number < most)

    def create(self) -> None:
        """Create the slot; the server waits for all transactions that are running. Raises DatabaseFailed."""
        with self._words():
            self._run("change_feed.create_slot", {"slot": self.slot})
            self._session.commit()

    def drop(self) -> None:
        """Drop the slot. Raises DatabaseFailed if it is in use, or is not there."""
        with self._words():
            self._run("change_feed.drop_slot", {"slot": self.slot})
            self._session.commit()

    def _run(self, name: str, values: Mapping[str, Any]) -> None:
        with self._session.cursor() as cursor:
            execute(cursor, name, {}, values)

    def _reset(self) -> None:
        if self._open is not None and not self._open.closed:
            with contextlib.suppress(psycopg2.Error):
                self._open.rollback()

    @contextlib.contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            raise source_failed(error, self.where) from None

    def __enter__(self) -> FeedSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _slot_wrong(name: str, found: Mapping[str, Any], database: str) -> str | None:
    """Return why a slot is none to follow; None if it is one. What the server says is repeated where it is known."""
    if found["plugin"] != PLUGIN or found["database"] != database:
        return f"the slot {name} is one of another plugin or database"
    if found.get("two_phase"):
        return f"the slot {name} decodes prepared transactions"
    if found.get("wal_status") == "lost" or found.get("invalidation_reason") or found.get("conflicting"):
        reason = found.get("invalidation_reason")
        why = reason if reason in INVALIDATED else "its WAL was removed" if not reason else "it says why itself"
        return f"the source has invalidated the slot {name}: {why}"
    if found["active"]:
        return f"another session uses the slot {name}"
    return None


def _judged(reader: MessageReader, snapshot: Snapshot) -> FeedKeys:
    """Return what the log says, and how far the slot may advance with this snapshot."""
    all_read = reader.messages < MOST_MESSAGES
    advance = snapshot.log if all_read else 0
    end = 0
    for one in reader.transactions:
        if not snapshot.sees(_in_full(one, snapshot.most)):
            advance = end
            break
        end = one.end
    else:
        advance = advance or end
    wrong = None if all_read else f"the log has more than {MOST_MESSAGES} changes since the last batch"
    return FeedKeys(reader.tables, advance, wrong)


def _in_full(one: Decoded, near: int) -> int:
    """Return a transaction's number in 64 bits: of those that its 32 bits can mean, the nearest to `near`."""
    return near + (one.transaction - near + WRAP // 2) % WRAP - WRAP // 2


def reading_snapshot(source: PostgresSource) -> Snapshot:
    """Return what the source's transaction sees, and how far the log has come."""
    ((text, position, server),) = source.rows("change_feed.snapshot")
    least, most, running = text.split(":")
    seen = frozenset(int(one) for one in running.split(",") if one)
    return Snapshot(int(least), int(most), seen, int(position or 0), server)


def table_query(source: PostgresSource, dataset: Dataset, publication: str) -> Query:
    """Return the query for a dataset's table and what of it is published; see `published_table`."""
    return Query("change_feed.tables", {**source.named(dataset), "publication": publication})


def published_table(rows: Rows, dataset: Dataset, publication: str) -> PublishedTable:
    """Return what the rows of `table_query` say."""
    if not rows:
        return PublishedTable(wrong="the table is not there")
    oid, kind, identity, of_index, is_there, all_kinds, filtered, listed, published, itself, facts = rows[0]
    key = list(dataset.primary_key)
    wrong = None
    if kind != "r":
        wrong = "the table is no ordinary one"
    elif not is_there:
        wrong = f"there is no publication {publication!r}"
    elif not published:
        wrong = f"the publication {publication!r} does not contain the table"
    elif not itself:
        wrong = f"the publication {publication!r} contains the table as a partition only"
    elif not all_kinds:
        wrong = f"the publication {publication!r} leaves out inserts, updates or deletes"
    elif filtered:
        wrong = f"the publication {publication!r} has a row filter for the table"
    elif listed is not None and not set(key) <= set(listed):
        wrong = f"the publication {publication!r} leaves out columns of the key"
    elif identity != "f" and not set(key) <= set(of_index or ()):
        wrong = (
            "the table has no replica identity: the source refuses updates and deletes of what is published without one"
            if of_index is None
            else "the table's replica identity does not contain the key"
        )
    return PublishedTable(oid, facts, wrong)


def keys_of(dataset: Dataset) -> Keys:
    """Return an empty set for the keys of a dataset."""
    return Keys(dataset.primary_key, MOST_KEY_BYTES)


def lsn(position: int) -> str:
    """Return a position in the log as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def array_text(values: Sequence[str]) -> str:
    """Return a text that PostgreSQL reads as an array of these texts."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
