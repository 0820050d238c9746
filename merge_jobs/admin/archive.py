"""Merge tables of retired streams: moved to the platform's archive schema, moved back, or dropped from there.

A table is moved with all its rows and indexes. The move drops the as-of functions of a forensic table; the next batch
of a stream that came back creates them again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from typing import Any

import psycopg2
from psycopg2 import errorcodes, sql
from psycopg2.extensions import connection as Connection

from config_schema import names
from config_schema.errors import StreamFactoryError, UnknownName
from config_schema.sql.locks import stream_lock
from config_schema.sql.object_comments import parsed_comment
from merge_jobs.database.connections import ConnectionInfo, connect
from merge_jobs.database_errors import database_failed, in_words
from merge_jobs.errors import DatabaseFailed, NotOurs, StoreMismatch, StreamBusy
from merge_jobs.sql import execute
from merge_jobs.stores.postgres.locks import lock_tries

LOCK_SECONDS = 10


class StreamTableMissing(StoreMismatch):
    """The merge store has no stream table of the platform, so it is unknown which streams are retired.

    Run dagfactory sync, which creates it.
    """

    code = "DF5212"

    def __init__(self, where: str, table: str, schema: str) -> None:
        self.table, self.schema = table, schema
        super().__init__(where, f"there is no table {table} in schema {schema}", "Run dagfactory sync, which makes it")


class AlreadyThere(StoreMismatch):
    """A merge table cannot be moved, because the target schema has a table of that name.

    Restore or drop the older one.
    """

    code = "DF5213"

    def __init__(self, stream: str, table: str, schema: str) -> None:
        self.stream, self.table, self.schema = stream, table, schema
        what = f"schema {schema} has a table of that name already"
        super().__init__(f"stream {stream}: table {table}", what, "Restore or drop the older one")


class LakeStays(StreamFactoryError):
    """Merge tables of a platform with a lake cannot be archived: its rows are in the lake.

    Leave the streams retired; their rows stay in the lake.
    """

    code = "DF5307"

    def __init__(self, platform: str) -> None:
        self.platform = platform
        todo = "Leave the streams retired: nothing reads or writes their tables any more"
        super().__init__(platform, "the platform's rows are in a lake, which is not archived", todo)


class ArchiveAction(Enum):
    """What to do with the tables; the value is the past participle, for messages."""

    ARCHIVE = "archived"
    RESTORE = "restored"
    DROP = "dropped"


@dataclass(frozen=True)
class ArchiveResult:
    """The tables of a stream that were moved or dropped, and their size; `failed` says why none were."""

    stream: str
    tables: tuple[str, ...] = ()
    size: int = 0
    failed: StreamFactoryError | None = None


@dataclass(frozen=True)
class Archive:
    """A platform's tables and its archive: `platform` is the derived name."""

    session: Connection
    place: ConnectionInfo
    platform: str

    @property
    def schema(self) -> str:
        """The archive schema of the platform."""
        return names.archive_schema(self.platform)

    def rows(self, name: str, values: Mapping[str, Any], **parts: sql.Composable) -> list[tuple[Any, ...]]:
        """Return the rows of the statement `name`."""
        with self.session.cursor() as cursor:
            execute(cursor, name, parts, values)
            return cursor.fetchall()

    def run(self, name: str, **parts: sql.Composable) -> None:
        """Run the statement `name`."""
        with self.session.cursor() as cursor:
            execute(cursor, name, parts, {})

    def tables(self, schema: str) -> dict[str, dict[str, int]]:
        """Return the platform's tables in a schema: for each stream, its tables and their sizes in bytes.

        Raises LakeStays.
        """
        found: dict[str, dict[str, int]] = {}
        for table, size, comment in self.rows("archive.tables_of_ours", {"schema": schema}):
            owner = parsed_comment(comment)
            if owner.get("platform") == self.platform and "stream" in owner:
                if "lake" in owner:
                    raise LakeStays(self.platform)
                found.setdefault(str(owner["stream"]), {})[table] = size
        return found


