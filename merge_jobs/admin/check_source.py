"""Looks at a stream's source as its next batch would: reach, login, tables, columns, types, rights, strategies.

Only the catalogue is read, and queries that read no row: a finding has names and types, never a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import ChangeFeed, Dataset, DatasetSink, SourceKind
from config_schema.model.sql_types import holds_every_value, long_name
from config_schema.problem import Rule
from config_schema.source_check import CheckLevel, ReadableDataset, SourceCheck, SourceFinding, some_names
from merge_jobs.admin.feed import tables_of_feed
from merge_jobs.catalogue import found_tables
from merge_jobs.catalogue.found import FoundTable, TableKind
from merge_jobs.database.connections import ConnectionInfo, place_of
from merge_jobs.errors import SourceColumnMissing
from merge_jobs.process import shutdown
from merge_jobs.run.source_policy import (
    admits_private,
    admitted_source,
    check_credential,
    check_served,
    check_source_host,
)
from merge_jobs.sources import Source, SourceColumn
from merge_jobs.sources.opening import open_source
from merge_jobs.sources.postgres.change_feed import MEGABYTE, FeedSession
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.stores.postgres.locks import check_source as check_lock_room
from merge_jobs.strategies.change_feed import CHANGE_FEED
from merge_jobs.strategies.cursor import check_cursor
from merge_jobs.strategies.guard import look
from merge_jobs.strategies.selection import later_strategy
from merge_jobs.stream import Stream

TYPE_TAKES_VALUES = Rule("DF5601", "The model's type of a column takes every value that the source's type can have.")
COLUMNS_ARE_READABLE = Rule("DF5602", "The job's user may read every column of the model at the source.")
COLUMNS_ARE_MODELLED = Rule("DF5603", "Every column of a source's table is in the model.")
FEED_IS_FOLLOWED = Rule(
    "DF5605", "The source's log tells which keys have changed, where the model has a `change_feed`."
)
KEY_IS_UNIQUE = Rule("DF5604", "The source makes the model's primary key unique, and never NULL.")

APPLICATION = "merge-job check-source"
# Of these a catalogue knows no key.
WITHOUT_KEYS = frozenset([TableKind.VIEW, TableKind.MATERIALIZED_VIEW, TableKind.FOREIGN_TABLE])


def check_source(
    stream: Stream,
    hosts: Sequence[str] | None = None,
    credential: str | None = None,
    served: Collection[DatasetSink] | None = None,
) -> SourceCheck:
    """Return what is found at the stream's source; a source that is not admitted or not reached is a finding too.

    `hosts` and `credential` are those that a merge gets. With `served`, the datasets that the platform serves, they
    come from a row, so that the synced model must say the same.
    """
    modelled = stream.store.source
    try:
        place = admitted_place(stream, hosts, credential, served)
        with open_source(place, APPLICATION) as source, shutdown.cancelling(source.cancel):
            found = _looked(place, source, stream.datasets)
            if stream.store.change_feed is None or not isinstance(source, PostgresSource):
                return found
            return _with_feed(found, stream, place, source, stream.store.change_feed)
    except StreamFactoryError as error:
        return SourceCheck(modelled.database, (_of_error(error),))


def admitted_place(
    stream: Stream, hosts: Sequence[str] | None, credential: str | None, served: Collection[DatasetSink] | None
) -> ConnectionInfo:
    """Return the address that a merge would read, with its login. Raises StreamFactoryError where it would refuse."""
    modelled = stream.store.source
    check_source_host(modelled, hosts)
    source = admitted_source(modelled, hosts)
    if served is not None:
        check_served(stream, served)
        check_credential(modelled, credential)
    return place_of(source, credential, admits_private=admits_private(source, hosts))


def _looked(place: ConnectionInfo, source: Source, datasets: Sequence[Dataset]) -> SourceCheck:
    findings: list[SourceFinding] = []
    readable: list[ReadableDataset] = []
    if isinstance(source, PostgresSource):
        findings += _lock_room(source, datasets)
    tables = {one.name: one for one in found_tables(place, source, {one.source_table for one in datasets})}
    for dataset in datasets:
        shutdown.check()
        of_dataset = list(_of_catalogue(source, dataset, tables.get(dataset.source_table)))
        if not any(one.level is CheckLevel.ERROR for one in of_dataset):
            try:
                readable.append(_read(source, dataset, place.kind))
            except StreamFactoryError as error:
                of_dataset.append(_of_error(error, dataset))
        findings += of_dataset
    return SourceCheck(place.database, tuple(findings), tuple(readable))


def _with_feed(
    found: SourceCheck, stream: Stream, place: ConnectionInfo, source: PostgresSource, feed: ChangeFeed
) -> SourceCheck:
    """Return what was found, with the slot of the stream's change feed, and which datasets can be followed by it."""
    slot_name = names.change_feed_slot(stream.platform_name, stream.key)
    with FeedSession(place, feed, slot_name, APPLICATION, may_drop=False) as session:
        slot = session.look()
    readable = {one.name for one in found.datasets}
    reasons = tables_of_feed(source, [one for one in stream.datasets if one.name in readable], feed)
    findings = list(found.findings)
    if slot.wrong is not None:
        todo = "See docs/sources.md, Change feed; merge-job feed create makes a slot that is missing"
        findings.append(SourceFinding(CheckLevel.WARNING, "", slot.wrong, todo, FEED_IS_FOLLOWED.code))
    else:
        what = f"the slot {slot.name} holds back {slot.held_back // MEGABYTE} MB of WAL, of {feed.max_wal} that it may"
        todo = "If it grows, see whether the stream runs: a slot that nobody reads fills the source's disk"
        findings.append(SourceFinding(CheckLevel.NOTE, "", what, todo, FEED_IS_FOLLOWED.code))
    for name, why in reasons.items():
        if why is not None:
            todo = "Have the source's owner change that, or leave it: its changes are found in the table"
            findings.append(SourceFinding(CheckLevel.WARNING, name, why, todo, FEED_IS_FOLLOWED.code))
    followed = {name for name, why in reasons.items() if why is None and slot.wrong is None}
    datasets = tuple(
        replace(one, strategy=CHANGE_FEED.name, why="") if one.name in followed else one for one in found.datasets
    )
    return replace(found, findings=tuple(findings), datasets=datasets)


