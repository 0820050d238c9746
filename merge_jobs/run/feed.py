"""What the change feed of a stream tells a batch, what it is trusted for, and what is recorded of it.

A dataset is read by the feed if the batch before left where it was (`upto`): all that the log has before that, a batch
has seen. The slot may stand before it, never behind it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from config_schema.model import Dataset
from config_schema.model.sql_types import long_name, parsed
from merge_jobs.process import shutdown
from merge_jobs.sources.postgres.change_feed import (
    LEFT_BEHIND,
    FeedKeys,
    FeedSession,
    PublishedTable,
    Slot,
    keys_of,
    published_table,
    reading_snapshot,
    table_query,
)
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.stores.postgres.row_maps import RowMap
from merge_jobs.strategies.guard import TableState
from merge_jobs.strategies.step import Condition, Step, on_source, perform

LONGEST_PAUSE = 1.0  # between two looks at the log's end, where nothing comes


@dataclass
class StreamFeed:
    """The feed of a run's stream. The rest is of the batch: what was known before it, and what it has found.

    `advance` is how far the slot may advance once the batch has committed; None if it stays. `had_news` says whether a
    wait has ended because the log had something.
    """

    session: FeedSession
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    slot: Slot | None = None
    tables: dict[str, PublishedTable] = field(default_factory=dict)
    found: FeedKeys | None = None
    is_trusted: bool = False
    since: int = 0  # the number of the transaction before which all must be seen before the slot's position is trusted
    advance: int | None = None
    had_news: bool = False

    def look(self, known: Mapping[str, RowMap | None]) -> None:
        """Look at the slot, before the batch's snapshot."""
        self.stored = {
            name: dict(row_map.guard["feed"]) for name, row_map in known.items() if row_map and "feed" in row_map.guard
        }
        self.tables, self.found, self.advance = {}, None, None
        self.slot = slot = self.session.look()
        if slot.wrong is not None:
            self.is_trusted = False
            return
        self.is_trusted = any(slot.position <= upto for upto in self._positions())
        pending = [
            one["transaction"]
            for one in self._of_slot()
            if one.get("upto") is None and one["position"] == slot.position
        ]
        if not self.is_trusted:
            self.since = min([self.session.own_transaction(), *pending])
            self.session.settle(self.since)

    def _of_slot(self) -> list[dict[str, Any]]:
        return [one for one in self.stored.values() if self._is_of_slot(one)]

    def _is_of_slot(self, stored: Mapping[str, Any]) -> bool:
        assert self.slot is not None
        return (stored["slot"], stored["server"]) == (self.slot.name, self.slot.server)

    def _positions(self) -> list[int]:
        return [one["upto"] for one in self._of_slot() if one.get("upto") is not None]

    def decode(self, source: PostgresSource, datasets: Sequence[Dataset], sights: Mapping[str, TableState]) -> None:
        """Read what the log has of the datasets up to the batch's snapshot, which the source has taken."""
        slot, publication = self.slot, self.session.feed.publication
        if slot is None or slot.wrong is not None:
            return
        followed = [dataset for dataset in datasets if dataset.cursor is None]
        self.tables = looked_at_tables(source, followed, sights, publication)
        snapshot = reading_snapshot(source)
        if snapshot.server != slot.server:
            self.slot, self.is_trusted = replace(slot, wrong="the batch reads another server than the slot's"), False
            return
        # Whoever was in the log before the slot's position, and is not seen, would never be read.
        self.is_trusted = self.is_trusted or snapshot.least >= self.since
        if self.is_trusted:
            wanted = {self.tables[of.name].oid: keys_of(of) for of in followed if self.tables[of.name].wrong is None}
            self.found = self.session.decode(slot, snapshot, wanted)

    def why_not(self, dataset: Dataset) -> str | None:
        """Return why the feed does not tell what has changed in a dataset; None if it does."""
        slot, stored = self.slot, self.stored.get(dataset.name)
        if slot is None or slot.wrong is not None:
            return "it was not looked at" if slot is None else slot.wrong
        table = self.tables[dataset.name]
        if table.wrong is not None:
            return table.wrong
        if stored is None or stored.get("upto") is None or not self._is_of_slot(stored):
            return "no batch has recorded its position yet"
        if stored["facts"] != table.facts:
            return "the publication, or what the table publishes, was changed"
        if slot.position > stored["upto"]:
            return "somebody else has advanced the slot, or created it again"
        assert self.found is not None
        return self.found.doubt(table.oid)

    def positions(self) -> dict[str, Any] | None:
        """Return what to record of each dataset once the batch commits; None if what is recorded may stay."""
        slot = self.slot
        if slot is None or slot.wrong is not None:
            return dict.fromkeys(self.stored) or None
        upto = max(slot.position, 0 if self.found is None else self.found.advance) if self.is_trusted else None
        feeds = {name: self._position(table, upto) for name, table in self.tables.items()}
        feeds |= dict.fromkeys(self.stored.keys() - feeds.keys())
        if not self._is_news(feeds, upto):
            return None
        self.advance = upto if upto is not None and upto > slot.position else None
        return feeds

    def _position(self, table: PublishedTable, upto: int | None) -> dict[str, Any] | None:
        assert self.slot is not None
        if table.wrong is not None:
            return None
        of = {"slot": self.slot.name, "server": self.slot.server, "facts": table.facts}
        if upto is None:
            return {**of, "position": self.slot.position, "transaction": self.since}
        return {**of, "upto": upto}

    def _is_news(self, feeds: Mapping[str, Any], upto: int | None) -> bool:
        if _without_position(feeds) != _without_position({**dict.fromkeys(feeds), **self.stored}):
            return True
        if any(keys.changes for keys in (self.found.tables.values() if self.found else ())):
            return True
        assert self.slot is not None
        position = self.slot.position
        return upto is not None and (upto - position > LEFT_BEHIND or any(one < position for one in self._positions()))

    def wait(self, seconds: float, pause: float) -> bool:
        """Wait until the log has something for a batch, at most so long; return whether the job may go on.

        It is looked at after `pause` seconds first, and then less and less often.
        """
        give_up, self.had_news = time.monotonic() + seconds, False
        while (left := give_up - time.monotonic()) > 0:
            if not shutdown.pause(min(pause, left)):
                return False
            if self.slot is None or self.slot.wrong is not None or self.session.has_news(self.slot):
                self.had_news = True
                return not shutdown.asked()  # a signal ends a look, as if something had come
            pause = min(pause * 1.5, LONGEST_PAUSE)
        return True

    def committed(self) -> None:
        """Let the source forget what the committed batch has seen."""
        perform(COMMITTED_STEPS, self)
        self.advance = None


