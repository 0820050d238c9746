"""Versions that are valid from the time in a column of the source: which rows are refused, and older versions."""

from __future__ import annotations

import json
import logging

from psycopg2 import sql

from config_schema import names
from config_schema.model import DELETED_COLUMN, Milestoning
from config_schema.sql.object_comments import parsed_comment
from merge_jobs.errors import RejectedKeys, ValidTimesRejected
from merge_jobs.stores.postgres.begins import MARK
from merge_jobs.stores.postgres.tables import DatasetTables, DescribedTable, merge_comment

log = logging.getLogger(__name__)

SAMPLE = 1000  # keys kept for operators
# In the order in which an error has them.
REASONS = {
    "missing": "NULL in it",
    "infinite": "an infinite time in it",
    "future": "a time in it that lies more than a minute ahead of the merge store's clock",
    "backwards": "an earlier time in it than their last version had",
}


def are_from_column(tables: DatasetTables) -> bool:
    """Return whether a column of the source says from when the dataset's versions are valid."""
    return tables.milestoning is Milestoning.FORENSIC and tables.dataset.valid_from is not None


def judge_delta(tables: DatasetTables) -> None:
    """Find the versions of the delta that begin later than they say. Raises ValidTimesRejected if some cannot begin."""
    _refuse(tables, tables.run("valid_times.judge_staged", {"limit": SAMPLE}).fetchall())
    tables.run("valid_times.find_late")


def judge_all(tables: DatasetTables, table: sql.Identifier) -> None:
    """Raise ValidTimesRejected if a row of a table cannot begin a version."""
    _refuse(tables, tables.run("valid_times.judge_all", {"limit": SAMPLE}, table=table).fetchall())


def follow_model(tables: DatasetTables, existing: DescribedTable, in_full: bool) -> None:
    """Give all versions their times if the model has another column for that than the merge table was kept by.

    The caller has altered the table to the model, and commits. Raises ValidTimesRejected for staged rows.
    """
    noted, wanted = parsed_comment(existing.comment).get(MARK), tables.dataset.valid_from
    if not are_from_column(tables):
        if noted is not None and tables.milestoning is Milestoning.FORENSIC:
            log.info("%s: versions are valid from the time of their batch from now on", tables.where)
            _note(tables)
        return
    if noted != wanted or (in_full and tables.value("valid_times.lacks_an_end")):
        judge_all(tables, tables.store.table(tables.staging_name))
        tables.run("dataset.lock_merge_table")
        number = tables.run("valid_times.fill", None, **history_parts(tables)).rowcount
        log.info("%s: versions are valid from the times in %s: %d were given theirs", tables.where, wanted, number)
        _note(tables)
    if in_full and DELETED_COLUMN in existing.columns and not tables.dataset.keeps_deleted:
        tables.run("valid_times.kept_by_mistake")


def history_parts(tables: DatasetTables) -> dict[str, sql.Composable]:
    """Return the placeholders of what reads batches."""
    stream = tables.store.stream
    metrics = tables.store.table(names.batch_metrics_table(stream.platform_name))
    return {"metrics": metrics, "stream": sql.Literal(stream.key)}


def _note(tables: DatasetTables) -> None:
    tables.run("dataset.comment_merge_table", comment=sql.Literal(json.dumps(merge_comment(tables))))


def _refuse(tables: DatasetTables, rows: list[tuple[str, dict[str, object], int]]) -> None:
    if not rows:
        return
    numbers = {reason: number for reason, _, number in rows}
    found = {reason: numbers[reason] for reason in REASONS if reason in numbers}
    first = next(iter(found))
    sample = tuple((key, 1) for reason, key, _ in rows if reason == first)
    column = tables.dataset.valid_from
    assert column is not None
    raise ValidTimesRejected(
        tables.where,
        column,
        {REASONS[reason]: number for reason, number in found.items()},
        RejectedKeys(tables.name, first, found[first], sample),
    )
