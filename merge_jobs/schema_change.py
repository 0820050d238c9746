"""What a changed model does to merge tables, and whether consumers' views must follow.

Columns are added, left or widened; whatever could lose a value is refused. This is planned before the source is read,
so that a refusal costs nothing, and done in the transaction that commits the batch, so that a crash leaves the table
unchanged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from psycopg2 import sql
from psycopg2.errors import FeatureNotSupported, LockNotAvailable

from config_schema import names
from config_schema.model import DELETED_COLUMN, VALID_COLUMNS, Milestoning
from config_schema.model.sql_types import widens
from config_schema.sql.object_comments import parsed_comment
from merge_jobs.database.together import Lookup, beside, in_step
from merge_jobs.errors import StillUsed, StoreMismatch, TablesHeld
from merge_jobs.stores.postgres import as_of, row_maps, valid_times
from merge_jobs.stores.postgres.batches import Batch
from merge_jobs.stores.postgres.begins import WITH_ZONE
from merge_jobs.stores.postgres.leftovers import readers
from merge_jobs.stores.postgres.locks import lock_tries
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import (
    BATCH_COLUMNS,
    COLUMNS,
    DatasetTables,
    DescribedTable,
    describing,
    finding_merge_table,
    merge_comment,
)
from merge_jobs.views.detach import views_aside

log = logging.getLogger(__name__)


class TypesNarrowed(StoreMismatch):
    """The model gives columns of a merge table types that do not fit every value in it.

    Change the model back, or change the table to fit; nothing was merged.
    """

    code = "DF5214"

    def __init__(self, where: str, types: Mapping[str, tuple[str, str]]) -> None:
        self.types = dict(types)  # by column: the table's, the model's
        both = "; ".join(f"{name} is {old} in the table, {new} in the model" for name, (old, new) in types.items())
        todo = "Take the model back, or change the table to fit; nothing was merged"
        super().__init__(where, f"it does not fit the model: {both}", todo)


class ChangedInLake(StoreMismatch):
    """The model gives a dataset other columns or types than its tables in the lake have, which cannot follow yet.

    Change the model back, or give the dataset another name: it is then loaded as a new one.
    """

    code = "DF5229"

    def __init__(self, where: str, columns: list[str]) -> None:
        self.columns = columns
        what = f"the model has changed in {', '.join(columns)}, and tables in a lake do not follow a changed model yet"
        super().__init__(where, what, "Take the model back, or give the dataset another name: its rows are then loaded")


def refuse_change_in_lake(tables: DatasetTables, existing: DescribedTable) -> None:
    """Raise ChangedInLake if the tables in the lake were made for other columns or types."""
    was, now = parsed_comment(existing.comment).get(COLUMNS), merge_comment(tables)[COLUMNS]
    if was != now:
        names_of = [name for name, _ in [*(was or []), *now]]
        pairs = [dict(columns or []) for columns in (was, now)]
        differing = [name for name in dict.fromkeys(names_of) if pairs[0].get(name) != pairs[1].get(name)]
        raise ChangedInLake(f"{tables.where}: table {tables.merge_name}", differing or ["the order of its columns"])


@dataclass(frozen=True)
class Drift:
    """How a merge table differs from the model, by column: new types, types before and after, names."""

    added: dict[str, str]
    widened: dict[str, tuple[str, str]]
    dropped: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"column {name} {kind} is new" for name, kind in self.added.items()]
        parts += [f"column {name} becomes {new}, was {old}" for name, (old, new) in self.widened.items()]
        parts += [f"column {name} has left the model: kept, NULL in rows written from now on" for name in self.dropped]
        return "; ".join(parts)


def drift(tables: DatasetTables, existing: DescribedTable, modelled: DescribedTable) -> Drift:
    """Return how the merge table differs from a table that is made by the model.

    Raises TypesNarrowed with both definitions of every column that cannot be widened to the model's type.
    """
    if tables.in_lake:
        refuse_change_in_lake(tables, existing)
        return Drift({}, {}, ())
    batch = dict(BATCH_COLUMNS) if tables.milestoning is Milestoning.FORENSIC else {}
    flag = {DELETED_COLUMN: "integer"} if tables.dataset.keeps_deleted else {}
    if valid_times.are_from_column(tables):
        flag |= dict.fromkeys(VALID_COLUMNS, WITH_ZONE)
    batch |= flag
    theirs = {name: kind for name, kind in existing.columns.items() if name not in batch}
    ours = modelled.columns
    retyped = {name: (theirs[name], kind) for name, kind in ours.items() if theirs.get(name, kind) != kind}
    lossy = {name: types for name, types in retyped.items() if not widens(*types)}
    if lossy:
        raise TypesNarrowed(f"{tables.where}: table {tables.merge_name}", lossy)
    added = {name: kind for name, kind in ours.items() if name not in theirs}
    added |= {name: kind for name, kind in flag.items() if name not in existing.columns}
    return Drift(added, retyped, tuple(name for name in theirs if name not in ours))


Changes = Sequence[tuple[DatasetTables, Drift]]


def changes_to_come(every: Sequence[DatasetTables]) -> Changes:
    """Return the merge tables that do not fit what is staged, and their differences.

    Raises StoreMismatch for a table that cannot be altered to fit.
    """
    found = [(tables, _drift_of(tables)[1]) for tables in every]
    return [(tables, of) for tables, of in found if of.added or of.widened]


def alter_all_to_model(changed: Changes) -> None:
    """Alter merge tables to fit what is staged, before any of them is merged. The caller commits.

    All exclusive locks of a batch are taken here, all or none in each try: a batch that has one does not wait for
    another while readers of the first wait for it. Raises StoreMismatch if a table cannot be altered to fit, and
    TablesHeld if other sessions hold the tables longer than the session waits for a lock.
    """
    for tables, of in changed:
        log.info("%s: table %s: %s", tables.where, tables.merge_name, of)
    if changed:
        _alter_in_tries(changed)


@dataclass(frozen=True)
class MergeAndStaging:
    """A merge table and its staging table as they are; of a forensic one also the comments of its functions."""

    existing: DescribedTable | None
    staged: DescribedTable | None
    functions: list[str | None] | None = None


def alter_to_model(
    tables: DatasetTables, found: MergeAndStaging | None = None, *, in_full: bool = False
) -> DatasetTables:
    """Alter the merge table to fit what is staged; return its tables with the columns that have left the model.

    Only the model's columns are compared afterwards, so a column that leaves makes no new version of any row. The
    caller commits. `found` are the tables as they are, if that is known. `in_full` says that all rows of the source are
    staged. Raises StoreMismatch if the table cannot be altered to fit, and ValidTimesRejected if versions cannot begin
    at the times that the source says.
    """
    found = found or in_step([describing_both(tables)], tables.store.together)[0]
    existing, changes = _drift_of(tables, found)
    if changes.added or changes.widened:
        alter_all_to_model([(tables, changes)])
        found = None
    valid_times.follow_model(tables, existing, in_full)
    if found is None:
        as_of.keep_functions(tables)
    else:
        as_of.keep_functions(tables, found.existing, found.functions)
    return replace(tables, dropped=changes.dropped)


def describing_both(tables: DatasetTables) -> Lookup[MergeAndStaging]:
    """Look for the dataset's merge table and its staging table, as they are."""
    looks: list[Lookup[Any]] = [finding_merge_table(tables), describing(tables, tables.staging_name)]
    if tables.milestoning is Milestoning.FORENSIC:
        looks.append(as_of.finding_functions(tables))
    return MergeAndStaging(*(yield from beside(looks)))