def _advance(state: StreamFeed) -> None:
    assert state.advance is not None
    state.session.advance(state.advance)


COMMITTED_STEPS: tuple[Step[StreamFeed], ...] = (
    Step(
        _advance,
        (
            on_source(
                "the source need not keep what the batch has seen", "change_feed.advance", strategies=["change_feed"]
            ),
        ),
        when=Condition("", lambda state: state.advance is not None),
    ),
)


def looked_at_tables(
    source: PostgresSource, datasets: Sequence[Dataset], sights: Mapping[str, TableState], publication: str
) -> dict[str, PublishedTable]:
    """Return the datasets' tables in the source's snapshot, and what of them is published."""
    looks = source.together([table_query(source, dataset, publication) for dataset in datasets])
    found: dict[str, PublishedTable] = {}
    keys: dict[int, tuple[str, ...]] = {}
    for dataset, rows in zip(datasets, looks, strict=True):
        table = published_table(rows, dataset, publication)
        if table.wrong is None and [leaf.oid for leaf in sights[dataset.name].leaves] != [table.oid]:
            table = replace(table, wrong="other tables inherit from it")
        elif table.wrong is None and not _is_one_key(source, dataset):
            table = replace(table, wrong="its key has another type in the source")
        elif keys.setdefault(table.oid, dataset.primary_key) != dataset.primary_key:
            table = replace(table, wrong="another dataset reads the same table by another key")
        found[dataset.name] = table
    return found


def _is_one_key(source: PostgresSource, dataset: Dataset) -> bool:
    """Return whether a key's text means the same in the source and in the merge store."""
    columns, types = source.columns(dataset), {column.name: long_name(column.type) for column in dataset.columns}
    return all(
        name in columns
        and columns[name].portable
        and parsed(columns[name].type) is not None
        and parsed(columns[name].type) == parsed(types[name])
        for name in dataset.primary_key
    )


def _without_position(feeds: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None
        if of is None
        else {key: value for key, value in of.items() if key != "upto"} | {"is_known": "upto" in of}
        for name, of in feeds.items()
    }