def _lock_room(source: PostgresSource, datasets: Sequence[Dataset]) -> Iterator[SourceFinding]:
    try:
        check_lock_room(source, datasets)
    except StreamFactoryError as error:
        yield _of_error(error)


def _read(source: Source, dataset: Dataset, kind: SourceKind) -> ReadableDataset:
    """Take a snapshot of the dataset as a batch does, and read no row of it. Raises StreamFactoryError."""
    source.begin([dataset])
    source.try_read(dataset)
    check_cursor(source, dataset, kind)
    strategy, why = later_strategy(dataset, look(source, dataset))
    columns = tuple((name, column.type) for name, column in source.columns(dataset).items())
    return ReadableDataset(dataset.name, dataset.source_table, strategy, why, columns)


def _of_catalogue(source: Source, dataset: Dataset, table: FoundTable | None) -> Iterator[SourceFinding]:
    """Yield what the catalogue says about a dataset's table; nothing where it has none, which a read reports."""
    if table is None or not table.columns:
        return
    theirs = source.columns(dataset)
    missing = [column.name for column in dataset.columns if column.name not in theirs]
    if missing:
        yield _of_error(SourceColumnMissing(source.where, table.name, missing, theirs), dataset)
    yield from _rights(dataset, table)
    yield from _types(dataset, table, theirs)
    yield from _keys(dataset, table)
    unmodelled = [name for name in theirs if name not in {column.name for column in dataset.columns}]
    if unmodelled:
        what = f"table {table.name} has columns that the model does not: {some_names(unmodelled)}"
        todo = "Add them to the model if consumers need them"
        yield SourceFinding(CheckLevel.NOTE, dataset.name, what, todo, COLUMNS_ARE_MODELLED.code)


def _rights(dataset: Dataset, table: FoundTable) -> Iterator[SourceFinding]:
    modelled = {column.name for column in dataset.columns}
    refused = [column.name for column in table.columns if column.unreadable is not None and column.name in modelled]
    if not refused:
        return
    whole = all(column.unreadable is not None for column in table.columns)
    of = f"table {table.name}" if whole else f"columns of table {table.name}: {some_names(refused)}"
    todo = f"Grant it to the job's user on the {'table' if whole else 'columns'}, or take them out of the model"
    yield SourceFinding(
        CheckLevel.ERROR, dataset.name, f"the job's user has no SELECT on {of}", todo, COLUMNS_ARE_READABLE.code
    )


def _types(dataset: Dataset, table: FoundTable, theirs: Mapping[str, SourceColumn]) -> Iterator[SourceFinding]:
    """Yield columns whose type may have values that the model's type refuses, which fail a batch."""
    described = {column.name: column.type for column in table.columns}
    for column in dataset.columns:
        if column.name not in theirs:
            continue
        # A domain, an enum or another type of the producer's own is what the catalogue says it can be modelled as.
        kind, ours = theirs[column.name].type, long_name(column.type)
        if any(holds_every_value(one, ours) for one in (kind, described.get(column.name, kind))):
            continue
        what = f"column {column.name} is {kind} in the source, and the model's {column.type} does not take every value"
        todo = f"Model it as {described.get(column.name, kind)}, or be sure that every value fits: others fail a batch"
        yield SourceFinding(CheckLevel.WARNING, dataset.name, what, todo, TYPE_TAKES_VALUES.code)


def _keys(dataset: Dataset, table: FoundTable) -> Iterator[SourceFinding]:
    """Yield a finding where no unique index of the source has only columns of the model's key."""
    key = set(dataset.primary_key)
    of_key = [one for one in table.keys if one.columns and key.issuperset(one.columns)]
    if any(one.unusable is None for one in of_key):
        return
    level = CheckLevel.NOTE if table.kind in WITHOUT_KEYS else CheckLevel.WARNING
    why = next((f" ({one.name}: {one.unusable})" for one in of_key if one.unusable), "")
    what = (
        f"nothing in {table.kind.value} {table.name} makes {', '.join(dataset.primary_key)} unique and never NULL{why}"
    )
    todo = "A batch that finds such a key twice, or NULL in it, fails: see that the producer never writes one"
    yield SourceFinding(level, dataset.name, what, todo, KEY_IS_UNIQUE.code)


def _of_error(error: StreamFactoryError, dataset: Dataset | None = None) -> SourceFinding:
    """Return an error as a finding, without its private part: others than who runs the servers read it."""
    name = "" if dataset is None else dataset.name
    return SourceFinding(CheckLevel.ERROR, name, error.what, error.todo, error.code)
