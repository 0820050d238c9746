"""What can go wrong in a merge job, and how a database's error is reported without the values that it holds.

StreamFactoryError
 ├── DatabaseFailed       a database refused or went away; retryable by its SQLSTATE
 │    ├── ConnectFailed   no session came about
 │    └── ValuesRejected  values of the source that the model's types do not hold as they are
 ├── PoolingRefused       a pooler stands between, and shares server processes in a way that no batch can be sure of
 ├── SettingRefused       a transaction does not have the settings that a batch relies on
 ├── TooManyLocks         a server has no room for the locks of a batch
 ├── SourceMismatch       the source cannot be read as the model says
 │    ├── SourceTableMissing, SourceColumnMissing
 │    ├── NoSnapshot      it cannot give one snapshot of the tables
 │    └── ValuesCut       its server cuts values
 ├── SourceUnsettled      the source's tables change while they are looked at (retryable)
 ├── SourceBehind         the source has an older state than the last batch read (retryable for a standby that lags)
 ├── KeysRejected         the source has duplicate or NULL keys
 ├── TooManyDeletes       the source has lost more of its rows than is believable
 ├── QualityFailed        rows that the batch brings break a quality check of severity fail
 ├── StoreMismatch        what stands in the merge store or in a consumers' database is in the way
 │    ├── NotOurs         it is somebody else's
 │    ├── OfAnother       a table is another stream's, or of another platform or dataset
 │    ├── StillUsed       something that others built uses it
 │    └── RightMissing    a right is missing that our user may not give
 ├── MapWrong             a row map does not tell what the source has (retryable: the next batch is full)
 ├── BatchCommitted       a committed batch is not reset
 ├── TablesHeld           other sessions read every table of a kind that earlier batches left (retryable)
 ├── StreamBusy           another job holds the stream (retryable)
 ├── BatchLost            the batch is no longer this job's to commit (retryable)
 ├── Ended                the job was asked to end by a signal (retryable)
 └── Unforeseen           what nobody foresaw, of one of many

Those that one module raises stand there.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import errorcodes

from config_schema.errors import StreamFactoryError, choose_from
from config_schema.model import Dataset
from config_schema.printable import printable
from config_schema.result import QualityResult
from config_schema.sql.postgres_errors import connect_failure, of_session, retry_can_help
from merge_jobs.misfit import Reason

log = logging.getLogger(__name__)

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


class DatabaseFailed(StreamFactoryError):
    """A database refuses a statement, or becomes unreachable while the job works with it.

    See what the error advises for its SQLSTATE; the server's own log has more.
    """

    code = "DF5001"
    # What the server said, where that is data: it goes to no log, only where people may see data.
    said: str | None = None

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool, sqlstate: str | None) -> None:
        super().__init__(where, what, todo)
        self.retryable, self.sqlstate = retryable, sqlstate


class ConnectFailed(DatabaseFailed):
    """A database cannot be connected to: it is down, refuses the login, or its certificate is not trusted.

    Check server, network, login and TLS as the error says.
    """

    code = "DF5002"


@dataclass(frozen=True)
class RejectedValues:
    """Values of one column that do not fit its type; `rows` is None if their number cannot be known."""

    column: str  # empty where it cannot be known
    what: str  # as `rows with ...` goes on
    todo: str
    rows: int | None

    def __str__(self) -> str:
        rows = "rows" if self.rows is None else f"{self.rows} row{'s' if self.rows != 1 else ''}"
        return f"{f'column {self.column}: ' if self.column else ''}{rows} with {self.what}"


class ValuesRejected(DatabaseFailed):
    """Rows of the source have values that do not fit the types of the model's columns exactly.

    Correct the values in the source, or the types in the model; nothing is merged until then.
    """

    code = "DF5003"

    def __init__(self, where: str, dataset: Dataset, found: Sequence[RejectedValues], sqlstate: str | None) -> None:
        what = f"{'; '.join(map(str, found))} (key: {', '.join(dataset.primary_key)})"
        todo = ". ".join(dict.fromkeys(of.todo for of in found))
        super().__init__(where, what, todo, retryable=False, sqlstate=sqlstate)
        self.dataset, self.found = dataset.name, tuple(found)


class PoolingRefused(StreamFactoryError):
    """A pooler between job and server shares server processes, so that locks or transactions are not reliable.

    Connect to the server itself, or let the pooler pool sessions (PgBouncer's pool_mode = session).
    """

    code = "DF5004"


class SettingRefused(StreamFactoryError):
    """A session has other settings than the job has set and a batch needs.

    Look for a function in a view that sets them, or reset them for the role and the database (ALTER ROLE ...
    RESET).
    """

    code = "DF5005"

    def __init__(self, where: str, settings: Sequence[str]) -> None:
        self.settings = tuple(settings)
        todo = (
            "Look for a function in a view that sets them, or set them back for the role and the database (ALTER ROLE "
            "... RESET)"
        )
        super().__init__(where, f"the session has other settings than it set: {', '.join(settings)}", todo)


class TooManyLocks(StreamFactoryError):
    """A batch takes more locks than the server's table of locks has room for.

    Raise max_locks_per_transaction on that server and restart it, or make the datastore single_dataset.
    """

    code = "DF5006"


class SourceMismatch(StreamFactoryError):
    """The source cannot be read as the model describes it.

    Compare the model with the source, and correct the one that is wrong.
    """

    code = "DF5101"


class SourceTableMissing(SourceMismatch):
    """A dataset of the model names a table or view that does not exist in the source, or that its user may not see.

    Correct the table's name in the model, choose one of those that the error lists, or grant the user SELECT.
    """

    code = "DF5102"

    def __init__(self, where: str, table: str, known: Collection[str], schema: str | None = None) -> None:
        self.table, self.known, self.schema = table, tuple(known), schema
        inside = f" in schema {schema!r}" if schema else ""
        super().__init__(where, f"there is no table {table!r}{inside}", choose_from(table, known))


class SourceColumnMissing(SourceMismatch):
    """A table of the source lacks columns that the model has.

    Correct their names in the model, or remove them from it.
    """

    code = "DF5103"

    def __init__(self, where: str, table: str, columns: Sequence[str], known: Collection[str]) -> None:
        self.table, self.columns, self.known = table, tuple(columns), tuple(known)
        what = f"the table {table!r} has no column {', '.join(map(repr, columns))}"
        super().__init__(where, what, choose_from(columns[0], known))


class SourceBehind(StreamFactoryError):
    """The source is in an older state than the last batch read: a standby lags, or a backup was restored.

    Let the standby catch up, or check the address; after an intended restore run dagfactory runs reset.
    """

    code = "DF5107"

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool) -> None:
        super().__init__(where, what, todo)
        self.retryable = retryable


class StoreMismatch(StreamFactoryError):
    """An object in the merge store, or in the consumers' database, is not as the job needs it.

    Do what the error says; nothing was changed there.
    """

    code = "DF5201"


class NotOurs(StoreMismatch):
    """A table, view, function, role or schema has one of our names, but its comment or owner shows that it is not ours.

    Rename it, or rename the part of the model that leads to the name.
    """

    code = "DF5202"

    def __init__(
        self,
        where: str,
        todo: str = "Rename it",
        what: str = "it is another role's, or its comment does not say that it is ours",
    ) -> None:
        super().__init__(where, f"it is there, and {what}", todo)


class TypeOfAnother(StoreMismatch):
    """A type of the model is one that a role has made in the database which the job has no reason to trust.

    Whoever makes a type can have a function of theirs called by who writes a value. Where the role is yours, give the
    type to the job's login; else drop it, and take CREATE on its schema from that role.
    """

    code = "DF5216"

    def __init__(self, where: str, type_text: str) -> None:
        self.type_text = type_text
        todo = "If you know its owner, run ALTER TYPE ... OWNER TO this login; if not, drop it"
        what = (
            "it belongs neither to this login nor to the owner of its schema or database, a superuser or an extension"
        )
        super().__init__(f"{where}: type {type_text!r}", what, todo)


class OfAnother(StoreMismatch):
    """A table was made for another platform, stream, dataset or milestoning than the model says.

    Change the model back, or move the table away: a new one is then loaded.
    """

    code = "DF5203"

    def __init__(self, where: str, part: str, made_for: str | None, modelled: str) -> None:
        self.part, self.made_for, self.modelled = part, made_for, modelled
        what = f"the table was made for {part} {made_for!r}, the model says {modelled!r}"
        super().__init__(where, what, "Take the model back, or move the table away: a new one is then loaded")


class StillUsed(StoreMismatch):
    """A table, view or column must change, but objects that others built on it prevent that.

    Drop those, or let their owner do it, run the command or job again, and create them again.
    """

    code = "DF5204"


class RightMissing(StoreMismatch):
    """A role or a user lacks a right in a database that our user may not grant.

    Let the database's owner or a superuser grant it as the error says.
    """

    code = "DF5205"


@dataclass(frozen=True)
class RejectedKeys:
    """Why keys of a dataset were rejected, how many there are, and a limited sample of them."""

    dataset: str
    reason: str  # `duplicate` or `null`
    number: int
    sample: tuple[tuple[dict[str, Any], int], ...]  # a key, and how many rows have it


class KeysRejected(StreamFactoryError):
    """Rows of the source have a NULL in their key, or the same key as another row.

    Correct them in the source; the error has a query that finds them. A sample is stored in the table of rejected
    keys.
    """

    code = "DF5108"

    def __init__(self, where: str, what: str, todo: str, rejected: RejectedKeys) -> None:
        super().__init__(where, what, todo)
        self.rejected = rejected


class MapWrong(StreamFactoryError):
    """A row map does not describe the source's rows, so the batch is not reliable.

    Nothing by hand: the next batch compares every row, and makes a new map.
    """

    code = "DF5206"
    retryable = True

    def __init__(
        self, where: str, what: str, dataset: str, todo: str = "Try again: the next batch compares every row"
    ) -> None:
        super().__init__(where, what, todo)
        self.dataset = dataset


class TooManyDeletes(StreamFactoryError):
    """More rows are gone from the source than max_delete_fraction allows, which is rarely intended.

    Check the source; if it is intended, run merge-job merge once with --allow-deletes.
    """

    code = "DF5109"

    def __init__(self, where: str, gone: int, before: int, allowed: float) -> None:
        self.gone, self.before, self.allowed = gone, before, allowed
        what = f"{gone} of {before} rows are gone from the source, more than max_delete_fraction {allowed:g} allows"
        super().__init__(where, what, "Check the source; if it is meant, run merge-job merge once with --allow-deletes")


class QualityFailed(StreamFactoryError):
    """Rows of the batch break a quality check of severity fail.

    Correct the rows in the source, or the check in the model; nothing was merged.
    """

    code = "DF5110"

    def __init__(self, where: str, what: str, todo: str, found: dict[str, tuple[QualityResult, ...]]) -> None:
        super().__init__(where, what, todo)
        self.found = found  # every check of the batch, by dataset


class BatchCommitted(StreamFactoryError):
    """A reset was requested for a batch that is committed.

    Nothing: the next run begins the next batch.
    """

    code = "DF5207"

    def __init__(self, stream: str, batch_id: int) -> None:
        self.stream, self.batch_id = stream, batch_id
        todo = f"Nothing is open: the next run begins batch {batch_id + 1}"
        super().__init__(f"{stream} batch {batch_id}", "Batch is COMMITTED and cannot be reset", todo)


class TablesHeld(StreamFactoryError):
    """Other sessions hold locks on tables that the batch must drop or alter.

    Wait until these sessions end, or end them; then run the job again.
    """

    code = "DF5208"
    retryable = True


class StreamBusy(StreamFactoryError):
    """Another job is running on the stream.

    Wait for that run to end, or give --lock-wait.
    """

    code = "DF5209"
    retryable = True


class BatchLost(StreamFactoryError):
    """The batch, or the lock on its stream, does not belong to this job any more: nothing of it is committed.

    Run it again. If it happens again, connect to the server itself, not through a proxy that pools transactions.
    """

    code = "DF5210"
    retryable = True


class Ended(StreamFactoryError):
    """A signal asked the job to end.

    Run it again: it continues after the last committed batch.
    """

    code = "DF5211"
    retryable = True

    def __init__(self, signal: str) -> None:
        self.signal = signal
        todo = "Run it again: it goes on after the last committed batch"
        super().__init__("merge-job", f"ended by {signal}", todo)


class Unforeseen(StreamFactoryError):
    """Something went wrong with one of many that no error of ours foresees; the others were done.

    Report it, with the frames in the log.
    """

    code = "DF5217"

    def __init__(self, where: str, error: Exception) -> None:
        self.kind = type(error).__name__
        super().__init__(where, f"unforeseen {self.kind}", "Report it, with the frames in the log")


def in_words(error: Exception, where: str) -> StreamFactoryError:
    """Return what befell one of many, so that the others go on. The frames of what is unforeseen are logged.

    Their text is not: it may hold a row's values.
    """
    if isinstance(error, StreamFactoryError):
        return error
    if isinstance(error, psycopg2.Error):
        return database_failed(error, where)
    frames = "; ".join(f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_tb(error.__traceback__))
    log.error("%s: unforeseen %s in %s", where, type(error).__name__, printable(frames))
    return Unforeseen(where, error)


def values_rejected(
    where: str, dataset: Dataset, misfits: Mapping[tuple[str, Reason], int | None], sqlstate: str | None = None
) -> ValuesRejected:
    """Return the error for the misfits, counted by column and reason."""
    found = [RejectedValues(column, of.what, of.todo, rows) for (column, of), rows in misfits.items()]
    return ValuesRejected(where, dataset, found, sqlstate)


def database_failed(error: psycopg2.Error, where: str) -> DatabaseFailed:
    """Return a database's error with its condition, and its primary message only if that contains no values."""
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
    """Return the error of connecting to a producer; the server's text is stored with the failed batch too."""
    failed.said = printable(failed.private, MOST_SAID)
    return failed


def _condition(state: str) -> str:
    return errorcodes.lookup(state).lower().rstrip("_") if state in _conditions() else "an error"


def connect_failed(error: psycopg2.OperationalError, where: str) -> ConnectFailed:
    """Return why no session could be opened, in our words: the driver's text contains users, hosts and addresses.

    The driver gives no SQLSTATE here, so its text is searched.
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
    """Return the error of a job in whose memory a row does not fit."""
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
