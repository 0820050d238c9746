"""Reads the keys of changed rows out of what PostgreSQL's `pgoutput` writes (version 1 of its protocol).

Only keys are taken: values of other columns are skipped. Whatever is not understood, or leaves a key open, is a reason
not to trust the feed for that table (`Keys.doubt`); nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct, error, unpack_from

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER = len(SIGNATURE) + 8  # with flags, and the length of an extension, which is 0
END = -1
BEGIN = Struct(">xqqi")  # where its commit stands, when, transaction
COMMIT = Struct(">xbqqq")  # flags, where it stands, where it ends, when
ROW = Struct(">hi")  # columns of a row of COPY, length of the first
SHORT, INT = Struct(">h"), Struct(">i")
UINT = Struct(">I")
IS_KEY = 1  # of a column's flags: it is a part of the replica identity
WHOLE_ROW = ord("f")
EACH = 160  # bytes of memory that a key takes beside its text

Key = tuple[str, ...]


class FeedNotUnderstood(Exception):
    """The log has a message that this program does not know."""


@dataclass
class Keys:
    """The keys that may have changed in a table with these key columns, within `most` bytes.

    `doubt` says why they may not be all.
    """

    columns: Sequence[str]
    most: int
    found: set[Key] = field(default_factory=set)
    size: int = 0  # bytes of memory
    doubt: str | None = None
    places: list[int] | None = None  # of the key's columns, among those that are sent
    changes: int = 0


@dataclass(frozen=True)
class Decoded:
    """A transaction: its number, of 32 bits, where its commit stands, and where that ends."""

    transaction: int
    commit: int
    end: int


class MessageReader:
    """Takes the output of COPY (FORMAT binary) of messages piece by piece, as a file that is written to.

    `tables` are the wanted ones by their oid; others are passed over. `wrong` says what was not understood.
    """

    def __init__(self, tables: Mapping[int, Keys]) -> None:
        self.tables = tables
        self.transactions: list[Decoded] = []
        self.messages = 0
        self.wrong: str | None = None
        self._rest = b""
        self._begun = False
        self._open: tuple[int, int] | None = None

    def write(self, piece: bytes) -> int:
        """Read a piece. The driver needs an end of the COPY in any case: after what is not understood, pass it over."""
        if self.wrong is None:
            try:
                self._read(self._rest + piece)
            except FeedNotUnderstood as wrong:
                self.wrong = str(wrong)
            except (error, IndexError, ValueError):
                self.wrong = "a message of the log ends too early"
        return len(piece)

    def _read(self, data: bytes) -> None:
        at = 0
        if not self._begun:
            if len(data) < HEADER:
                self._rest = data
                return
            if not data.startswith(SIGNATURE):
                raise FeedNotUnderstood("the server's COPY is of another format")
            self._begun, at = True, HEADER
        end = len(data)
        while at + ROW.size <= end:
            columns, length = ROW.unpack_from(data, at)
            if columns == END:
                break
            start = at + ROW.size
            if start + length > end:
                break
            self._message(data[start : start + length])
            at = start + length
        self._rest = data[at:]

    def _message(self, data: bytes) -> None:
        self.messages += 1
        match data[:1]:
            case b"B":
                commit, _, transaction = BEGIN.unpack_from(data)
                self._open = (transaction & 0xFFFFFFFF, commit)
            case b"C":
                if self._open is None:
                    raise FeedNotUnderstood("a transaction ends that has not begun")
                _, _, end, _ = COMMIT.unpack_from(data)
                self.transactions.append(Decoded(*self._open, end))
                self._open = None
            case b"R":
                self._relation(data)
            case b"I":
                self._row(data, None)
            case b"U":
                self._row(data, b"KO")
            case b"D":
                self._row(data, b"KO")
            case b"T":
                number, _ = unpack_from(">ib", data, 1)
                for oid in unpack_from(f">{number}I", data, 6):
                    if oid in self.tables:
                        self.tables[oid].doubt = "the table was truncated"
            case b"O" | b"Y":
                pass  # where a transaction came from first; a type of somebody's own
            case kind:
                raise FeedNotUnderstood(f"the log has a message of kind {kind!r}")

    def _relation(self, data: bytes) -> None:
        """Find the key's columns among those that are sent of a table."""
        (oid,) = UINT.unpack_from(data, 1)
        keys = self.tables.get(oid)
        if keys is None:
            return
        at = data.index(b"\0", 5) + 1
        at = data.index(b"\0", at) + 1
        whole = data[at] == WHOLE_ROW
        (number,) = SHORT.unpack_from(data, at + 1)
        at += 3
        sent: dict[str, tuple[int, bool]] = {}
        for place in range(number):
            end = data.index(b"\0", at + 1)
            sent[data[at + 1 : end].decode()] = place, bool(data[at] & IS_KEY)
            at = end + 9
        lacking = [name for name in keys.columns if name not in sent]
        unmarked = [name for name in keys.columns if name in sent and not (whole or sent[name][1])]
        if lacking:
            keys.doubt = f"{', '.join(lacking)} of the key is not published"
        elif unmarked:
            keys.doubt = f"{', '.join(unmarked)} of the key is not in the table's replica identity"
        else:
            keys.places = [sent[name][0] for name in keys.columns]

    def _row(self, data: bytes, old: bytes | None) -> None:
        """Take the key of a new row, and of the old one where the message has that."""
        (oid,) = UINT.unpack_from(data, 1)
        keys = self.tables.get(oid)
        if keys is None:
            return
        keys.changes += 1
        if keys.doubt is not None:
            return
        if keys.places is None:
            raise FeedNotUnderstood("a row comes before its table")
        found, at, earlier = [], 5, None
        if old is not None and data[at] in old:
            earlier, at = _key_at(data, at + 1, keys.places)
            found.append(earlier)
        if data[:1] != b"D":
            later, _ = _key_at(data, at + 1, keys.places)
            # A long value that has not changed is not sent again; the old row has it then.
            found.append(
                later if earlier is None else [b if a is None else a for a, b in zip(later, earlier, strict=True)]
            )
        for values in found:
            if any(value is None for value in values):
                keys.doubt = "a key is NULL, or is not sent"
                return
            key = tuple(value.decode() for value in values if value is not None)
            if key not in keys.found:
                keys.found.add(key)
                keys.size += EACH + sum(map(len, key))
        if keys.size > keys.most:
            keys.doubt = "too many keys have changed"
            keys.found.clear()


def _key_at(data: bytes, at: int, places: Sequence[int]) -> tuple[list[bytes | None], int]:
    """Return the texts of some columns of a row, and where the row ends; None for NULL and what is not sent."""
    (number,) = SHORT.unpack_from(data, at)
    at += 2
    wanted: dict[int, bytes | None] = dict.fromkeys(places)
    for place in range(number):
        kind = data[at]
        at += 1
        if kind == 0x74:  # t: as text
            (length,) = INT.unpack_from(data, at)
            at += 4
            if place in wanted:
                wanted[place] = data[at : at + length]
            at += length
        elif kind not in (0x6E, 0x75):  # n: NULL; u: a long value that has not changed
            raise FeedNotUnderstood(f"a column of a row is of kind {chr(kind)!r}")
    return [wanted[place] for place in places], at
