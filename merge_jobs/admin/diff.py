"""Compares datasets with their source now: which keys differ, and in which columns. Nothing is written that lasts.

All rows of the source are copied to a temporary table beside the merge table, so that any source and any type is
compared exactly as a full batch compares it. Everything is one transaction, which is rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

import psycopg2
from psycopg2 import sql

from config_schema.errors import StreamFactoryError
from config_schema.model import DELETED_COLUMN, Dataset, Milestoning, OnDelete
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database_errors import database_failed
from merge_jobs.errors import StoreMismatch
from merge_jobs.process import shutdown
from merge_jobs.run.ingest import is_merged
from merge_jobs.schema_change import Drift, drift
from merge_jobs.sources import Source
from merge_jobs.sources.opening import open_source
from merge_jobs.sources.postgres.position import position_from_dict, wait_until_not_behind
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.stores.postgres import batches, erased_keys, migrations
from merge_jobs.stores.postgres.apply import Delta, measured, set_work_memory
from merge_jobs.stores.postgres.locks import check_source
from merge_jobs.stores.postgres.merge_store import DryRunStore, MergeStore
from merge_jobs.stores.postgres.tables import (
    DatasetTables,
    DescribedTable,
    MergeTableBroken,
    check_types,
    described,
    merge_table,
)
from merge_jobs.strategies.bulk_copy import read_into
from merge_jobs.strategies.cursor import deleted_at
from merge_jobs.strategies.rejected_keys import refuse_bad_keys
from merge_jobs.strategies.rejected_values import refusals_named
from merge_jobs.strategies.row_map_load import keep_unlisted
from merge_jobs.stream import Stream

SESSION = "diff"  # in place of a run id, where another command says who holds the stream
LONGEST_KEY = 1000  # characters of each of its columns
SOURCE = "ds_source"
OPEN = {Milestoning.LIVE: sql.SQL(" WHERE true"), Milestoning.FORENSIC: sql.SQL(" WHERE ds_batch_out = 2147483647")}


class NeverLoaded(StoreMismatch):
    """A dataset has no merge table yet, so there is nothing to compare with the source.

    Run the stream's merge; its first batch loads every row.
    """

    code = "DF5218"

    def __init__(self, where: str, table: str) -> None:
        self.table = table
        what = f"the dataset was never loaded: there is no table {table}"
        super().__init__(where, what, "Let the stream run: its first batch loads every row")


class FilesReadOnce(StreamFactoryError):
    """The dataset's files are each read once, and the merge table has what they gave one after another.

    There is no list of all rows to compare it with. `dagfactory streams reload` lets all files be read again.
    """

    code = "DF5126"

    def __init__(self, where: str) -> None:
        what = "each of its files is read once, so that no list of all rows is there to compare it with"
        super().__init__(where, what, "Use dagfactory streams reload to have all files read again")


class Difference(Enum):
    """How a key differs: it is on one side only, or its rows are not equal."""

    ONLY_IN_SOURCE = "only_in_source"
    ONLY_IN_MERGE_TABLE = "only_in_merge_table"
    DIFFERENT = "different"


KEYS_OF = {
    Difference.ONLY_IN_SOURCE: "diff.keys_only_in_source",
    Difference.ONLY_IN_MERGE_TABLE: "diff.keys_only_in_merge_table",
    Difference.DIFFERENT: "diff.keys_different",
}


@dataclass(frozen=True)
class DifferingKey:
    """A key that differs: its values as text by column, cut after LONGEST_KEY characters.

    `columns` are those whose values differ; empty for a key that is on one side only.
    """

    difference: Difference
    key: Mapping[str, str]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetDiff:
    """A dataset that was compared: its rows on both sides, the number of differing keys, and some of them.

    Of a forensic merge table only the open versions count. `drift` says what the next batch would alter in the merge
    table first: a column that it lacks is compared as NULL. Rows of the source with erased keys are not counted
    in `source_rows`: `kept_away` is their number. `reads_by_cursor` says that keys may be in the merge table only, as
    deletes wait for a sweep or a full batch.
    """

    source_rows: int
    merged_rows: int
    counts: Mapping[Difference, int]
    keys: tuple[DifferingKey, ...]
    drift: Drift
    kept_away: int = 0
    reads_by_cursor: bool = False

    @property
    def is_equal(self) -> bool:
        """Whether the merge table has the source's rows, and no others but those that a cursor leaves."""
        expected = {Difference.ONLY_IN_MERGE_TABLE} if self.reads_by_cursor else set()
        return not any(number for of, number in self.counts.items() if of not in expected)


