"""Reading a producer: the interface of a source; a module for each kind of database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Any, BinaryIO, Protocol, runtime_checkable

from config_schema.model import Dataset


@dataclass(frozen=True)
class SourceColumn:
    """A column of the source.

    `type` is as format_type() writes it; `portable` says whether its binary form is the same in every server.
    """

    type: str
    portable: bool


@dataclass(frozen=True)
class Since:
    """Which rows of a dataset a batch reads by its cursor: those from a value on, and those without a value.

    `at_least` and `last` are texts that PostgreSQL writes for a value of the type `kind`. Of the rows with the value
    `last`, those with a tie breaker below `tie` are left out, where there is a tie breaker.
    """

    column: str
    kind: str  # `bigint`, `date`, `timestamp without time zone` or `timestamp with time zone`
    at_least: str
    last: str
    tie_breaker: str | None = None
    tie: str | None = None


@dataclass(frozen=True, order=True)
class FoundFile:
    """A file by its name below the folder; `modified` in seconds since 1970, `size` in bytes.

    `tag` is the storage's own mark of its content; empty where it has none, or does not say.
    """

    name: str
    size: int
    modified: float
    tag: str = ""

    def is_same(self, other: FoundFile | None) -> bool:
        """Return whether the other is this file, and has not changed."""
        if other is None or (self.name, self.size, self.modified) != (other.name, other.size, other.modified):
            return False
        return self.tag == other.tag or "" in (self.tag, other.tag)


class SourcePart(Enum):
    """What a batch reads of a dataset's rows: everything, or only the columns that the given dataset has left."""

    ROWS = "rows"
    KEYS = "keys"


class Source(Protocol):
    """One session on a producer's database. Everything it raises is a StreamFactoryError."""

    where: str

    def begin(self, datasets: Sequence[Dataset]) -> datetime:
        """Take one snapshot of all datasets; return its time. Raises SourceMismatch if a table is missing."""

    def columns(self, dataset: Dataset) -> Mapping[str, SourceColumn]:
        """Return the columns of the dataset's table, as they are in the snapshot."""

    def try_read(self, dataset: Dataset) -> None:
        """Run the query for the dataset's columns so that it reads no row. Raises what a read of its rows would."""

    def estimated_rows(self, dataset: Dataset) -> int | None:
        """Return the approximate number of rows; None if the source cannot tell without counting."""

    def copy_out(
        self,
        dataset: Dataset,
        types: Mapping[str, str],
        binary: bool,
        into: BinaryIO,
        part: SourcePart | Since = SourcePart.ROWS,
    ) -> int:
        """Write the dataset's rows, or a part of them, in COPY format, for columns of these types; return their number.

        Runs in its own thread. Raises ValuesRejected if a type would change a value of the source.
        """

    def cancel(self) -> None:
        """End a running copy_out; called from another thread."""

    def close(self) -> None:
        """Close the session."""

    def __enter__(self) -> Source: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True)
class Hashing:
    """What a source's server says of hashing a dataset's rows itself.

    `facts` can be written as JSON: hashes that were made under other facts are not compared. `no_versions` and
    `no_hashes` say why the server has no row versions, and why it cannot hash these rows; None if it can.
    """

    facts: Mapping[str, Any]
    no_versions: str
    no_hashes: str | None


@runtime_checkable
class HashingSource(Source, Protocol):
    """A source that is not PostgreSQL, and that may hash its rows itself.

    A row without a hash is one of which the server cannot be sure how it is written.
    """

    def hashing(self, dataset: Dataset) -> Hashing:
        """Return whether the server can hash the dataset's rows, and under which facts."""

    def copy_hashes(self, dataset: Dataset, into: BinaryIO) -> tuple[int, int]:
        """Write a hash and the key of each row; return the number of rows, and of those that have no hash."""

    def copy_rows_and_hashes(self, dataset: Dataset, types: Mapping[str, str], into: BinaryIO) -> int:
        """Write each row with its hash behind it, 0 if it has none; return the number of rows."""

    def copy_rows_of(
        self, dataset: Dataset, types: Mapping[str, str], wanted: Sequence[tuple[int, str | None]], into: BinaryIO
    ) -> int:
        """Write the rows of hashes, each with the first column of its key as PostgreSQL writes it; return their number.

        By the key the rows are found, by the hash they are known.
        """

    def snapshot_may_not_cover(self, dataset: Dataset) -> bool:
        """Return whether the dataset may read what is not in the session's snapshot."""
