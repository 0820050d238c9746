"""A file that is being read from a storage: where its reads fail, the error says so, in words of ours."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from merge_jobs.sources.files.errors import FolderNotRead

BUFFER_BYTES = 1 << 20


def readable(stream: BinaryIO, where: str) -> BinaryIO:
    """Return the stream, whose reads raise FolderNotRead where the storage fails. Closing it closes the stream."""
    return io.BufferedReader(_OpenedFile(stream, where), BUFFER_BYTES)


class _OpenedFile(io.RawIOBase):
    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._stream, self._where = stream, where

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, origin: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, origin)

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes. Raises FolderNotRead."""
        try:
            part = self._stream.read(len(buffer))
        except OSError:
            # A client's own text may have anything in it.
            todo = "Check the network and the disk; try again"
            raise FolderNotRead(self._where, "the storage failed while it was read", todo, retryable=True) from None
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
