"""What the API reads of a merge store: rows, batches and counts as they stand there; statements in queries.sql."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg2 import errorcodes

from airflow_plugin.control.batch_table import LastLook
from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import StreamTable
from config_schema import names
from config_schema.sql.statements import SqlFile

STATEMENTS = SqlFile(__file__)
NEWEST_BATCH = 2**31 - 1
# Of the result of a run: characters of its error, and bytes of all of it; alone, and in a list of 500.
ONE_RESULT = {"longest": 10_000, "bytes": 8_000_000}
RESULT_IN_A_LIST = {"longest": 2_000, "bytes": 20_000}
MOST_CONFIGS = 64 << 20  # bytes of all configs that are read of a platform; 1,500 are usual for one


class StoredRow(NamedTuple):
    """A row; `config_json` is None where the table is as it was known, and where all configs are too long to read."""

    stream_key: str
    status: str
    updated_at: datetime
    config_json: str | None


@dataclass(frozen=True)
class LastBatchRow:
    """How a stream stands, and what its last committed batch did: keys inserted, updated, deleted, and rows in all."""

    look: LastLook
    counts: tuple[int, int, int, int] | None


NO_BATCH = LastBatchRow(LastLook(), None)


class ViewRow(NamedTuple):
    """A view; `reads` are the merge tables that its rows come from, also where other views are between."""

    schema: str
    name: str
    comment: str
    reads: list[str]


class MergeColumn(NamedTuple):
    """A column of a merge table, its type as format_type() writes it."""

    name: str
    type: str


class RowsChanged(NamedTuple):
    """What one stream committed in one hour."""

    stream_key: str
    hour: datetime
    batches: int
    inserted: int
    updated: int
    deleted: int


class BatchRow(NamedTuple):
    """A batch; what is not known yet is None. `result` is the result line of the run that committed it."""

    batch_id: int
    status: str
    start: datetime
    end: datetime | None
    inserted: int | None
    updated: int | None
    deleted: int | None
    total: int | None
    strategy: str | None
    run_id: str
    error: str | None
    result: dict[str, Any] | None
    said: str | None  # what a producer's server said of the error: data
    quality: dict[str, Any] | None = None  # what the checks of a batch found that failed for them, by dataset
    quality_data: dict[str, Any] | None = None  # values and keys that its checks found, by dataset and check: data

    @property
    def has_data(self) -> bool:
        """Whether there is something of the batch that only those may see who may see data."""
        return bool(self.said or self.quality_data)


class BatchChangesRow(NamedTuple):
    """What is kept of what a batch changed, as a job has written it; `until`: the end of the time of the values."""

    changes: Any
    unknown: Any
    values: Any
    until: str | None
    now: datetime


@dataclass(frozen=True)
class RowVersion:
    """A row and which version of it that is; `by_hand`: it is not as the last sync left it."""

    status: str
    config_json: str
    number: int
    by_hand: bool


def stored_rows(session: ControlSession, known_token: str) -> tuple[str, tuple[StoredRow, ...]]:
    """Return the table's token and all its rows, retired ones too. Raises MergeStoreError, as all functions here do.

    Of the configs MOST_CONFIGS bytes are read in all, the shortest ones first.
    """
    found = session.run(STATEMENTS["streams"], {"known": known_token, "bytes": MOST_CONFIGS})
    return found[0][0], tuple(StoredRow(*row[1:]) for row in found if row[1] is not None)


def last_batches(session: ControlSession) -> dict[str, LastBatchRow]:
    """Return the last batch of each stream; empty before the first batch."""
    rows = session.run_if_created(STATEMENTS["last_batches"])
    return {
        key: LastBatchRow(LastLook(*look), None if counts[0] is None else (counts[0], counts[1], counts[2], counts[3]))
        for key, look, counts in ((row[0], row[1:8], row[8:]) for row in rows)
    }


def rows_changed(session: ControlSession) -> list[RowsChanged]:
    """Return the rows moved by each stream in each hour."""
    return [RowsChanged(*row) for row in session.run_if_created(STATEMENTS["moved"])]


def batches(session: ControlSession, stream_key: str, *, limit: int, before: int = NEWEST_BATCH) -> list[BatchRow]:
    """Return the newest batches first; with `before`, those older than that one."""
    values = {"stream_key": stream_key, "limit": limit, "before": before}
    return [BatchRow(*row) for row in session.run_if_created(STATEMENTS["batches"], values)]


def batches_of_run(session: ControlSession, stream_key: str, run_id: str) -> list[BatchRow]:
    """Return the batches of a run."""
    values = {"stream_key": stream_key, "run_id": run_id}
    return [BatchRow(*row) for row in session.run_if_created(STATEMENTS["batches_of_run"], values)]


def batch_changes(session: ControlSession, stream_key: str, batch_id: int) -> BatchChangesRow | None:
    """Return what is kept of what a committed batch changed; None if there is no such batch."""
    values = {"stream_key": stream_key, "batch_id": batch_id}
    rows = session.run_if_created(STATEMENTS["batch_changes"], values)
    return BatchChangesRow(*rows[0]) if rows else None


def results(
    session: ControlSession, runs: Sequence[tuple[str, str]], *, whole: bool
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the result of each run (stream_key, run id) that a job has left one of.

    Datasets, and the end of a long error, are left out unless `whole` is set: lists show totals.
    """
    values = {"stream_keys": [key for key, _ in runs], "run_ids": [run_id for _, run_id in runs], "whole": whole}
    values |= ONE_RESULT if whole else RESULT_IN_A_LIST
    # By themselves: an older job has made no such table.
    rows = session.run_if_created(STATEMENTS["results"], values)
    rows += session.run_if_readable(STATEMENTS["run_results"], values)
    return {(key, run_id): result for key, run_id, result in rows if result is not None}