def change_archive(
    action: ArchiveAction,
    place: ConnectionInfo,
    platform: str,
    days: int = 0,
    streams: Collection[str] = (),
    *,
    dry_run: bool = False,
) -> Iterator[ArchiveResult]:
    """Yield each stream after its tables were archived, restored or dropped, each in its own transaction.

    Only `streams` are considered, if given. Streams that were retired at least that many days ago are archived and
    dropped; restored streams may have any age. Raises StreamFactoryError if the merge store cannot be read, or has
    no such streams.
    """
    where = f"merge store {place}"
    with closing(connect(place, names.archive_session(platform), where, LOCK_SECONDS)) as session:
        archive = Archive(session, place, platform)
        try:
            chosen = _chosen(archive, action, days, streams)
            session.rollback()
        except psycopg2.Error as error:
            raise database_failed(error, where) from error
        for stream, tables in chosen.items():
            for timeout, is_last in lock_tries(LOCK_SECONDS):
                one = _tried(archive, action, stream, tables, timeout, dry_run)
                if is_last or not _found_a_lock(one):
                    yield one
                    break


def _tried(
    archive: Archive, action: ArchiveAction, stream: str, tables: Mapping[str, int], timeout: int, dry_run: bool
) -> ArchiveResult:
    """Perform the action for a stream, with that many milliseconds for each lock."""
    try:
        archive.rows("archive.wait_for_locks", {"timeout": f"{timeout}ms"})
        _do(archive, action, stream, tables)
        if not dry_run:
            archive.session.commit()
        return ArchiveResult(stream, tuple(tables), sum(tables.values()))
    except Exception as error:
        return ArchiveResult(stream, failed=in_words(error, f"merge store {archive.place}, stream {stream}"))
    finally:
        archive.session.rollback()


def _found_a_lock(change_archive: ArchiveResult) -> bool:
    return (
        isinstance(change_archive.failed, DatabaseFailed)
        and change_archive.failed.sqlstate == errorcodes.LOCK_NOT_AVAILABLE
    )


def _chosen(archive: Archive, action: ArchiveAction, days: int, wanted: Collection[str]) -> dict[str, dict[str, int]]:
    found = archive.tables(archive.place.schema if action is ArchiveAction.ARCHIVE else archive.schema)
    known: Collection[str] = found if action is ArchiveAction.RESTORE else _retired(archive, days)
    for stream in wanted:
        if stream not in known:
            kind = "archived stream" if action is ArchiveAction.RESTORE else "retired stream"
            raise UnknownName("--stream", kind, stream, known)
    return {stream: tables for stream, tables in found.items() if stream in (wanted or known) and stream in known}


def _retired(archive: Archive, days: int) -> list[str]:
    table, schema = names.stream_table(archive.platform), archive.place.schema
    if not archive.rows("batches.count_tables", {"schema": schema, "tables": [table]})[0][0]:
        raise StreamTableMissing(f"merge store {archive.place}", table, schema)
    streams = sql.Identifier(schema, table)
    return [key for (key,) in archive.rows("archive.retired_streams", {"days": days}, streams=streams)]


def _do(archive: Archive, action: ArchiveAction, stream: str, tables: Collection[str]) -> None:
    here = archive.place.schema
    if not archive.rows("archive.take_lock", {"lock": stream_lock(here, archive.platform, stream)})[0][0]:
        raise StreamBusy(f"stream {stream}")
    if action is ArchiveAction.DROP:
        for table in tables:
            archive.run("archive.drop", table=sql.Identifier(archive.schema, table))
        return
    before, after = (here, archive.schema) if action is ArchiveAction.ARCHIVE else (archive.schema, here)
    if action is ArchiveAction.ARCHIVE:
        _make_schema(archive)
    for table in tables:
        if archive.rows("batches.count_tables", {"schema": after, "tables": [table]})[0][0]:
            raise AlreadyThere(stream, table, after)
        if action is ArchiveAction.ARCHIVE:
            _drop_functions(archive, table)
        archive.run("archive.move", table=sql.Identifier(before, table), schema=sql.Identifier(after))


def _make_schema(archive: Archive) -> None:
    mark = json.dumps({"kind": "archive", "platform": archive.platform})
    found = archive.rows("archive.schema_comment", {"schema": archive.schema})
    if not found:
        archive.run("archive.create_schema", archive=sql.Identifier(archive.schema), comment=sql.Literal(mark))
    elif found[0][0] != mark:
        raise NotOurs(f"schema {archive.schema}")


def _drop_functions(archive: Archive, table: str) -> None:
    named = {"schema": archive.place.schema, "function": names.as_of_function(table)}
    found = [parsed_comment(comment) for (comment,) in archive.rows("as_of.comments", named)]
    if found and all(owner.get("platform") == archive.platform for owner in found):
        archive.run("as_of.drop_functions", function=sql.Identifier(named["schema"], named["function"]))
