"""A producer that gives files; see Source. The files that a dataset names are, together, all of its rows.

A file is read as it is at one moment: its size and time are compared before and after, and the batch is tried again if
they differ. Between files there is no snapshot, so that a stream has one dataset.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from config_schema.errors import StreamFactoryError
from config_schema.model import ChangedFiles, Dataset, FileOptions, FilesTaken
from config_schema.model.sql_types import long_name
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.misfit import Encoder, Misfit, Reason
from merge_jobs.process import shutdown
from merge_jobs.sources import FoundFile, Since, SourceColumn, SourcePart
from merge_jobs.sources.files.errors import (
    SHOWN,
    FileChanged,
    FilesMissing,
    FolderNotRead,
    ReadFileChanged,
    ValueOfFileRefused,
)
from merge_jobs.sources.files.formats import ColumnPart, LinePart, Part, Reader, Row, RowPart
from merge_jobs.sources.files.opened import readable
from merge_jobs.sources.files.storage import Storage, matches, storage_of
from merge_jobs.sources.values.encoders import encoder
from merge_jobs.sources.values.row_writer import line, misfit_of

if TYPE_CHECKING:
    from merge_jobs.sources.values.arrow_text import ColumnWriter

log = logging.getLogger(__name__)

LARGE = 1 << 18  # bytes of a CSV file from which on it is worth loading pyarrow


class FilesSource:
    """The files of a producer, as they were found by `begin`; see Source."""

    def __init__(self, place: ConnectionInfo) -> None:
        self.place = place
        self.where = f"source {place}"
        self._storage: Storage = storage_of(place, self.where)
        self._files: dict[str, tuple[FoundFile, ...]] = {}  # by dataset; in their order, where each is read once
        self._others: dict[str, list[str]] = {}  # names of some files, where none matches

    def begin(self, datasets: Sequence[Dataset]) -> datetime:
        """Find the files of each dataset, and return the time. Raises FilesMissing where they are read together."""
        self._files = {dataset.name: self._found(dataset) for dataset in datasets}
        return datetime.now(UTC)

    def take_next(self, dataset: Dataset, read: Mapping[str, FoundFile]) -> tuple[FoundFile | None, int]:
        """Go on with the one file of the dataset that is next, none of them if all were read, as `read` says by name.

        Returns the file, and how many come after it. Raises ReadFileChanged, and FolderNotRead for a name that cannot
        be written down.
        """
        options = options_of(dataset)
        new = [file for file in self._files[dataset.name] if not file.is_same(read.get(file.name))]
        self._files[dataset.name] = tuple(new[:1])
        if not new:
            return None, 0
        file = new[0]
        if file.name in read and options.changed is ChangedFiles.REFUSE:
            raise ReadFileChanged(self._where(dataset), file.name)
        if not _can_be_written(file.name):
            where = f"{self._where(dataset)}: {file.name!a}"
            raise FolderNotRead(where, "its name is no UTF-8", "Rename it", retryable=False)
        log.info("%s: %s is the next of %d files", self._where(dataset), file.name, len(new))
        return file, len(new) - 1

    def columns(self, dataset: Dataset) -> Mapping[str, SourceColumn]:
        """Return the columns of the first file, with the model's types: a file's values are read as such.

        Raises FilesMissing.
        """
        modelled = {one.name: long_name(one.type) for one in dataset.columns}
        if not self._files[dataset.name]:
            raise FilesMissing(self._where(dataset), dataset.source_table, self._others[dataset.name])
        with self._reader(dataset, self._files[dataset.name][0]) as reader:
            there = modelled if reader.names is None else reader.names
        return {name: SourceColumn(modelled.get(name, "text"), portable=False) for name in there}

    def try_read(self, dataset: Dataset) -> None:
        """Open each file and read its head. Raises what a read of its rows would."""
        for file in self._files[dataset.name]:
            with self._reader(dataset, file):
                shutdown.check()

    def estimated_rows(self, dataset: Dataset) -> int | None:
        """Return None: files do not say."""
        return None

    def copy_out(
        self,
        dataset: Dataset,
        types: Mapping[str, str],
        binary: bool,
        into: BinaryIO,
        part: SourcePart | Since = SourcePart.ROWS,
    ) -> int:
        """Write the rows of all files in COPY's text format, and return how many.

        Raises ValueOfFileRefused and FormatBroken with the file and the line, and FileChanged.
        """
        assert not binary, "only PostgreSQL has PostgreSQL's binary format"
        assert part is SourcePart.ROWS, "the model's rules refuse the strategy cursor for files"
        writer = _PartWriter(self._where(dataset), dataset, types)
        rows = 0
        for file in self._files[dataset.name]:
            with self._reader(dataset, file, writer.types_for(file)) as reader:
                for some in reader.parts():
                    into.write(writer.lines(file, some))
                    rows += len(some)
                    shutdown.check()
            if not file.is_same(self._storage.find(file.name)):
                raise FileChanged(self._where(dataset), file.name)
        return rows

    def cancel(self) -> None:
        """Do nothing: reading stops at the next write, because the pipe has no reader any more."""
        return

    def close(self) -> None:
        """Close the connection to a server; no file is open between two calls."""
        self._storage.close()

    def __enter__(self) -> FilesSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _where(self, dataset: Dataset) -> str:
        return f"{self.where}: dataset {dataset.name}"

    def _found(self, dataset: Dataset) -> tuple[FoundFile, ...]:
        pattern, options = dataset.source_table, options_of(dataset)
        there = sorted(self._storage.files(pattern))
        found = tuple(one for one in there if matches(pattern, one.name))
        self._others[dataset.name] = [] if found else [one.name for one in there[: SHOWN + 1]]
        if dataset.reads_files_once:
            return tuple(sorted(found, key=lambda one: (one.modified, one.name)))
        if not found:
            raise FilesMissing(self._where(dataset), pattern, self._others[dataset.name])
        if options.take is FilesTaken.NEWEST:
            found = (max(found, key=lambda one: (one.modified, one.name)),)
        shown = ", ".join(one.name for one in found[:5]) + (", ..." if len(found) > 5 else "")
        log.info("%s: %d of %d files: %s", self._where(dataset), len(found), len(there), shown)
        return found

    @contextmanager
    def _reader(self, dataset: Dataset, file: FoundFile, types: Sequence[str] | None = None) -> Iterator[Reader]:
        """Read a file. What is wrong in one that has changed meanwhile, or has gone, is FileChanged."""
        where = self._where(dataset)
        try:
            with readable(self._storage.open(file.name), f"{where}: {file.name}") as stream:
                reader = Reader(where, file.name, stream, options_of(dataset), dataset.columns, types)
                try:
                    yield reader
                finally:
                    reader.close()
        except StreamFactoryError as error:
            if not error.retryable and not file.is_same(self._storage.find(file.name)):
                raise FileChanged(where, file.name) from error
            raise


class _PartWriter:
    """Writes parts of a dataset's files as lines: by columns where that is possible, and otherwise row by row."""

    def __init__(self, where: str, dataset: Dataset, types: Mapping[str, str]) -> None:
        self._where = where
        self._names = [column.name for column in dataset.columns]
        self._types = [types[name] for name in self._names]
        self._encoders = [encoder(one) for one in self._types]
        self._columns: ColumnWriter | None = None

    def types_for(self, file: FoundFile) -> Sequence[str] | None:
        """Return the types by which a reader may give lines as they are; None for a file that is not worth it."""
        return self._types if file.size >= LARGE and find_spec("pyarrow") is not None else None

    def lines(self, file: FoundFile, part: Part) -> bytes:
        """Return the lines of a part. Raises ValueOfFileRefused, and FormatBroken."""
        if isinstance(part, LinePart):
            return part.lines
        written = self._by_columns(part)
        if written is not None:
            return written
        rows = part.rows() if isinstance(part, ColumnPart) else part.rows
        try:
            return "".join([line(row, self._encoders) for _, row in rows]).encode()
        except (Misfit, UnicodeEncodeError):
            number, column, reason = _first_misfit(rows, self._names, self._encoders)
            raise ValueOfFileRefused(self._where, file.name, number, column, reason) from None

    def _by_columns(self, part: RowPart | ColumnPart) -> bytes | None:
        if isinstance(part, RowPart) and not part.are_texts:
            return None
        if self._columns is None:  # pyarrow is loaded for those who need it
            from merge_jobs.sources.values.arrow_text import ColumnWriter

            self._columns = ColumnWriter(self._types, self._encoders)
        if isinstance(part, RowPart):
            from merge_jobs.sources.files.csv_text import columns_of

            return self._columns.lines(columns_of(part.rows))
        return self._columns.lines(part.columns)


def _can_be_written(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding are lone surrogates
        return False
    return True


def options_of(dataset: Dataset) -> FileOptions:
    """Return how the dataset's files are read."""
    return dataset.files or FileOptions()


def _first_misfit(part: Sequence[Row], names: Sequence[str], encoders: Sequence[Encoder]) -> tuple[int, str, Reason]:
    for number, row in part:
        for name, value, write in zip(names, row, encoders, strict=True):
            reason = misfit_of(value, write)
            if reason is not None:
                return number, name, reason
    raise AssertionError("no value of the part is refused")
