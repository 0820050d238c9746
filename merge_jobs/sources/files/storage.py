"""Where files are: a folder of this machine, or a bucket of S3 and its like."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from config_schema.model.claims import WILD
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources import FoundFile
from merge_jobs.sources.files.errors import FileChanged, FolderNotRead
from merge_jobs.sources.files.s3 import OpenedObject, S3Client
from merge_jobs.sources.without_links import opened_without_links

BUFFER_BYTES = 1 << 20
MOST_FILES = 1_000_000  # their names are in memory


class Storage(Protocol):
    """A place with files. Everything it raises is a StreamFactoryError."""

    def files(self, pattern: str) -> Iterator[FoundFile]:
        """Yield the regular files in the folders that a pattern names, also those whose own name does not match."""

    def find(self, name: str) -> FoundFile | None:
        """Return a file as it is now; None if it is not there."""

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; it can be sought in."""

    def close(self) -> None:
        """Close the connection to a server."""


def matches(pattern: str, name: str) -> bool:
    """Return whether a file's name matches: `*`, `?` and `[...]` stand for characters, none of them for a slash."""
    wanted, given = pattern.split("/"), name.split("/")
    return len(wanted) == len(given) and all(map(fnmatchcase, given, wanted))


def storage_of(place: ConnectionInfo, where: str) -> Storage:
    """Return the storage at an address."""
    if place.database.startswith("/"):
        return LocalFolder(Path(place.database), where)
    return Bucket(place, where)


class LocalFolder:
    """A folder of this machine. Links out of it are refused, whenever they come: the producer may make them."""

    def __init__(self, folder: Path, where: str) -> None:
        """Take a folder whose path has been admitted: no part of it may be a link by now."""
        self._folder, self._where = folder, where

    def files(self, pattern: str) -> Iterator[FoundFile]:
        """Yield the regular files in the folders that a pattern names. Raises FolderNotRead."""
        for number, file in enumerate(self._below(self._folder, "", pattern.split("/"))):
            if number == MOST_FILES:
                what = f"there are more than {MOST_FILES} files in the folders that {pattern!r} names"
                raise FolderNotRead(self._where, what, "Name fewer folders in the model", retryable=False)
            yield file

    def find(self, name: str) -> FoundFile | None:
        """Return a file as it is now; None if it is not there."""
        try:
            found = (self._folder / name).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._not_read(error) from error
        return FoundFile(name, found.st_size, found.st_mtime)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading. Raises FolderNotRead."""
        real = Path(os.path.realpath(self._folder / name))
        if not real.is_relative_to(self._folder):
            raise FolderNotRead(
                f"{self._where}: {name}",
                "it is a link that leads out of the folder",
                "Put the file there",
                retryable=False,
            )
        try:
            opened = os.fdopen(opened_without_links(real), "rb")
        except OSError as error:
            raise self._not_read(error) from error
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            opened.close()
            raise FolderNotRead(f"{self._where}: {name}", "it is no regular file", "Put a file there", retryable=False)
        return opened

    def close(self) -> None:
        """Do nothing: a folder has no server."""

    def _below(self, folder: Path, prefix: str, parts: Sequence[str]) -> Iterator[FoundFile]:
        part, *deeper = parts
        try:
            with _opened_folder(folder) as opened, os.scandir(opened) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    if not deeper:
                        yield from self._file(entry, name, fnmatchcase(entry.name, part))
                    elif fnmatchcase(entry.name, part) and entry.is_dir(follow_symlinks=False):
                        yield from self._below(folder / entry.name, f"{name}/", deeper)
        except FileNotFoundError as error:
            if folder == self._folder:
                raise self._not_read(error) from error
        except OSError as error:
            raise self._not_read(error) from error

    def _file(self, entry: os.DirEntry[str], name: str, is_wanted: bool) -> Iterator[FoundFile]:
        try:
            found = entry.stat()
        except FileNotFoundError:  # it has gone, or is a link to nothing
            return
        except OSError as error:
            if is_wanted:
                what = f"it cannot be read ({type(error).__name__})"
                raise FolderNotRead(
                    f"{self._where}: {name}", what, "Remove it, or correct it", retryable=False
                ) from error
            return  # a ring of links, say, with a name that nobody asks for
        if stat.S_ISREG(found.st_mode):
            yield FoundFile(name, found.st_size, found.st_mtime)

    def _not_read(self, error: OSError) -> FolderNotRead:
        what = f"the folder {self._folder} cannot be read ({type(error).__name__})"
        return FolderNotRead(self._where, what, "Check that it is there, and that the job may read it", retryable=False)


@contextmanager
def _opened_folder(path: Path) -> Iterator[int]:
    opened = opened_without_links(path, os.O_DIRECTORY)
    try:
        yield opened
    finally:
        os.close(opened)


class Bucket:
    """A prefix in a bucket of S3, or of a server that speaks its protocol, at the address's host and port."""

    def __init__(self, place: ConnectionInfo, where: str) -> None:
        address = urlsplit(place.database)
        self._bucket, self._where = address.netloc, where
        prefix = address.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = S3Client(place, where)

    def files(self, pattern: str) -> Iterator[FoundFile]:
        """Yield the objects as deep below the prefix as a pattern says, in its first folders. Raises FolderNotRead."""
        folders, depth = pattern.split("/")[:-1], pattern.count("/")
        literal = list(takewhile(lambda part: not WILD & set(part), folders))
        within = self._prefix + "".join(f"{part}/" for part in literal)
        for one in self._client.objects(self._bucket, within, deep=literal != folders):
            name = one.key.removeprefix(self._prefix)
            if name and not name.endswith("/") and name.count("/") == depth:
                yield FoundFile(name, one.size, one.modified, one.tag.strip('"'))

    def find(self, name: str) -> FoundFile | None:
        """Return an object as it is now; None if it is not there."""
        found = self._client.find(self._bucket, f"{self._prefix}{name}")
        return None if found is None else FoundFile(name, found.size, found.modified, found.tag.strip('"'))

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading. Raises FileChanged if it is not there any more."""
        found = self._client.find(self._bucket, f"{self._prefix}{name}")
        if found is None:
            raise FileChanged(self._where, name)
        return io.BufferedReader(OpenedObject(self._client, self._bucket, found), BUFFER_BYTES)

    def close(self) -> None:
        """Close the connection to the server."""
        self._client.close()
