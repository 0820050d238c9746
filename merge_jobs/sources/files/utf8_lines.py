"""A text file in UTF-8, line by line or by pieces of whole lines."""

from __future__ import annotations

import codecs
from collections import deque
from typing import BinaryIO

PIECE, SMALL_PIECE = 1 << 20, 1 << 15  # bytes
MARK = b"\xef\xbb\xbf"


class Utf8Lines:
    """The lines of a file as csv.reader takes them, and, before any of them is read, whole pieces of the file."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        """Take a stream, and the most characters of a line: of a longer one `readline` returns a part."""
        self._stream, self._most = stream, most
        self._rest, self._is_first, self._is_over, self._is_cut = b"", True, False, False
        self._ahead: deque[bytes] = deque()
        self._lines: deque[bytes] = deque()

    @property
    def is_within_piece(self) -> bool:
        """Whether lines are left of the piece that the last line was of."""
        return bool(self._lines)

    def readline(self) -> str:
        """Return the next line; an empty text at the end of the file. Raises UnicodeDecodeError."""
        if not self._lines:
            self.read(self.piece())
        return codecs.utf_8_decode(self._lines.popleft(), "strict", not self._is_cut)[0] if self._lines else ""

    def piece(self) -> bytes:
        """Return the next whole lines, about a megabyte; nothing at the end of the file."""
        if self._ahead:
            return self._ahead.popleft()
        parts, size, cut = [self._rest], len(self._rest), 0
        while not (cut or self._is_over or self._is_cut):
            part = self._stream.read(PIECE)
            parts.append(part)
            size += len(part)
            cut = part.rfind(b"\n") + 1 or part.rfind(b"\r", 0, -1) + 1
            self._is_over, self._is_cut = not part, not cut and self._is_too_long(parts, size)
        self._rest = parts.pop()[cut:] if cut else b""
        found = b"".join(parts) + (part[:cut] if cut else b"")
        if self._is_first:
            found, self._is_first = found.removeprefix(MARK), False
        return found

    def _is_too_long(self, parts: list[bytes], size: int) -> bool:
        """Return whether parts of a line have more than the most characters, of which each has four bytes at most."""
        return size > self._most and (size > 4 * self._most or all(map(bytes.isascii, parts)))

    def split(self, piece: bytes) -> bool:
        """Make small pieces of one; return whether they are more than one."""
        pieces = []
        while piece:
            cut = piece.find(b"\n", SMALL_PIECE) + 1 or len(piece)
            pieces.append(piece[:cut])
            piece = piece[cut:]
        if len(pieces) > 1:
            self._ahead.extendleft(reversed(pieces))
        return len(pieces) > 1

    def read(self, piece: bytes) -> None:
        """Take the lines of a piece as the next ones."""
        self._lines.extend(piece.splitlines(keepends=True))

    def unread(self) -> None:
        """Make a piece of the lines that are left of one."""
        if self._lines:
            self._ahead.appendleft(b"".join(self._lines))
            self._lines.clear()
