"""The change feed of a stream as operators see it: set up, looked at, taken down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from config_schema import names
from config_schema.errors import OptionMissing, StreamFactoryError
from config_schema.model import ChangeFeed, Dataset, SourceKind
from merge_jobs.database.connections import place_of
from merge_jobs.run.feed import looked_at_tables
from merge_jobs.sources.postgres.change_feed import FIRST_VERSION, MEGABYTE, FeedSession, Slot
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.strategies.guard import TableState, look
from merge_jobs.stream import Stream

APPLICATION = "merge-job feed"
NO_FEED = ChangeFeed("")  # of a model that has none any more, while the source may still have the slot


class FeedUnfit(StreamFactoryError):
    """A source cannot tell which keys have changed: its settings, a right, the publication or a table do not fit.

    Have the source's owner do what the error says, and run merge-job feed create again.
    """

    code = "DF5115"

    def __init__(self, where: str, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        todo = "See docs/sources.md, Change feed, for what the source needs. Nothing was made"
        super().__init__(where, "; ".join(reasons), todo)


@dataclass(frozen=True)
class FeedStatus:
    """A stream's slot, and why datasets cannot be followed, by name; None for one that can."""

    slot: Slot
    max_wal: int
    datasets: dict[str, str | None]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "slot": self.slot.name,
            "exists": self.slot.is_there,
            "problem": self.slot.wrong,
            "held_back_bytes": self.slot.held_back,
            "max_wal_bytes": self.max_wal * MEGABYTE,
            "datasets": self.datasets,
        }


def feed_status(stream: Stream, credential: str | None = None) -> FeedStatus:
    """Return how the stream's feed is; nothing is changed. Raises StreamFactoryError."""
    feed = _feed(stream)
    with _opened(stream, credential) as (session, source):
        return FeedStatus(session.look(), feed.max_wal, tables_of_feed(source, stream.datasets, feed))


def create_feed(stream: Stream, credential: str | None = None) -> bool:
    """Create the stream's slot at its source; return whether it was not there.

    Raises FeedUnfit with all reasons; a dataset that cannot be followed is none if another can be.
    """
    feed = _feed(stream)
    with _opened(stream, credential) as (session, source):
        slot = session.look()
        reasons = [] if slot.wrong is None or not slot.is_there else [slot.wrong]
        if slot.is_there and slot.wrong is None:
            return False
        of_tables = tables_of_feed(source, stream.datasets, feed)
        if None not in of_tables.values():
            reasons += [f"dataset {name}: {why}" for name, why in of_tables.items()]
        if not reasons and not session.has_room():
            reasons.append("all replication slots of the source are taken: raise max_replication_slots there")
        if reasons:
            raise FeedUnfit(f"{stream}: {session.where}", reasons)
        session.create()
        return True


def drop_feed(stream: Stream, credential: str | None = None) -> bool:
    """Drop the stream's slot, also if the model asks for no feed any more; return whether there was one.

    Raises StreamFactoryError.
    """
    if stream.store.source.kind is not SourceKind.POSTGRESQL:
        _feed(stream)
    with _opened(stream, credential) as (session, _):
        slot = session.look()
        if slot.is_there:
            session.drop()
        return slot.is_there


def _feed(stream: Stream) -> ChangeFeed:
    feed = stream.store.change_feed
    if feed is None or stream.store.source.kind is not SourceKind.POSTGRESQL:
        todo = "Give the datastore a change_feed with a publication in the model"
        raise OptionMissing(["change_feed"], todo, f"datastore {stream.store.name}", "a change feed")
    return feed


@contextmanager
def _opened(stream: Stream, credential: str | None) -> Iterator[tuple[FeedSession, PostgresSource]]:
    place, slot = place_of(stream.store.source, credential), names.change_feed_slot(stream.platform_name, stream.key)
    with (
        FeedSession(place, stream.store.change_feed or NO_FEED, slot, APPLICATION, may_drop=False) as session,
        PostgresSource(place, APPLICATION) as source,
    ):
        yield session, source


def tables_of_feed(source: PostgresSource, datasets: Sequence[Dataset], feed: ChangeFeed) -> dict[str, str | None]:
    """Return why a feed cannot follow datasets, by name; None for one that it can. Raises StreamFactoryError."""
    if source.version < FIRST_VERSION:
        return {}
    followed = [dataset for dataset in datasets if dataset.cursor is None]
    source.begin(followed)
    looks = {dataset.name: look(source, dataset) for dataset in followed}
    sights: dict[str, TableState] = {name: sight for name, sight in looks.items() if sight is not None}
    found = looked_at_tables(source, followed, sights, feed.publication)
    return {name: sights[name].no_keys or sights[name].no_versions or table.wrong for name, table in found.items()}
