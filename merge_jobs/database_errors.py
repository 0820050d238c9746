"""The words for what databases answer: their errors as ours, without the values that their texts may hold."""

from __future__ import annotations

import logging
import re

import psycopg2
from psycopg2 import errorcodes

from config_schema.errors import StreamFactoryError
from config_schema.printable import frames_of, printable
from config_schema.sql.postgres_errors import connect_failure, of_session, retry_can_help
from merge_jobs.errors import ConnectFailed, DatabaseFailed

log = logging.getLogger(__name__)

# Classes of SQLSTATE whose primary message names objects and settings, never a row's value.
SAFE_CLASSES = frozenset(
    ["08", "0A", "25", "26", "28", "2B", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55", "57", "58", "F0"]
)
ADVICE_BY_SQLSTATE = {
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
SQLSTATE = re.compile("[0-9A-Z]{5}")
NO_SQLSTATE = "XX000"  # an internal error, in place of what a server sends that is none
# What libpq says when the process may not grow; the connection is then lost to it.
OUT_OF_MEMORY = ("cannot allocate memory for", "out of memory")
# 53200 of the table of locks, which the server's hint tells, in whatever language.
LOCKS = "max_locks_per_transaction"
ADVICE_LOCKS = (
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
ADVICE_DEFAULT = "See the log of the database server"
# By the beginning of the message, where one SQLSTATE stands for several things.
ADVICE_BY_MESSAGE = {
    "row is too big": (
        "A row of the source does not fit a page of the merge store (8 kB), where a forensic table has two columns "
        "more: leave columns out of the model, or split the table by views with the same key"
    ),
    "index row": (
        "A value is longer than an index holds (about 2700 bytes). Of the key: choose another key, or read a view that "
        "shortens it. Of `indexes` in the model: choose another method, or take the index out and drop it"
    ),
}
# Of a standby: it had to go on with the log. The SQLSTATE is that of any transactions that meet.
RECOVERY = "conflict with recovery"
ADVICE_RECOVERY = (
    "The standby could not keep a snapshot for so long: try again. If it comes again, raise "
    "max_standby_streaming_delay, or set hot_standby_feedback, on the standby"
)


class Unforeseen(StreamFactoryError):
    """One of many failed with an error that no code foresees; the others were done.

    Report it, with the frames in the log.
    """

    code = "DF5217"

    def __init__(self, where: str, error: Exception) -> None:
        self.kind = type(error).__name__
        super().__init__(where, f"unforeseen {self.kind}", "Report it, with the frames in the log")


def in_words(error: Exception, where: str) -> StreamFactoryError:
    """Return the error of one of many, so that the others go on. The frames of an unforeseen error are logged.

    Their text is not: it may hold a row's values.
    """
    if isinstance(error, StreamFactoryError):
        return error
    if isinstance(error, psycopg2.Error):
        return database_failed(error, where)
    log.error("%s: unforeseen %s in %s", where, type(error).__name__, frames_of(error))
    return Unforeseen(where, error)


def database_failed(error: psycopg2.Error, where: str) -> DatabaseFailed:
    """Return a database's error with its condition, and its primary message only if that contains no values."""
    if error.pgcode is None:
        return _lost(error, where)
    state = sqlstate(error.pgcode)
    condition = _condition(state)
    message = error.diag.message_primary
    safe = state[:2] in SAFE_CLASSES and message and not of_session(state)
    by_message = next((todo for sign, todo in ADVICE_BY_MESSAGE.items() if (message or "").startswith(sign)), None)
    todo = by_message or ADVICE_BY_SQLSTATE.get(state) or ADVICE_BY_SQLSTATE.get(state[:2], ADVICE_DEFAULT)
    if state == errorcodes.OUT_OF_MEMORY and LOCKS in (error.diag.message_hint or ""):
        what = f"{message} ({condition}, SQLSTATE {state})"
        return DatabaseFailed(where, what, ADVICE_LOCKS, retryable=False, sqlstate=state)
    return DatabaseFailed(
        where,
        f"{message} ({condition}, SQLSTATE {state})" if safe else f"{condition} (SQLSTATE {state})",
        ADVICE_RECOVERY if RECOVERY in (message or "") else todo,
        retryable=retry_can_help(state),
        sqlstate=state,
    )


def source_failed(error: psycopg2.Error, where: str) -> DatabaseFailed:
    """Return a producer's error in our words: its server may run anybody's code, so its text is data."""
    if error.pgcode is None:
        return _lost(error, where)
    state = sqlstate(error.pgcode)
    known, message = database_failed(error, where), error.diag.message_primary or ""
    more = next((f": {words}" for sign, words in OUR_WORDS.items() if sign in message), "")
    failed = DatabaseFailed(
        where, f"{_condition(state)} (SQLSTATE {state}){more}", known.todo, retryable=known.retryable, sqlstate=state
    )
    texts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint, error.diag.context)
    failed.said = printable("; ".join(text for text in texts if text), MOST_SAID)
    return failed


def source_connect_failed(failed: ConnectFailed) -> ConnectFailed:
    """Return the error of connecting to a producer; the server's text is stored with the failed batch too.

    The driver's own text is not: it has the user, the host and the port.
    """
    failed.said = failed.from_server
    return failed


def sqlstate(sent: str) -> str:
    """Return what a server has sent as SQLSTATE, if it is one: a producer's server may send any text there."""
    return sent if SQLSTATE.fullmatch(sent) else NO_SQLSTATE


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
    failed.from_server = failed.private if "FATAL:" in first else None
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
        where, f"the driver failed with {type(error).__name__}", ADVICE_DEFAULT, retryable=False, sqlstate=None
    )


def _conditions() -> frozenset[str]:
    return frozenset(value for name, value in vars(errorcodes).items() if name.isupper() and isinstance(value, str))
