"""The meaning of the errors of other databases' drivers: what happened, what to do, whether a retry can help.

A driver's own text may contain values and is never shown. A code that is not listed is shown as a number, which can be
looked up in the database's manual.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy.exc import DBAPIError

from config_schema.model import SourceKind


@dataclass(frozen=True)
class Meaning:
    """The meaning of a driver's error."""

    what: str
    todo: str
    retryable: bool = False


LOST = Meaning("the connection was lost", "Check server and network, and try again", True)
LOCKED = Meaning(
    "a lock is held by another session, for instance by ALTER TABLE or LOCK TABLES",
    "Try again; if it comes again, look for the session that holds it",
    True,
)
DEADLOCK = Meaning("another transaction was in the way (a deadlock)", "Try again", True)
CANCELLED = Meaning("the server ended the statement or the session", "Try again", True)
TOO_SLOW = Meaning("the server's limit of a statement's time was reached", "Try again, or raise the limit", True)
FULL = Meaning("the server is short of disk or memory", "Free some, and try again", True)
BUSY = Meaning("all connections are taken", "Try again later, or allow the user more of them", True)
LOGIN = Meaning("wrong user name or password", "Check both in the secret")
EXPIRED = Meaning("the user's password has expired, or the account is locked", "Have the account unlocked")
NO_DATABASE = Meaning("the database does not exist", "Check its name in the model, and that the user may use it")
NOT_ALLOWED = Meaning("the user may not read it", "Grant the user SELECT on the dataset's table or view")
CHANGED = Meaning("the table's definition was changed while the batch read", "Try again", True)
MISSING = Meaning("the table, or one that a view reads, does not exist", "Check the table's name, and the view")
BROKEN_VIEW = Meaning("the view refers to a table, a column or rights that are not there", "Correct the view")
WRITES = Meaning("the view calls a function that writes, which a read-only transaction refuses", "Read another view")
COMPUTES = Meaning("a view computes a value that has no result", "Correct the view, or the rows that it computes from")
DAMAGED = Meaning("the table or its files are damaged", "Have the table checked and repaired at the source")
NO_SERVER = Meaning("no server answers", "Check that the server is up, and host, port and network", True)
NO_HOST = Meaning("the host is not known or not reachable", "Check the host's name in the model", True)
NOT_FROM_HERE = Meaning("the server does not admit this user from here", "Ask its administrator")

