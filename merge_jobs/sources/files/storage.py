"""Where files are: a folder of this machine, or a bucket of S3 and its like."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

from config_schema.tls import Tls
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.files.errors import FolderNotRead

SCHEME_S3 = "s3"
CONNECT_SECONDS, REQUEST_SECONDS = 10, 60
BUFFER_BYTES = 1 << 20
# How a folder above a file is opened: the job need not be allowed to list it.
PASSED = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
MOST_FILES = 1_000_000  # in a folder or below a prefix: their names are in memory
# What Amazon's client says of an error, and what that means; its text may have anything in it.
DENIED = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "INVALID_CLIENT_TOKEN_ID", "FORBIDDEN")
MISSING = ("NO_SUCH_BUCKET", "RESOURCE_NOT_FOUND", "NO_SUCH_KEY")


@dataclass(frozen=True, order=True)
class FoundFile:
    """A file, by its name below the folder; `modified` in seconds since 1970, `size` in bytes."""

    name: str
    size: int
    modified: float


class Storage(Protocol):
    """A place with files. Everything it raises is a StreamFactoryError."""

    def files(self, depth: int) -> Iterator[FoundFile]:
        """Yield the regular files that lie in `depth` folders below the place; 0: in the place itself."""

    def find(self, name: str) -> FoundFile | None:
        """Return a file as it is now; None if it is not there."""

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; it can be sought in."""


def matches(pattern: str, name: str) -> bool:
    """Return whether a file's name matches: `*`, `?` and `[...]` stand for characters, none of them for a slash."""
    wanted, given = pattern.split("/"), name.split("/")
    return len(wanted) == len(given) and all(map(fnmatchcase, given, wanted))


def storage_of(place: ConnectionInfo, where: str) -> Storage:
    """Return the storage at an address. Raises FolderNotRead if its packages are missing."""
    if place.database.startswith("/"):
        return LocalFolder(Path(place.database), where)
    return Bucket(place, where)


class LocalFolder:
    """A folder of this machine. Links out of it are refused, whenever they come: the producer may make them."""

    def __init__(self, folder: Path, where: str) -> None:
        """Take a folder whose path has been admitted: no part of it may be a link by now."""
        self._folder, self._where = folder, where

    def files(self, depth: int) -> Iterator[FoundFile]:
        """Yield the regular files that lie in `depth` folders below the folder."""
        yield from self._below(self._folder, "", depth)

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
            opened = os.fdopen(_opened_without_links(real), "rb")
        except OSError as error:
            raise self._not_read(error) from error
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            opened.close()
            raise FolderNotRead(f"{self._where}: {name}", "it is no regular file", "Put a file there", retryable=False)
        return opened

    def _below(self, folder: Path, prefix: str, depth: int) -> Iterator[FoundFile]:
        try:
            with _opened_folder(folder) as opened, os.scandir(opened) as entries:
                for entry in entries:
                    try:
                        found = entry.stat()
                    except FileNotFoundError:  # it has gone, or is a link to nothing
                        continue
                    if depth and stat.S_ISDIR(found.st_mode) and not entry.is_symlink():
                        yield from self._below(folder / entry.name, f"{prefix}{entry.name}/", depth - 1)
                    elif not depth and stat.S_ISREG(found.st_mode):
                        yield FoundFile(prefix + entry.name, found.st_size, found.st_mtime)
        except FileNotFoundError as error:
            if folder == self._folder:
                raise self._not_read(error) from error
        except OSError as error:
            raise self._not_read(error) from error

    def _not_read(self, error: OSError) -> FolderNotRead:
        what = f"the folder {self._folder} cannot be read ({type(error).__name__})"
        return FolderNotRead(self._where, what, "Check that it is there, and that the job may read it", retryable=False)


@contextmanager
def _opened_folder(path: Path) -> Iterator[int]:
    opened = _opened_without_links(path, os.O_DIRECTORY)
    try:
        yield opened
    finally:
        os.close(opened)


def _opened_without_links(path: Path, flags: int = 0) -> int:
    """Open a path without links: one that has come meanwhile is an error. A pipe that nobody writes to is no wait."""
    folder = os.open("/", PASSED)
    try:
        for part in path.parts[1:-1]:
            inner = os.open(part, PASSED | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags, dir_fd=folder)
    finally:
        os.close(folder)


class Bucket:
    """A prefix in a bucket of S3, or of a server that speaks its protocol, at the address's host and port."""

    def __init__(self, place: ConnectionInfo, where: str) -> None:
        self._where = where
        address = urlsplit(place.database)
        self._base = f"{address.netloc}{address.path}".rstrip("/")
        self._fs = _s3(place, where)

    def files(self, depth: int) -> Iterator[FoundFile]:
        """Yield the objects whose names have `depth` slashes below the prefix. Raises FolderNotRead."""
        from pyarrow import fs

        with _in_words(self._where):
            found = self._fs.get_file_info(fs.FileSelector(self._base, recursive=True))
        if len(found) > MOST_FILES:
            what = f"there are more than {MOST_FILES} objects below the prefix"
            raise FolderNotRead(self._where, what, "Name a narrower prefix in the model", retryable=False)
        for one in found:
            name = one.path.removeprefix(f"{self._base}/")
            if one.type is fs.FileType.File and name.count("/") == depth:
                yield _found(name, one)

    def find(self, name: str) -> FoundFile | None:
        """Return an object as it is now; None if it is not there."""
        from pyarrow import fs

        with _in_words(self._where):
            found = self._fs.get_file_info(f"{self._base}/{name}")
        return _found(name, found) if found.type is fs.FileType.File else None

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading."""
        with _in_words(f"{self._where}: {name}"):
            opened = self._fs.open_input_file(f"{self._base}/{name}")
        return io.BufferedReader(opened, BUFFER_BYTES)  # its own file reads no lines


def _found(name: str, one: Any) -> FoundFile:
    return FoundFile(name, int(one.size or 0), float(one.mtime_ns or 0) / 1e9)


def _s3(place: ConnectionInfo, where: str) -> Any:
    try:
        from pyarrow import fs
    except ImportError as error:
        todo = "Install airflow-stream-factory[files] into the merge-job image"
        raise FolderNotRead(where, "pyarrow, which reads buckets, is not installed", todo, retryable=False) from error
    options: Mapping[str, Any] = {"tls_ca_file_path": place.tls_ca} if place.tls_ca else {}
    return fs.S3FileSystem(
        access_key=place.user,
        secret_key=place.password,
        endpoint_override=f"{place.host}:{place.port}",
        scheme="http" if place.tls is Tls.DISABLE else "https",
        region="us-east-1",  # the endpoint is given, so that the region is only part of what is signed
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        allow_bucket_creation=False,
        allow_bucket_deletion=False,
        **options,
    )


@contextmanager
def _in_words(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise not_read(where, error) from None


def not_read(where: str, error: OSError) -> FolderNotRead:
    """Return the error for what a storage's client says."""
    said = str(error)
    if any(word in said for word in DENIED):
        return FolderNotRead(where, "the login was refused, or may not read there", "Check the secret", retryable=False)
    if any(word in said for word in MISSING) or isinstance(error, FileNotFoundError):
        return FolderNotRead(where, "there is no such bucket", "Correct the address in the model", retryable=False)
    return FolderNotRead(
        where, "the storage does not answer as it should", "Check the address; try again", retryable=True
    )
