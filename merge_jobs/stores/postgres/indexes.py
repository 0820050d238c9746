"""Indexes on merge tables for those who read them: as the model has them, and no others of ours.

An index is built between batches, in a transaction of its own, under the stream's lock: its readers go on meanwhile,
and nobody else writes. So a batch neither waits for one, nor fails because one cannot be built.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import errors as conditions
from psycopg2 import sql

from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.model import IndexedRows, Milestoning, TableIndex
from config_schema.sql.object_comments import parsed_comment
from merge_jobs.database_errors import database_failed
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables

log = logging.getLogger(__name__)

KIND = "index for readers"
# The table is in use, or not there, or the next batch brings the column.
LATER = (conditions.LockNotAvailable, conditions.UndefinedTable, conditions.UndefinedColumn)
CURRENT = sql.SQL(" WHERE ds_batch_out = 2147483647")


@dataclass(frozen=True)
class IndexStep:
    """An index to build, or to drop if `index` is None. `tables` are the dataset's."""

    tables: DatasetTables
    name: str
    index: TableIndex | None

    def __str__(self) -> str:
        if self.index is None:
            return f"index {self.name}, which is not in the model any more"
        return f"index {self.name} on {self.tables.merge_name} ({', '.join(self.index.columns)})"


@dataclass(frozen=True)
class IndexFailed:
    """A step that could not be done, and why."""

    step: IndexStep
    error: StreamFactoryError


def are_wanted(store: MergeStore) -> bool:
    """Return whether a dataset of the stream has indexes in the model."""
    return any(dataset.indexes for dataset in store.stream.datasets)


def steps(store: MergeStore, datasets: Iterable[DatasetTables]) -> list[IndexStep]:
    """Return what is to be dropped, then what is to be built, of these merge tables, which exist."""
    by_table = {tables.merge_name: tables for tables in datasets}
    values = {"schema": store.place.schema, "tables": list(by_table)}
    ours: dict[tuple[str, str], bool] = {}
    for name, table, is_whole, comment in store.run("indexes.existing", values).fetchall():
        if parsed_comment(comment).get("kind") == KIND:
            ours[table, name] = is_whole
    return [*_to_drop(by_table, ours), *_to_build(by_table, ours)]


def _to_drop(by_table: dict[str, DatasetTables], ours: dict[tuple[str, str], bool]) -> Iterator[IndexStep]:
    for (table, name), is_whole in ours.items():
        if not is_whole or name not in _named(by_table[table]):
            yield IndexStep(by_table[table], name, None)


def _to_build(by_table: dict[str, DatasetTables], ours: dict[tuple[str, str], bool]) -> Iterator[IndexStep]:
    for table, tables in by_table.items():
        for name, index in _named(tables).items():
            if not ours.get((table, name), False):
                yield IndexStep(tables, name, index)


def _named(tables: DatasetTables) -> dict[str, TableIndex]:
    found = {}
    for index in tables.dataset.indexes:
        name = names.consumer_index(tables.merge_name, index.columns, index.method.value, index.rows.value)
        found[name] = index
    return found


def take(store: MergeStore, planned: Sequence[IndexStep]) -> Iterator[IndexStep | IndexFailed]:
    """Yield each step when it is done, or could not be; each is a transaction of its own.

    An index that is dropped does not wait for readers of its table: it is left for the next time.
    """
    for step in planned:
        try:
            _drop(step) if step.index is None else _build(step, step.index)
            store.commit()
            yield step
        except LATER as error:
            store.rollback()
            log.info("%s: %s is left for later: %s", store.stream, step, type(error).__name__)
        except psycopg2.Error as error:
            store.rollback()
            yield IndexFailed(step, database_failed(error, f"{step.tables.where}: {step}"))


def keep(store: MergeStore, datasets: Iterable[DatasetTables]) -> None:
    """Do the steps, and log each; nothing is raised, because the batch before them is committed."""
    for done in take(store, steps(store, datasets)):
        if isinstance(done, IndexFailed):
            log.warning("%s: not built: %s", store.stream, done.error)
        else:
            log.info("%s: %s: %s", store.stream, done, "dropped" if done.index is None else "built")


def _drop(step: IndexStep) -> None:
    step.tables.run("leftovers.do_not_wait")
    step.tables.run("indexes.drop", index=step.tables.store.table(step.name))


def _build(step: IndexStep, index: TableIndex) -> None:
    tables = step.tables
    only_current = index.rows is IndexedRows.CURRENT and tables.milestoning is Milestoning.FORENSIC
    tables.run(
        "indexes.create",
        index=sql.Identifier(step.name),
        method=sql.SQL(index.method.value),
        indexed=sql.SQL(", ").join(map(sql.Identifier, index.columns)),
        condition=CURRENT if only_current else sql.SQL(""),
    )
    mark = json.dumps({"kind": KIND, "stream": tables.store.stream.key, "dataset": tables.name})
    tables.run("indexes.comment", index=tables.store.table(step.name), comment=sql.Literal(mark))
