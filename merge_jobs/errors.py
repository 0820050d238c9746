"""What can go wrong in a merge job, and how a database's error is reported without the values that it holds.

StreamFactoryError
 ├── CommandWrong         the command names what does not exist, or leaves out what is needed
 ├── DatabaseFailed       a database refused or went away; retryable by its SQLSTATE
 │    ├── ConnectFailed   no session came about
 │    └── ValuesRejected  values of the source that the model's types do not hold as they are
 ├── PoolingRefused       a pooler stands between, and shares server processes in a way that no batch can be sure of
 ├── SettingRefused       a transaction does not have the settings that a batch relies on
 ├── SourceMismatch       the source lacks a table or a column that the model has
 ├── SourceBehind         the source has an older state than the last batch read (retryable for a standby that lags)
 ├── StoreMismatch        a merge table is not this stream's, or does not fit the model
 ├── MapWrong             a row map does not tell what the source has (retryable: the next batch is full)
 ├── KeysRejected         the source has duplicate or NULL keys
 ├── TooManyDeletes       the source has lost more of its rows than is believable
 ├── QualityFailed        rows that the batch brings break a quality check of severity fail
 ├── BatchCommitted       a committed batch is not reset
 ├── TooManyLocks         a server has no room for the locks of a batch
 ├── TablesHeld           other sessions read every table of a kind that earlier batches left (retryable)
 ├── StreamBusy           another job holds the stream (retryable)
 ├── BatchLost            the batch is no longer this job's to commit (retryable)
 └── Ended                the job was asked to end by a signal (retryable)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import errorcodes

from config_schema.errors import StreamFactoryError
from config_schema.model import Dataset
from config_schema.printable import printable
from config_schema.result import QualityResult
from config_schema.sql.postgres_errors import connect_failure, of_session, retry_can_help
from merge_jobs.misfit import Reason

# Classes of SQLSTATE whose primary message names objects and settings, never a row's value.
SAFE_CLASSES = frozenset(
    ["08", "0A", "25", "26", "28", "2B", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55", "57", "58", "F0"]
)
TODO = {
    "08": "Check that the server is up and can be reached",
    "22": "A value does not fit its column: compare the column types of the model with the source",
    "23": "Compare the model with the source",
    "25": "The server takes no writes at the moment",
    "28": "Check user name and password in the secret",
    "3D": "Check the name of the database in the model",
    "3F": "Check the name of the schema in the model, or create it",
    "40": "Another transaction was in the way: try again",
    "53": "The server is short of disk, memory or connections",
    "54": "The server's limits are reached: see the limits of PostgreSQL in its manual",
    "54000": "A row or a key may be larger than PostgreSQL holds in a table that has columns of ours too: leave "
    "columns out of the model, or read the table through views",
    "55": "The object is not in a state for that: see the message",
    "55006": "Another session uses the object: try again",
    "55P03": "A lock is held by another session, for instance by ALTER TABLE or TRUNCATE: try again",
    "57": "The server ended the session or the statement: try again",
    "58": "The server has trouble with its files: see its log",
    "42501": "Grant the right to the job's user",
}
# What libpq says when the process may not grow; the connection is then lost to it.
OUT_OF_MEMORY = ("cannot allocate memory for", "out of memory")
# 53200 of the table of locks, which the server's hint tells, in whatever language.
LOCKS = "max_locks_per_transaction"
TODO_LOCKS = (
    "Its table of locks is full: raise max_locks_per_transaction on that server and restart it, or split the "
    "datastore: single_dataset makes a stream of each dataset"
)
# What a message of a producer's server is about: its text chooses among our words, and is not repeated.
OUR_WORDS = {
    "row-level security": "row-level security would hide rows from the job's user",
    "permission denied for": "the job's user lacks a right",
    "canceling statement due to lock timeout": "no lock within the lock timeout",
    "conflict with recovery": "conflict with recovery",
    "has not been populated": "a materialized view has not been populated",
    "row is too big": "a row is too big for a page",
}
MOST_SAID = 2000  # characters of what a server said that are kept
TODO_DEFAULT = "See the log of the database server"
# By the beginning of the message, where one SQLSTATE stands for several things.
TODO_BY_MESSAGE = {
    "row is too big": (
        "A row of the source does not fit a page of the merge store (8 kB), where a forensic table has two columns "
        "more: leave columns out of the model, or split the table by views with the same key"
    ),
    "index row": (
        "A key is longer than an index holds (about 2700 bytes): choose another key, or read a view that shortens it"
    ),
}
# Of a standby: it had to go on with the log. The SQLSTATE is that of any transactions that meet.
RECOVERY = "conflict with recovery"
TODO_RECOVERY = (
    "The standby could not keep a snapshot for so long: try again. If it comes again, raise "
    "max_standby_streaming_delay, or set hot_standby_feedback, on the standby"
)


class CommandWrong(StreamFactoryError):
    """The command names what does not exist, or lacks what is needed."""


class DatabaseFailed(StreamFactoryError):
    """`said` is what the server said, where that is data: it goes to no log, only where people may see data."""

    said: str | None = None

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool, sqlstate: str | None) -> None:
        super().__init__(where, what, todo, retryable=retryable)
        self.sqlstate = sqlstate


class ConnectFailed(DatabaseFailed):
    """No connection was established."""


@dataclass(frozen=True)
class RejectedValues:
    """Values of one column that its type does not hold; `rows` is None where the number cannot be known."""

    column: str  # empty where it cannot be known
    what: str  # as `rows with ...` goes on
    todo: str
    rows: int | None

    def __str__(self) -> str:
        rows = "rows" if self.rows is None else f"{self.rows} row{'s' if self.rows != 1 else ''}"
        return f"{f'column {self.column}: ' if self.column else ''}{rows} with {self.what}"


class ValuesRejected(DatabaseFailed):
    """The source has values that the model's types cannot hold exactly."""

    def __init__(self, where: str, dataset: Dataset, found: Sequence[RejectedValues], sqlstate: str | None) -> None:
        what = f"{'; '.join(map(str, found))} (key: {', '.join(dataset.primary_key)})"
        todo = ". ".join(dict.fromkeys(of.todo for of in found))
        super().__init__(where, what, todo, retryable=False, sqlstate=sqlstate)
        self.dataset, self.found = dataset.name, tuple(found)