def _drift_of(tables: DatasetTables, found: MergeAndStaging | None = None) -> tuple[DescribedTable, Drift]:
    found = found or in_step([describing_both(tables)], tables.store.together)[0]
    assert found.existing is not None
    assert found.staged is not None
    return found.existing, drift(tables, found.existing, found.staged)


def _alter_in_tries(changed: Changes) -> None:
    store = changed[0][0].store
    waited = float(store.value("drift.lock_timeout"))
    for timeout, is_last in lock_tries(waited):
        store.run("drift.before_a_try")
        try:
            _alter_all(store, changed, timeout, waited)
            return
        except LockNotAvailable as error:
            store.run("drift.back_to_before_a_try")
            if is_last:
                held = [tables.merge_name for tables, _ in changed]
                raise TablesHeld(
                    f"{store.stream}: tables {', '.join(held)}",
                    held,
                    f"they are to change with the model, and were in use for {waited:g} s: by {readers(store, held)}",
                    "Try again when that session has ended; nothing was merged",
                ) from error


def _alter_all(store: MergeStore, changed: Changes, timeout: int, waited: float) -> None:
    """Alter the tables, once all of them, and the views that read changed columns, are locked."""
    store.run("drift.wait_for_locks", {"timeout": f"{timeout}ms"})
    with ExitStack() as views:
        for tables, of in changed:
            views.enter_context(views_aside(tables, of.widened))
        for tables, _ in changed:
            tables.run("drift.lock_to_change")
        store.run("drift.wait_for_locks", {"timeout": f"{waited:g}s"})
        for tables, of in changed:
            _alter(tables, sql.SQL(", ").join(_alterations(of)))


def _alterations(of: Drift) -> Iterator[sql.Composable]:
    for name, kind in of.added.items():
        yield sql.SQL("ADD COLUMN {} {}").format(sql.Identifier(name), sql.SQL(kind))
    for name, (_, new) in of.widened.items():
        yield sql.SQL("ALTER COLUMN {} TYPE {}").format(sql.Identifier(name), sql.SQL(new))


def _alter(tables: DatasetTables, alterations: sql.Composed) -> None:
    try:
        tables.run("drift.alter_merge_table", alterations=alterations)
    except FeatureNotSupported as error:
        raise StillUsed(
            f"{tables.where}: table {tables.merge_name}",
            "a column whose type is to be widened is used by a view, a rule or a trigger, which PostgreSQL refuses",
            "Drop that view, run the job, and create it again; nothing was merged. Consumers' views that "
            "merge-job views made are no hindrance, unless something is built on them",
        ) from error


def reshapes_views(store: MergeStore, batch: Batch, last: int) -> bool:
    """Return whether the batch changes the tables or columns that views read; call it before the batch is applied.

    It compares with the model of the last batch, or with that of the row map where a dataset has one.
    """
    if any(staged.strategy == "initial" for staged in batch.staged.values()):
        return True
    return any(_differs(store, batch, tables, last) for tables in _read_in_full(store, batch))


def _read_in_full(store: MergeStore, batch: Batch) -> Iterator[DatasetTables]:
    # Where the model of a dataset has changed no strategy but this will do.
    for dataset in store.stream.datasets:
        if batch.staged[dataset.name].strategy == "full":
            yield DatasetTables(store, dataset)


def _differs(store: MergeStore, batch: Batch, tables: DatasetTables, last: int) -> bool:
    known, guard = row_maps.find(tables), batch.staged[tables.name].guard
    if known is not None and guard is not None and "model" in known.guard:
        return bool(known.guard["model"] != guard["model"])
    values = {"key": store.stream.key, "batch_id": last}
    metrics = store.table(names.batch_metrics_table(store.stream.platform_name))
    before = store.value("batches.schema_of_batch", values, metrics=metrics)
    return before is not None and before != batch.fingerprint
