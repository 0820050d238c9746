"""Retired streams taken away for good: rows, tables, maps, views, batches. The history says so, and who did it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_plugin.control.stream_data import StreamData, drop, stream_data
from airflow_plugin.streams.opening import PlatformStreams
from config_schema import names
from config_schema.errors import StreamFactoryError

AT_ONCE = 20  # streams in a transaction: each table of one takes some of the server's locks


class NotRetired(StreamFactoryError):
    """A stream cannot be purged because it is not retired.

    Retire it first, dagfactory streams retire, and check that nobody misses it.
    """

    code = "DF3109"

    def __init__(self, stream_key: str, status: str) -> None:
        self.stream_key, self.status = stream_key, status
        super().__init__(stream_key, f"it is {status}, not retired", "Retire it first: dagfactory streams retire")


class NotArchived(StreamFactoryError):
    """Streams cannot be purged without a question, because tables of them are not in the archive.

    Archive them first, with merge-job archive, or give --yes.
    """

    code = "DF3110"

    def __init__(self, stream_keys: Sequence[str]) -> None:
        self.stream_keys = tuple(stream_keys)
        what = f"tables of {len(self.stream_keys)} streams are not archived, of {self.stream_keys[0]} for one"
        super().__init__("purge", what, "Archive them first (merge-job archive), or give --yes")


def purgeable(table: PlatformStreams, stream_keys: Iterable[str]) -> dict[str, StreamData]:
    """Return what each of the streams has. Raises UnknownName for one that is not there, NotRetired."""
    keys = list(dict.fromkeys(stream_keys))
    rows = table.rows()
    for key in keys:
        row = rows.get(key) or table.row(key)
        if row.status != "retired":
            raise NotRetired(key, row.status)
    return stream_data(table.session, keys)


def each_purgeable(
    table: PlatformStreams, stream_keys: Iterable[str]
) -> tuple[dict[str, StreamData], dict[str, StreamFactoryError]]:
    """Return what each of the streams has that can be purged, and why the others cannot."""
    found: dict[str, StreamData] = {}
    refused: dict[str, StreamFactoryError] = {}
    for key in dict.fromkeys(stream_keys):
        try:
            found |= purgeable(table, [key])
        except StreamFactoryError as error:
            refused[key] = error
    return found, refused


def not_archived(platform: str, found: dict[str, StreamData]) -> list[str]:
    """Return the streams with tables that are not in the archive of the platform, named as in the model."""
    archive = names.archive_schema(names.platform_name(platform))
    return [key for key, data in found.items() if not data.is_archived(archive)]


def purge(table: PlatformStreams, found: dict[str, StreamData], purged_by: str, reason: str | None = None) -> None:
    """Drop what the streams have, and delete their rows, in the open transaction.

    Raises StreamFactoryError while a job is running on one, or for what others have built on a table or view.
    """
    for key, data in found.items():
        drop(table.session, key, data)
        table.purge(key, purged_by, reason)