class PoolingRefused(StreamFactoryError):
    """A pooler stands between that shares server processes in a way no batch can rely on."""


class SettingRefused(StreamFactoryError):
    """A transaction lacks the settings that a batch relies on."""


class SourceMismatch(StreamFactoryError):
    """The source lacks a table or a column of the model."""


class SourceBehind(StreamFactoryError):
    """The source's state is older than the one that the last batch read."""


class StoreMismatch(StreamFactoryError):
    """A merge table belongs to another stream, or does not fit the model."""


@dataclass(frozen=True)
class RejectedKeys:
    """Why keys of a dataset were rejected, how many of them there are, and a bounded sample of them."""

    dataset: str
    reason: str  # `duplicate` or `null`
    number: int
    sample: tuple[tuple[dict[str, Any], int], ...]  # a key, and how many rows have it


class KeysRejected(StreamFactoryError):
    """The source has duplicate or NULL keys."""

    def __init__(self, where: str, what: str, todo: str, rejected: RejectedKeys) -> None:
        super().__init__(where, what, todo)
        self.rejected = rejected


class MapWrong(StreamFactoryError):
    """A row map does not describe the source; the next batch is full."""

    retryable = True

    def __init__(self, where: str, what: str, todo: str, dataset: str) -> None:
        super().__init__(where, what, todo)
        self.dataset = dataset


class TooManyDeletes(StreamFactoryError):
    """The source has lost more rows than is believable."""


class QualityFailed(StreamFactoryError):
    """Rows that the batch brings break a quality check of severity `fail`."""

    def __init__(self, where: str, what: str, todo: str, found: dict[str, tuple[QualityResult, ...]]) -> None:
        super().__init__(where, what, todo)
        self.found = found  # every check of the batch, by dataset


class BatchCommitted(StreamFactoryError):
    """A committed batch is not reset."""


class TooManyLocks(StreamFactoryError):
    """A server has no room for the locks of a batch."""


class TablesHeld(StreamFactoryError):
    """Other sessions read every table of a kind that earlier batches left."""

    retryable = True


class StreamBusy(StreamFactoryError):
    """Another job holds the stream."""

    retryable = True


class BatchLost(StreamFactoryError):
    """The batch is no longer this job's to commit."""

    retryable = True


class Ended(StreamFactoryError):
    """The job was asked to end by a signal."""

    retryable = True


