"""A stream read again: every row compared with the source, or merge tables dropped, so that they are loaded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_plugin.control.stream_data import (
    StreamData,
    drop_objects,
    forget_maps,
    lock_stream,
    open_batch,
    stream_data,
)
from airflow_plugin.streams.opening import PlatformStreams
from airflow_plugin.sync.diff import parsed
from config_schema.errors import StreamFactoryError, UnknownName


class BatchOpen(StreamFactoryError):
    """A stream is to be loaded again while a batch of it is staged, which goes on from the tables as they are.

    Let the next run finish the batch, or take it back with dagfactory runs reset.
    """

    code = "DF3111"

    def __init__(self, stream_key: str, batch_id: int) -> None:
        self.stream_key, self.batch_id = stream_key, batch_id
        todo = "Let the next run finish it, or take it back: dagfactory runs reset"
        super().__init__(stream_key, f"batch {batch_id} is staged and not merged yet", todo)


class StreamIsRetired(StreamFactoryError):
    """A retired stream is to be loaded again: it runs no more.

    Bring it back first, with dagfactory streams rollback.
    """

    code = "DF3112"

    def __init__(self, stream_key: str) -> None:
        self.stream_key = stream_key
        super().__init__(stream_key, "it is retired, and loads nothing", "Bring it back: dagfactory streams rollback")


@dataclass(frozen=True)
class Reload:
    """What the next batch of a stream compares in full, or loads again, and what is dropped for that."""

    stream_key: str
    datasets: tuple[str, ...]
    keeps_history: bool
    dropped: tuple[StreamData, ...] = ()

    @property
    def bytes(self) -> int:
        """The size of the tables that are dropped."""
        return sum(one.bytes for one in self.dropped)

    def names(self) -> list[str]:
        """Return what is dropped."""
        return [name for one in self.dropped for name in one.names()]


def reload_of(table: PlatformStreams, stream_key: str, dataset: str | None, *, keep_history: bool) -> Reload:
    """Return what a reload of a stream, or of one dataset of it, would do.

    Raises UnknownName for a stream or dataset that is not there, StreamIsRetired, BatchOpen.
    """
    datasets = _datasets(table, stream_key, dataset)
    if (batch_id := open_batch(table.session, stream_key)) is not None:
        raise BatchOpen(stream_key, batch_id)
    dropped = [] if keep_history else [_data(table, stream_key, name) for name in datasets]
    return Reload(stream_key, tuple(datasets), keep_history, tuple(dropped))


def reload(table: PlatformStreams, stream_key: str, dataset: str | None, asked_by: str, *, keep_history: bool) -> None:
    """Let the next batch compare or load every row, in the open transaction; the history says who asked for it.

    Raises JobOnStream while a job is running on the stream, TableInUse for what others have built on a table, and what
    `reload_of` raises.
    """
    lock_stream(table.session, stream_key)
    found = reload_of(table, stream_key, dataset, keep_history=keep_history)
    for data in found.dropped:
        drop_objects(table.session, data)
    forget_maps(table.session, stream_key, found.datasets)
    table.note(stream_key, "compare_in_full" if keep_history else "load_again", asked_by)


def _data(table: PlatformStreams, stream_key: str, dataset: str) -> StreamData:
    return stream_data(table.session, [stream_key], dataset=dataset, archived=False)[stream_key]


def _datasets(table: PlatformStreams, stream_key: str, dataset: str | None) -> Sequence[str]:
    row = table.row(stream_key)
    if row.status == "retired":
        raise StreamIsRetired(stream_key)
    known = [str(one) for one in parsed(row.config_json).get("datasets", [])]
    if dataset is None:
        return known
    if dataset not in known:
        raise UnknownName("--dataset", "dataset", dataset, known, stream_key)
    return [dataset]