@dataclass(frozen=True)
class StreamDiff:
    """Datasets of a stream as one snapshot of the source has them, against what its last committed batch left.

    `batch_id` is 0 and `taken` None if no dataset was ever loaded.
    """

    batch_id: int
    taken: datetime | None
    datasets: Mapping[str, DatasetDiff | NeverLoaded]

    @property
    def is_equal(self) -> bool:
        """Whether every dataset was loaded and has its source's rows."""
        return all(isinstance(one, DatasetDiff) and one.is_equal for one in self.datasets.values())


def compare(
    place: ConnectionInfo,
    source: ConnectionInfo,
    stream: Stream,
    datasets: Sequence[Dataset],
    limit: int,
    lock_wait: float = 0,
) -> StreamDiff:
    """Compare these datasets of the stream with the source, with at most `limit` keys each.

    The stream is locked meanwhile, so that no batch changes it. Raises StreamBusy if a job is running on it,
    KeysRejected for keys that a batch would refuse, FilesReadOnce, and what else a batch would raise for a source that
    it cannot read.
    """
    for dataset in datasets:
        if dataset.reads_files_once:
            raise FilesReadOnce(f"{stream}: dataset {dataset.name}")
    with DryRunStore(place, stream, SESSION) as store, shutdown.cancelling(store.session.cancel):
        try:
            store.lock_stream(lock_wait)
            found = migrations.tables_version(store)
            found.check(store.where)
            last = 0 if found.lost else batches.last_batch(store)
            return _compared(store, source, [DatasetTables(store, one) for one in datasets], last, limit)
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error


def _compared(
    store: MergeStore, place: ConnectionInfo, every: Sequence[DatasetTables], last: int, limit: int
) -> StreamDiff:
    done: dict[str, DatasetDiff | NeverLoaded] = {
        tables.name: NeverLoaded(tables.where, tables.merge_name) for tables in every if not is_merged(tables, last)
    }
    loaded = [tables for tables in every if tables.name not in done]
    if not loaded:
        return StreamDiff(last, None, done)
    read = [tables.dataset for tables in loaded]
    erased = erased_keys.numbers(store) if erased_keys.stand(store) else {}
    with open_source(place, f"merge-job {SESSION} {store.stream.key}") as source, shutdown.cancelling(source.cancel):
        if isinstance(source, PostgresSource):
            check_source(source, read)
            _wait(store, source, last)
        taken = source.begin(read)
        for tables in loaded:
            store.commit()
            try:
                done[tables.name] = _compare(tables, source, limit, tables.name in erased)
            except psycopg2.Error as error:
                raise database_failed(error, f"{store.where}: dataset {tables.name}") from error
            store.rollback()  # frees the temporary tables and the lock on the merge table before the next
        if isinstance(source, PostgresSource):
            source.check_snapshot()
    return StreamDiff(last, taken, done)


def _wait(store: MergeStore, source: PostgresSource, last: int) -> None:
    """Wait for a source that is behind the last batch, as a batch does. Raises SourceBehind."""
    position = position_from_dict(batches.source_position(store, last))
    if position is not None and not batches.accepts_source(store, last + 1):
        wait_until_not_behind(source, position, last)


def _compare(tables: DatasetTables, source: Source, limit: int, has_erased: bool) -> DatasetDiff:
    existing = merge_table(tables)
    assert existing is not None
    check_types(tables)
    tables.run("diff.create_source")
    schema = str(tables.store.value("diff.temporary_schema"))
    made = described(tables, SOURCE, schema)
    assert made is not None
    changes = drift(tables, existing, made)  # refused before the source is read
    with refusals_named(tables, source):
        rows = read_into(tables, source, made, "diff.copy_source")
    kept_away = erased_keys.keep_away(tables, sql.Identifier(SOURCE)) if has_erased else 0
    rows -= kept_away
    if not tables.dataset.source_lists_all:
        rows += keep_unlisted(tables, existing, made, sql.Identifier(SOURCE))
    if (column := deleted_at(tables)) is not None:
        of = {"loaded": sql.Identifier(SOURCE), "deleted_at": sql.Identifier(column)}
        rows -= tables.run("cursor.leave_out_deleted", None, **of).rowcount
    tables.run("dataset.lock_merge_table")  # rows are known by their ctid
    if DELETED_COLUMN not in existing.columns:  # the next batch adds it
        tables = replace(tables, dataset=replace(tables.dataset, on_delete=OnDelete.FOLLOW))
    set_work_memory(tables, SOURCE, schema)
    parts = _parts(tables, existing, made)
    tables.run(
        "diff.find", keys_of_either=parts["keys_of_either"], as_modelled=parts["as_modelled"], open=parts["open"]
    )
    before, delta = measured(tables)
    _check(tables, before, delta, rows)
    counts = {
        Difference.ONLY_IN_SOURCE: delta.new,
        Difference.ONLY_IN_MERGE_TABLE: delta.gone,
        Difference.DIFFERENT: delta.changed,
    }
    keys = tuple(
        DifferingKey(of, dict(zip(tables.dataset.primary_key, key, strict=True)), tuple(columns))
        for of, share in shares(counts, limit).items()
        for key, columns in _keys(tables, of, share, parts)
    )
    return DatasetDiff(rows, before, counts, keys, changes, kept_away, tables.dataset.cursor is not None)