def batch_errors(session: ControlSession, runs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return why the last batch of each run (stream_key, run id) failed, of those that have one that did."""
    if not runs:
        return {}
    values = {"stream_keys": [key for key, _ in runs], "run_ids": [run_id for _, run_id in runs]}
    return {(key, run_id): error for key, run_id, error in session.run_if_created(STATEMENTS["batch_errors"], values)}


def row_version(session: ControlSession, stream_key: str) -> RowVersion | None:
    """Return the row with its version; None if there is none.

    The version is the row's last change in the history or, if somebody changed the row without it, a number for the
    row's text: nobody is to overwrite what they have not seen.
    """
    try:
        rows = session.run(STATEMENTS["last_change"], {"stream_key": stream_key})
    except MergeStoreError as error:
        if error.pgcode != errorcodes.UNDEFINED_TABLE:  # a table made elsewhere has no history yet
            raise
        session.connection.rollback()
        found = StreamTable(session).select([stream_key], retired=True)
        rows = [(row.status, row.config_json, None, None, False) for row in found]
    for status, config_json, number, as_in_history, by_hand in rows:
        return RowVersion(status, config_json, number if as_in_history else _number(status, config_json), by_hand)
    return None


def note_action(
    session: ControlSession, stream_key: str, action: str, changed_by: str, reason: str | None = None
) -> None:
    """Write to the history that somebody asked for something; never commits."""
    values = {"stream_key": stream_key, "action": action, "changed_by": changed_by}
    where = names.stream_history_table(session.platform)
    session.run(STATEMENTS["note_action"], values, where=where, **StreamTable(session).reason_parts(reason))


def has_distrusted_strategy(session: ControlSession, stream_key: str) -> bool | None:
    """Return whether an audit has put a strategy off for a dataset of the stream; None if that may not be read."""
    rows = session.run_if_readable(STATEMENTS["has_distrusted_strategy"], {"stream_key": stream_key})
    return bool(rows[0][0]) if rows else None


def views(session: ControlSession, tables: Sequence[str]) -> list[ViewRow]:
    """Return the views that read any of these merge tables."""
    values = {"schema": session.schema, "tables": list(tables)}
    return [ViewRow(*row) for row in session.run(STATEMENTS["views"], values)]


def merge_columns(session: ControlSession, tables: Sequence[str]) -> dict[str, list[MergeColumn]]:
    """Return the columns of these merge tables, by table, without tables that are not there."""
    found: dict[str, list[MergeColumn]] = {}
    for table, name, kind in session.run(
        STATEMENTS["merge_columns"], {"schema": session.schema, "tables": list(tables)}
    ):
        found.setdefault(table, []).append(MergeColumn(name, kind))
    return found


def _number(status: str, config_json: str) -> int:
    return -1 - zlib.crc32(f"{status} {config_json}".encode())
