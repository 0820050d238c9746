"""Landlock: a process gives up all files except those below some folders, which it may still read.

It works where namespaces do not, for example in a container: Linux 5.13 and newer, <linux/landlock.h>.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

CREATE_RULES, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the numbers of every architecture
ASK_VERSION, BELOW_A_FOLDER = 1, 1
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many rights a version knows
FILE_RIGHTS_SINCE_5 = 16
TCP_SINCE_4, OTHERS_SIGNALS_AND_SOCKETS_SINCE_6 = 0b11, 0b11


class _Rules(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scope", ctypes.c_uint64))


class _Folder(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def read_only_below(folders: Iterable[str]) -> bool:
    """Deny this process, permanently, each file outside of `folders`, and everything except reading inside.

    If the system has Landlock's newer versions, new TCP connections and signals to other processes are denied too.
    Returns False, and denies nothing, if the system has no Landlock. Raises OSError if it refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULES, None, 0, ASK_VERSION)
    if version < 1:
        return False
    rules = _rules_of(version)
    size = 8 if version < 4 else 16 if version < 6 else 24
    made = _checked(libc.syscall(CREATE_RULES, ctypes.byref(rules), size, 0))
    try:
        for folder in folders:
            _admit(libc, made, folder)
        _checked(libc.syscall(RESTRICT_SELF, made, 0))
    finally:
        os.close(made)
    return True


def _rules_of(version: int) -> _Rules:
    files = (1 << FILE_RIGHTS.get(version, FILE_RIGHTS_SINCE_5)) - 1
    network = TCP_SINCE_4 if version >= 4 else 0
    return _Rules(files, network, OTHERS_SIGNALS_AND_SOCKETS_SINCE_6 if version >= 6 else 0)


def _admit(libc: ctypes.CDLL, rules: int, folder: str) -> None:
    opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        below = _Folder(READ_FILE | READ_FOLDER, opened)
        _checked(libc.syscall(ADD_RULE, rules, BELOW_A_FOLDER, ctypes.byref(below), 0))
    finally:
        os.close(opened)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    return result
