"""Opens a producer's SQLite file, and no other one that is put into its place meanwhile.

SQLite opens a file by its path and says nothing of what it has opened. So the path is walked without links first, and
afterwards the process's open files are looked at.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from merge_jobs.errors import ConnectFailed
from merge_jobs.sources.sql.dialects import LOCK_SECONDS
from merge_jobs.sources.sql.driver_errors import SQLITE
from merge_jobs.sources.without_links import stat_without_links

OPEN_FILES = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
BESIDE = ("-wal", "-shm")  # a journal is read only to be written back, which needs the right to write
GONE = " (deleted)"
Inode = tuple[int, int]


def open_file(path: str, where: str) -> sqlite3.Connection:
    """Return a session that reads exactly this file, whatever characters its name has; never create one.

    `path` has no links. Raises ConnectFailed if the file is not there, or if another one comes into its place.
    """
    real = Path(os.path.abspath(path))
    try:
        found = stat_without_links(real)
    except (FileNotFoundError, PermissionError):
        _raise_unopened(where)
    except OSError:
        _raise_replaced(where)  # a link or a file, where a folder was
    if not stat.S_ISREG(found.st_mode):
        _raise_replaced(where)
    before = _open_files()
    # The driver's own BEGIN comes only before a write: ours is to open the snapshot.
    address = f"file://{quote(str(real))}?mode=ro"
    session = sqlite3.connect(address, LOCK_SECONDS, isolation_level=None, check_same_thread=False, uri=True)
    opened = {inode for number, inode in _open_files().items() if number not in before}
    if opened and _inode(found) not in opened:  # none: SQLite had this file open already
        session.close()
        _raise_replaced(where)
    return session


def check_side_files(path: str, where: str) -> None:
    """Raise ConnectFailed if a snapshot is read with the log of another file: SQLite opens it by its name, later."""
    real = Path(os.path.abspath(path))
    for number, inode in _open_files().items():
        name = _name_of(number)
        if name.startswith(real.name) and name.removeprefix(real.name) in BESIDE:
            try:
                is_beside = _inode(stat_without_links(real.with_name(name))) == inode
            except OSError:
                is_beside = False
            if not is_beside:
                _raise_replaced(where)


def _open_files() -> dict[int, Inode]:
    """Return the regular files that this process has open, by the numbers under which it has them."""
    found = {}
    for number in map(int, os.listdir(OPEN_FILES)):
        try:
            of = os.fstat(number)
        except OSError:  # that of the list itself, or of another thread
            continue
        if stat.S_ISREG(of.st_mode):
            found[number] = _inode(of)
    return found


def _name_of(number: int) -> str:
    try:
        return os.path.basename(os.readlink(f"{OPEN_FILES}/{number}")).removesuffix(GONE)
    except OSError:
        return ""


def _inode(of: os.stat_result) -> Inode:
    return of.st_dev, of.st_ino


def _raise_unopened(where: str) -> NoReturn:
    of = SQLITE[sqlite3.SQLITE_CANTOPEN]
    raise ConnectFailed(where, of.what, of.todo, retryable=of.retryable, sqlstate=None)


def _raise_replaced(where: str) -> NoReturn:
    what = "a link, or another file, has come into the place of the file or of its log"
    todo = "Put the file itself there, and try again"
    raise ConnectFailed(where, what, todo, retryable=True, sqlstate=None)