def values_rejected(
    where: str, dataset: Dataset, misfits: Mapping[tuple[str, Reason], int | None], sqlstate: str | None = None
) -> ValuesRejected:
    """Return the error for the misfits, which are counted by column and reason."""
    found = [RejectedValues(column, of.what, of.todo, rows) for (column, of), rows in misfits.items()]
    return ValuesRejected(where, dataset, found, sqlstate)


def database_failed(error: psycopg2.Error, where: str) -> DatabaseFailed:
    """Return a database's error with its condition; its primary message only if that holds no values."""
    state = error.pgcode
    if state is None:
        return _lost(error, where)
    condition = _condition(state)
    message = error.diag.message_primary
    safe = state[:2] in SAFE_CLASSES and message and not of_session(state)
    by_message = next((todo for sign, todo in TODO_BY_MESSAGE.items() if (message or "").startswith(sign)), None)
    todo = by_message or TODO.get(state) or TODO.get(state[:2], TODO_DEFAULT)
    if state == errorcodes.OUT_OF_MEMORY and LOCKS in (error.diag.message_hint or ""):
        what = f"{message} ({condition}, SQLSTATE {state})"
        return DatabaseFailed(where, what, TODO_LOCKS, retryable=False, sqlstate=state)
    return DatabaseFailed(
        where,
        f"{message} ({condition}, SQLSTATE {state})" if safe else f"{condition} (SQLSTATE {state})",
        TODO_RECOVERY if RECOVERY in (message or "") else todo,
        retryable=retry_can_help(state),
        sqlstate=state,
    )


def source_failed(error: psycopg2.Error, where: str) -> DatabaseFailed:
    """Return a producer's error in our words: its server may run anybody's code, so its text is data."""
    state = error.pgcode
    if state is None:
        return _lost(error, where)
    known, message = database_failed(error, where), error.diag.message_primary or ""
    more = next((f": {words}" for sign, words in OUR_WORDS.items() if sign in message), "")
    failed = DatabaseFailed(
        where, f"{_condition(state)} (SQLSTATE {state}){more}", known.todo, retryable=known.retryable, sqlstate=state
    )
    texts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint, error.diag.context)
    failed.said = printable("; ".join(text for text in texts if text), MOST_SAID)
    return failed


def source_connect_failed(failed: ConnectFailed) -> ConnectFailed:
    """Return the error of a session at a producer's server, whose text is kept with the failed batch as well."""
    failed.said = printable(failed.private, MOST_SAID)
    return failed


def _condition(state: str) -> str:
    return errorcodes.lookup(state).lower().rstrip("_") if state in _conditions() else "an error"


def connect_failed(error: psycopg2.OperationalError, where: str) -> ConnectFailed:
    """Return why no session came about, in our words: the driver's text has users, hosts and addresses.

    It gives no SQLSTATE here, so that the text has to tell.
    """
    said = str(error).strip().splitlines()
    first = said[0] if said else "no connection"
    reason = first.rpartition("FATAL:")[2].strip() if "FATAL:" in first else first
    known = connect_failure(first)
    what = known.what if known else "no session came about"
    todo = known.todo if known else "Check that the server is up and can be reached"
    retryable = known.retryable if known else True
    failed = ConnectFailed(where, what, todo, retryable=retryable, sqlstate=None)
    failed.private = printable(reason, MOST_SAID)
    return failed


def too_large_a_row(where: str) -> DatabaseFailed:
    """Return the error of a job whose memory a row does not fit in."""
    what = "a row is too large for the job's memory, which takes up to three times the largest row as text or binary"
    todo = "Give the job's pod more memory (resources), or leave the column with the large values out of the model"
    return DatabaseFailed(where, what, todo, retryable=False, sqlstate=None)


def _lost(error: psycopg2.Error, where: str) -> DatabaseFailed:
    # An error of the driver itself. Only a lost connection is foreseen, and its first line holds no values.
    # In the middle of a COPY the driver says so with the parent of its errors.
    if any(sign in str(error) for sign in OUT_OF_MEMORY):
        return too_large_a_row(where)
    lost = isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
    if lost or type(error) is psycopg2.DatabaseError:
        return DatabaseFailed(
            where, "the connection was lost", "Check server and network, and try again", retryable=True, sqlstate=None
        )
    return DatabaseFailed(
        where, f"the driver failed with {type(error).__name__}", TODO_DEFAULT, retryable=False, sqlstate=None
    )


def _conditions() -> frozenset[str]:
    return frozenset(value for name, value in vars(errorcodes).items() if name.isupper() and isinstance(value, str))
