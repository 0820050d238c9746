"""A producer that is an API as a source: the records of all pages of an endpoint are the rows of a dataset."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, assert_never

from config_schema.model import Dataset, RestCursorFormat, RestEndpoint
from config_schema.model.sql_types import INTEGERS, long_name
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.process import shutdown
from merge_jobs.sources import Since, SourceColumn, SourcePart
from merge_jobs.sources.rest.errors import ApiNotReached, ListIncomplete
from merge_jobs.sources.rest.records import RecordWriter

if TYPE_CHECKING:
    from merge_jobs.sources.rest.pages import ApiPage

log = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RestSource:
    """The endpoints of an API; see Source."""

    def __init__(self, place: ConnectionInfo) -> None:
        """Take an address. Raises ApiNotReached if dlt is not installed."""
        self.place = place
        self.where = f"source {place}"
        try:
            # A second of imports, which jobs of other kinds do without.
            from merge_jobs.sources.rest import http, pages
        except ImportError as error:
            todo = "Install airflow-stream-factory[rest] into the merge-job image"
            raise ApiNotReached(self.where, "dlt, which reads APIs, is not installed", todo, retryable=False) from error
        self._pages = pages.pages
        self._session = http.ApiSession(place, self.where)

    def begin(self, datasets: Sequence[Dataset]) -> datetime:
        """Return the time: an API has no snapshot."""
        return datetime.now(UTC)

    def columns(self, dataset: Dataset) -> Mapping[str, SourceColumn]:
        """Return the columns with the model's types: a record's values are read as such."""
        return {one.name: SourceColumn(long_name(one.type), portable=False) for one in dataset.columns}

    def try_read(self, dataset: Dataset) -> None:
        """Ask for the first page, and keep nothing of it. Raises what a read of its records would."""
        writer = self._writer(dataset, {one.name: long_name(one.type) for one in dataset.columns})
        with closing(self._all_pages(dataset)) as pages:
            for page in pages:
                writer.lines(page.number, page.records)
                return

    def estimated_rows(self, dataset: Dataset) -> int | None:
        """Return None: what an API says of its number of records, it says with the first page."""
        return None

    def copy_out(
        self,
        dataset: Dataset,
        types: Mapping[str, str],
        binary: bool,
        into: BinaryIO,
        part: SourcePart | Since = SourcePart.ROWS,
    ) -> int:
        """Write the rows of all pages in COPY's text format, and return how many.

        Raises RecordRefused and AnswerBroken with page and record, ListIncomplete, ApiNotReached and ServerRefused.
        """
        assert not binary, "only PostgreSQL has PostgreSQL's binary format"
        writer, rows, before = self._writer(dataset, types), 0, set[bytes]()
        number = records = 0
        start = start_value(endpoint_of(dataset), part) if isinstance(part, Since) else None
        with closing(self._all_pages(dataset, start)) as pages:
            for page in pages:
                lines, written = writer.lines(page.number, page.records)
                digest = hashlib.blake2b(lines, digest_size=16).digest()
                if lines and digest in before:
                    what = "it has the same records as a page before it"
                    raise ListIncomplete(self._where(dataset), page.number, what)
                before.add(digest)
                into.write(lines)
                rows += written
                number, records = page.number, records + len(page.records)
                shutdown.check()
        log.info("%s: %d pages with %d records", self._where(dataset), number, records)
        return rows

    def cancel(self) -> None:
        """End what waits for the server."""
        self._session.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def __enter__(self) -> RestSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _where(self, dataset: Dataset) -> str:
        return f"{self.where}: dataset {dataset.name}"

    def _writer(self, dataset: Dataset, types: Mapping[str, str]) -> RecordWriter:
        return RecordWriter(self._where(dataset), endpoint_of(dataset), dataset.columns, types)

    def _all_pages(self, dataset: Dataset, start: str | None = None) -> Generator[ApiPage, None, None]:
        return self._pages(self._session, self.place, endpoint_of(dataset), self._where(dataset), start)


def start_value(endpoint: RestEndpoint, since: Since) -> str | None:
    """Return the value from which on an endpoint is asked for records; None if it cannot be asked so.

    A value of less precision is before the time that it stands for: some records are read once more.
    """
    if endpoint.incremental is None:
        return None
    if since.kind in INTEGERS:
        return since.at_least
    try:
        at = datetime.fromisoformat(since.at_least)
    except ValueError:  # before the year 1, or after 9999
        return since.at_least
    in_utc = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    match endpoint.incremental.format:
        case RestCursorFormat.DATE:
            return in_utc.date().isoformat()
        case RestCursorFormat.UNIX:
            return str((in_utc - EPOCH) // timedelta(seconds=1))
        case RestCursorFormat.UNIX_MS:
            return str((in_utc - EPOCH) // timedelta(milliseconds=1))
        case RestCursorFormat.ISO:
            if since.kind == "date":
                return at.date().isoformat()
            return in_utc.replace(tzinfo=None).isoformat() + ("" if at.tzinfo is None else "Z")
    assert_never(endpoint.incremental.format)


def endpoint_of(dataset: Dataset) -> RestEndpoint:
    """Return where the dataset's records are: the model's rules demand one."""
    assert dataset.endpoint is not None
    return dataset.endpoint