MYSQL: dict[int, Meaning] = {
    **dict.fromkeys([2006, 2013, 2055, 1053, 1158, 1159, 1160, 1161, 1184, 1152, 1080, 4031], LOST),
    **dict.fromkeys([1205, 1099, 1100, 1192, 1223, 3572], LOCKED),
    **dict.fromkeys([1213, 1614, 1020, 1479], DEADLOCK),
    **dict.fromkeys([1317, 1927, 1094], CANCELLED),
    **dict.fromkeys([3024, 1969, 1907, 1028], TOO_SLOW),
    **dict.fromkeys([1021, 1037, 1038, 1041, 1114, 1135, 3, 5, 28, 126, 1026], FULL),
    **dict.fromkeys([1040, 1203, 1226], BUSY),
    **dict.fromkeys([1045, 1698, 1251, 1524], LOGIN),
    **dict.fromkeys([1820, 1862, 3118, 4151], EXPIRED),
    **dict.fromkeys([1044, 1049], NO_DATABASE),
    **dict.fromkeys([1142, 1143, 1227, 1370, 1345, 1410, 1095], NOT_ALLOWED),
    **dict.fromkeys([1412, 1615, 1684, 1685, 1637], CHANGED),
    **dict.fromkeys([1146, 1051, 1109], MISSING),
    **dict.fromkeys([1356, 1449, 1054, 1305, 1304, 1347], BROKEN_VIEW),
    **dict.fromkeys([1792, 1290, 1207, 1836], WRITES),
    **dict.fromkeys([1365, 1690, 1264, 1292, 1242, 1411, 1366, 1300], COMPUTES),
    **dict.fromkeys([1194, 1195, 1034, 1035, 1033, 1016, 1017, 1030, 1712, 1812, 1932, 1877, 145], DAMAGED),
    **dict.fromkeys([2002, 2003], NO_SERVER),
    2005: NO_HOST,
    **dict.fromkeys([1129, 1130], NOT_FROM_HERE),
    1153: Meaning("a row is larger than the server's max_allowed_packet", "Raise max_allowed_packet on the server"),
    1104: Meaning("the view would look at more rows than the server's max_join_size", "Raise max_join_size"),
    2026: Meaning("no TLS connection could be made", "Check the server's certificates and what TLS it wants"),
}
FILE = "Check the file on the machine where the job runs"
SQLITE: dict[int, Meaning] = {
    sqlite3.SQLITE_BUSY: Meaning("the file is locked by another process that writes", "Try again", True),
    sqlite3.SQLITE_LOCKED: Meaning("a table of the file is locked", "Try again", True),
    sqlite3.SQLITE_PROTOCOL: Meaning("other processes hold the file's locks", "Try again", True),
    sqlite3.SQLITE_SCHEMA: CHANGED,
    sqlite3.SQLITE_INTERRUPT: CANCELLED,
    sqlite3.SQLITE_CANTOPEN: Meaning("the file cannot be opened", f"{FILE}: that it is there and may be read"),
    sqlite3.SQLITE_NOTADB: Meaning("the file is no SQLite database, or is encrypted", FILE),
    sqlite3.SQLITE_CORRUPT: Meaning("the file is damaged", "Run PRAGMA integrity_check on it, and restore it"),
    sqlite3.SQLITE_IOERR: Meaning("the file cannot be read: the disk or its file system fails", FILE, True),
    sqlite3.SQLITE_PERM: Meaning("the job's user may not read the file", "Grant it the right"),
    sqlite3.SQLITE_AUTH: Meaning("the job's user may not read the file", "Grant it the right"),
    sqlite3.SQLITE_READONLY: Meaning(
        "the file wants to be repaired or written before it can be read (a log that was left, or a view that writes)",
        "Open it once with the program that writes it, or let the job write to its folder",
    ),
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_NOMEM: FULL,
    sqlite3.SQLITE_TOOBIG: Meaning("a value is larger than SQLite gives out", "Leave the column out of the model"),
    sqlite3.SQLITE_ERROR: Meaning(
        "SQLite cannot run the statement: a view refers to what is not there, or computes what has no result",
        "Select from the table or view with the sqlite3 program: it says which",
    ),
}
# The classes of SQLSTATE, which pyodbc gives.
SQL_SERVER: dict[str, Meaning] = {
    "28": LOGIN,
    "08": LOST,
    "40": DEADLOCK,
    "HYT": TOO_SLOW,
    "42S": MISSING,
    "42": NOT_ALLOWED,
    "22": COMPUTES,
}
ORACLE: dict[int, Meaning] = {
    **dict.fromkeys([28, 1012, 3113, 3114, 3135, 1089, 1033, 1034, 12570], LOST),
    **dict.fromkeys([54, 4021], LOCKED),
    60: DEADLOCK,
    1013: CANCELLED,
    **dict.fromkeys([1652, 4030, 4031], FULL),
    **dict.fromkeys([18, 20, 12516, 12519, 12520], BUSY),
    1017: LOGIN,
    **dict.fromkeys([28000, 28001], EXPIRED),
    **dict.fromkeys([12505, 12514], NO_DATABASE),
    **dict.fromkeys([1031, 1045], NOT_ALLOWED),
    **dict.fromkeys([1466, 4068], CHANGED),
    942: MISSING,
    **dict.fromkeys([4063, 904], BROKEN_VIEW),
    **dict.fromkeys([1456, 14552], WRITES),
    **dict.fromkeys([1476, 1722, 1427], COMPUTES),
    **dict.fromkeys([12170, 12541, 12543, 12545], NO_SERVER),
    1555: Meaning("the snapshot has become too old for the server's undo", "Try again, or raise undo_retention", True),
}


def meaning(error: Exception, kind: SourceKind) -> Meaning:
    """Return the meaning of an error that occurred while a producer was read or connected to."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return LOST
    # SQLAlchemy says that it cannot reflect a view, and keeps the reason.
    error = error.__cause__ if isinstance(error.__cause__, DBAPIError) else error
    code = error_code(error)
    known = _known(code, kind)
    if known is not None:
        return known
    named = f"error {code}" if code is not None else type(getattr(error, "orig", error)).__name__
    return Meaning(f"the database refused the statement ({named})", f"Look {named} up in the database's manual")


def _known(code: int | str | None, kind: SourceKind) -> Meaning | None:
    number, state = (code, "") if isinstance(code, int) else (-1, code or "")
    match kind:
        case SourceKind.MYSQL:
            return MYSQL.get(number)
        case SourceKind.SQLITE:
            return SQLITE.get(number)
        case SourceKind.ORACLE:
            return ORACLE.get(number)
        case SourceKind.MSSQL:
            return next((of for sign, of in SQL_SERVER.items() if state.startswith(sign)), None)
        case SourceKind.POSTGRESQL | SourceKind.FILES | SourceKind.REST:  # database_errors.py, and no SQL
            return None
    assert_never(kind)


def error_code(error: Exception) -> int | str | None:
    """Return the driver's code of an error: a number, or a SQLSTATE."""
    original: Any = getattr(error, "orig", error)
    extended = getattr(original, "sqlite_errorcode", None)
    if extended is not None:
        return int(extended) & 0xFF  # the other bits say which kind of it
    first = next(iter(getattr(original, "args", ())), None)
    code = getattr(first, "code", first)
    return code if isinstance(code, int) or (isinstance(code, str) and len(code) == 5) else None