def _check(tables: DatasetTables, before: int, delta: Delta, rows: int) -> None:
    """Raise KeysRejected for keys that a batch would refuse, or MergeTableBroken if the row counts do not match."""
    adds_up = before + delta.new - delta.gone == rows
    if delta.new or not adds_up:  # a NULL in a key equals nothing, so it counts as new
        refuse_bad_keys(tables, sql.Identifier(SOURCE))
    if not adds_up:
        what = f"{before} rows, {delta.new} new and {delta.gone} gone do not add up to the source's {rows}"
        raise MergeTableBroken(f"{tables.where}: table {tables.merge_name}", what, "Check the table's unique index")


def shares(counts: Mapping[Difference, int], limit: int) -> dict[Difference, int]:
    """Return how many keys of each kind are shown: no kind takes the room that another one needs."""
    left, found = limit, {}
    kinds = sorted(counts, key=lambda of: counts[of])
    for number, of in enumerate(kinds):
        found[of] = min(counts[of], left // (len(kinds) - number))
        left -= found[of]
    return {of: found[of] for of in counts if found[of]}


def _keys(
    tables: DatasetTables, of: Difference, limit: int, parts: Mapping[str, sql.Composable]
) -> list[tuple[list[str], list[str]]]:
    """Return the first keys of a kind, each as texts, with the columns that differ."""
    wanted = ("key_texts", "keys", *(("differing", "as_modelled") if of is Difference.DIFFERENT else ()))
    found: list[tuple[list[str], list[str]]] = tables.run(
        KEYS_OF[of], {"limit": limit}, **{part: parts[part] for part in wanted}
    ).fetchall()
    return found


def _parts(tables: DatasetTables, existing: DescribedTable, made: DescribedTable) -> dict[str, sql.Composable]:
    comma, key = sql.SQL(", "), tables.dataset.primary_key
    columns = [column.name for column in tables.dataset.columns]
    keys = [sql.Identifier(f"key_{number}") for number in range(1, len(key) + 1)]
    both: list[tuple[sql.Composable, Any]] = list(zip(keys, key, strict=True))
    types = {column.name: tables.store.type_text(column.type) for column in tables.dataset.columns}
    return {
        "open": sql.SQL("{}{}").format(
            OPEN[tables.milestoning], tables.parts_of("live.count_open", {})["and_in_source"]
        ),
        "keys": comma.join(sql.SQL("d.{}").format(one) for one in keys),
        "keys_of_either": comma.join(
            sql.SQL("coalesce({}, {}) AS {}").format(sql.Identifier("s", name), sql.Identifier("m", name), one)
            for one, name in both
        ),
        # A key column may have any type; every type has a text, which ::text would trim of a char(n).
        "key_texts": sql.SQL("ARRAY[{}]").format(
            comma.join(sql.SQL("left(format('%s', d.{}), {})").format(one, sql.Literal(LONGEST_KEY)) for one in keys)
        ),
        "as_modelled": comma.join(
            _as_modelled(name, types[name], existing.columns.get(name), made.columns[name]) for name in columns
        ),
        "differing": comma.join(
            sql.SQL("CASE WHEN ROW({})::record *<> ROW({})::record THEN {}::text END").format(
                sql.Identifier("s", name), sql.Identifier("m", name), sql.Literal(name)
            )
            for name in columns
        ),
    }


def _as_modelled(name: str, type_text: sql.SQL, theirs: str | None, modelled: str) -> sql.Composable:
    """Return a column of the merge table as it is once the table fits the model."""
    column = sql.Identifier(name)
    if theirs is None:
        return sql.SQL("NULL::{} AS {}").format(type_text, column)
    return column if theirs == modelled else sql.SQL("{}::{} AS {}").format(column, type_text, column)
