"""Erasing keys for good, for data protection: every version, wherever the platform keeps one; and lifting that again.

The values of a key are in no statement, log or table afterwards: they come by COPY, and a digest keeps them away. All
is one transaction. What it does not reach: backups, write-ahead logs, and the space of deleted rows until VACUUM.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import Dataset
from config_schema.model.sql_types import base_type, long_name
from config_schema.sql.locks import stream_lock
from config_schema.sql.object_comments import parsed_comment
from config_schema.sql.versions import migrations as known_migrations
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.database_errors import database_failed
from merge_jobs.errors import StoreMismatch, StreamBusy
from merge_jobs.stores.postgres import migrations, operator_audit
from merge_jobs.stores.postgres.erased_keys import (
    SALT_LOST,
    ErasedKeysUnreadable,
    datastore,
    digest,
    keep_away_from_map,
    key_form,
    of,
)
from merge_jobs.stores.postgres.merge_store import DryRunStore, MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables, described
from merge_jobs.stream import Stream

MIGRATION = "erased_keys"
SESSION = "erase"  # in place of a run id, where another command says who holds the stream
ROUNDED = frozenset(["numeric", "timestamp", "timestamp with time zone", "timestamp without time zone", "time"])
LIMITS = re.compile(r"\([^)]*\)")
Key = Sequence[str]  # the values of a key's columns, as texts, in the order of the primary key


class KeyUnfit(StreamFactoryError):
    """A key that is to be erased has a value that does not fit the type of its column.

    Correct it in the file. The error does not show the value, which may be personal data.
    """

    code = "DF5220"

    def __init__(self, where: str, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        what = f"a value does not fit the type of its column (key: {', '.join(columns)}); it is not shown here"
        super().__init__(where, what, "Write each value as PostgreSQL does; nothing was erased")


class KeyTypeUnfit(StoreMismatch):
    """The key of a dataset has a type for which PostgreSQL has no hash, so that an erased key could not be recognized.

    Take the rows out at the source instead: the next batch deletes them, and versions of a forensic platform are
    deleted by hand.
    """

    code = "DF5221"

    def __init__(self, where: str, dataset: Dataset) -> None:
        types = {column.name: column.type for column in dataset.columns}
        key = ", ".join(f"{name} {types[name]}" for name in dataset.primary_key)
        todo = "Delete the rows at the source, and versions of a forensic platform by hand; nothing was erased"
        super().__init__(where, f"PostgreSQL cannot hash the key ({key}), so it cannot be kept away", todo)


@dataclass(frozen=True)
class Erased:
    """What was erased of a dataset: keys that were not erased before, those that were, and rows of merge tables.

    Of a forensic table each version is a row.
    """

    keys: int
    known: int
    rows: int


@dataclass(frozen=True)
class _Table:
    """A table with rows or keys of the dataset: of its stream, of a trial, or archived."""

    schema: str
    name: str
    kind: str
    stream: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def erase(
    place: ConnectionInfo,
    stream: Stream,
    dataset: Dataset,
    keys: Sequence[Key],
    lock_wait: float = 0,
    asked_by: str | None = None,
    reason: str | None = None,
    dry_run: bool = False,
) -> Erased:
    """Erase these keys of the dataset, until they are lifted; `dry_run` says what would go, and changes nothing.

    Raises KeyUnfit for values that are none of the key's types, KeyTypeUnfit, and StreamBusy if a job is running.
    """
    with _locked(place, stream, lock_wait, dry_run) as store:
        tables = DatasetTables(store, dataset)
        if unreadable := tables.value("erased_keys.salt_is_lost"):
            raise ErasedKeysUnreadable(tables.where, unreadable, SALT_LOST)
        tables.run("erased_keys.make_salt")
        number = _load(tables, keys)
        values = {**of(tables), "key_form": key_form(dataset), "by": asked_by}
        new = tables.run("erased_keys.add", values, digest=digest(tables)).rowcount
        found = _tables_of(tables)
        rows = sum(_erase_from(tables, one) for one in found)
        _forget_texts(tables, {store.stream.key, *(one.stream for one in found)})
        _finish(tables, "erase_keys", asked_by, reason)
        return Erased(new, number - new, rows)


def lift(
    place: ConnectionInfo,
    stream: Stream,
    dataset: Dataset,
    keys: Sequence[Key] | None,
    lock_wait: float = 0,
    asked_by: str | None = None,
    reason: str | None = None,
) -> int:
    """Let these keys of the dataset in again, all for None; return how many were erased. The next batch has them."""
    with _locked(place, stream, lock_wait) as store:
        tables = DatasetTables(store, dataset)
        _load(tables, keys or ())
        values = {**of(tables), "all": keys is None}
        lifted = tables.run("erased_keys.lift", values, digest=digest(tables)).rowcount
        for one in _tables_of(tables):
            if _is_map_of_versions(tables, one):
                tables.run("erased_keys.read_left_out", map=one.identifier)
            elif one.kind == "merge" and (dataset.cursor is not None or dataset.reads_files_once):
                # They have been passed.
                tables.run("row_map.forget", {"key": one.stream, "dataset": tables.name})
        _finish(tables, "lift_erased_keys", asked_by, reason)
        return lifted


@contextmanager
def _locked(place: ConnectionInfo, stream: Stream, lock_wait: float, dry_run: bool = False) -> Iterator[MergeStore]:
    """Hold the stream, with tables of the version that this program wants; database errors are translated."""
    with (DryRunStore if dry_run else MergeStore)(place, stream, SESSION) as store:
        try:
            migrations.run_missing_migrations(store)
            store.lock_stream(lock_wait)
            yield store
        except psycopg2.Error as error:
            raise database_failed(error, store.where) from error


def _load(tables: DatasetTables, keys: Sequence[Key]) -> int:
    """Load the keys into a temporary table; return how many different ones they are. Raises KeyUnfit."""
    tables.run("erased_keys.create_keys", key_columns=_key_columns(tables))
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(keys)
    file.seek(0)
    try:
        with tables.store.session.cursor() as cursor:
            cursor.copy_expert(tables.composed("erased_keys.copy_keys"), file)
        return int(tables.value("erased_keys.count_keys", digest=digest(tables)))
    except (psycopg2.DataError, psycopg2.IntegrityError):
        # Without what led to it: the server's text has the value.
        raise KeyUnfit(tables.where, tables.dataset.primary_key) from None
    except psycopg2.errors.UndefinedFunction:
        raise KeyTypeUnfit(tables.where, tables.dataset) from None


def _key_columns(tables: DatasetTables) -> sql.Composable:
    """Return the columns of the key, without limits to which a value would be rounded: that would be another key."""
    types = {column.name: column.type for column in tables.dataset.columns}

    def kind(text: str) -> str:
        return LIMITS.sub("", text) if base_type(long_name(text)) in ROUNDED else text

    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), tables.store.type_text(kind(types[name])))
        for name in tables.dataset.primary_key
    )


def _tables_of(tables: DatasetTables) -> list[_Table]:
    """Return all tables with data of the dataset, by their comments; the streams of others among them are locked.

    Raises StreamBusy if a job is running on one of these: a trial, for instance; TablesOfAnother if the merge table is
    not the login's own, so that it would be left out.
    """
    store = tables.store
    described(tables, tables.merge_name)
    found = []
    for schema in (store.place.schema, names.archive_schema(store.stream.platform_name)):
        for name, _, comment in store.run("archive.tables_of_ours", {"schema": schema}).fetchall():
            owner = parsed_comment(comment)
            stream = str(owner.get("stream"))
            of_store = names.without_shadow(stream.partition("#")[0]) == datastore(store)
            if of_store and (owner.get("platform"), owner.get("dataset")) == (store.stream.platform_name, tables.name):
                found.append(_Table(schema, name, str(owner.get("kind")), stream))
    for stream in sorted({one.stream for one in found} - {store.stream.key}):
        lock = stream_lock(store.place.schema, store.stream.platform_name, stream)
        if not store.value("archive.take_lock", {"lock": lock}):
            raise StreamBusy(f"stream {stream}")
    return found


def _erase_from(tables: DatasetTables, one: _Table) -> int:
    """Erase the keys from a table; return how many rows of a merge table that were."""
    if _is_map_of_versions(tables, one):
        before = tables.value("erased_keys.versions_left_out", map=one.identifier)
        keep_away_from_map(tables, one.identifier)
        _change_guard(tables, one, 0, tables.value("erased_keys.versions_left_out", map=one.identifier) - before)
        return 0
    rows = tables.run("erased_keys.erase_rows", table=one.identifier).rowcount
    if one.kind == "map":
        _change_guard(tables, one, rows, 0)
    elif one.kind == "merge" and rows:
        tables.run("cursor.forget_rows", {"key": one.stream, "dataset": tables.name})
    return rows if one.kind == "merge" else 0


def _is_map_of_versions(tables: DatasetTables, one: _Table) -> bool:
    found = described(tables, one.name, one.schema) if one.kind == "map" else None
    return found is not None and names.own_column("ds_hash", _columns(tables)) not in found.columns


def _columns(tables: DatasetTables) -> list[str]:
    return [column.name for column in tables.dataset.columns]


def _change_guard(tables: DatasetTables, one: _Table, rows: int, versions: int) -> None:
    """Record that the map, if it is in use, has so many hashes less, or leaves out so many versions more."""
    if one.schema != tables.store.place.schema or not rows + versions:
        return
    platform, of_store = tables.store.stream.platform_name, one.stream.partition("#")[0]
    usual = names.row_map_table(platform, of_store, tables.name)
    values = {"key": one.stream, "dataset": tables.name, "table": one.name, "usual": usual}
    tables.run("erased_keys.change_guard", {**values, "rows": rows + versions, "kept_away": versions})


def _forget_texts(tables: DatasetTables, streams: Collection[str]) -> None:
    """Begin open batches again, which have counted the keys, and delete what else may have their values."""
    store = tables.store
    platform = store.stream.platform_name
    metrics = store.table(names.batch_metrics_table(platform))
    counter = store.table(names.batch_counter_table(platform))
    rejected = store.table(names.rejected_keys_table(platform))
    of_erased = sql.SQL(", ").join(
        sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier("s", name)) for name in tables.dataset.primary_key
    )
    for stream in streams:
        tables.run("erased_keys.begin_again", {"key": stream}, metrics=metrics)
        of_stream = {"key": stream, "dataset": tables.name}
        tables.run("erased_keys.forget_texts", of_stream, metrics=metrics, counter=counter)
        tables.run("cursor.forget_key", {**of_stream, "columns": list(tables.dataset.primary_key)})
        values = {"stream": stream, "dataset": tables.name}
        tables.run("erased_keys.forget_rejected", values, rejected=rejected, key_of_erased=of_erased)


def _finish(tables: DatasetTables, action: str, asked_by: str | None, reason: str | None) -> None:
    """Keep jobs of older programs out while keys are erased, record the action, and commit."""
    store = tables.store
    number = next(one.number for one in known_migrations() if one.name == MIGRATION)
    versions = store.table(names.schema_version_table(store.stream.platform_name))
    tables.run("erased_keys.older_programs", {"number": number}, versions=versions)
    operator_audit.record_action(store, action, asked_by, reason)
    store.commit()
