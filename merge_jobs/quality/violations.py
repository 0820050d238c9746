"""Counts the rows of an applied batch that break a quality check: one statement of quality.sql for each kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

import psycopg2
from psycopg2 import errorcodes, sql

from config_schema import names
from config_schema.model.quality import (
    NotNull,
    Pattern,
    QualityCheck,
    Range,
    Reference,
    RowCount,
    Unique,
    columns_checked,
)
from merge_jobs.errors import StoreMismatch
from merge_jobs.sql import statement
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.tables import DatasetTables

# A check that does not fit its columns' types: no such operator, no value of the type, no regular expression.
NOT_OF_THIS_TYPE = frozenset(["42883", "42804", "22P02", "22007", "22008", "22003", "2201B"])


@dataclass(frozen=True)
class Applied:
    """A dataset with checks, applied as part of a batch."""

    tables: DatasetTables
    staged: Mapping[str, Staged]  # of all datasets of the batch
    held: Mapping[str, Any] = field(default_factory=dict)  # the references that the last look at the source judged

    @property
    def rows(self) -> int:
        """How many rows were staged."""
        return self.staged[self.tables.name].rows

    @property
    def all_is_new(self) -> bool:
        """Whether the batch loads the dataset for the first time."""
        return is_first_load(self.staged[self.tables.name])

    def count(self, name: str, values: Mapping[str, Any] | None = None, **parts: sql.Composable) -> int:
        """Return the count of `quality.name`, over the rows that the batch wrote or over all rows after it."""
        everything = _all_rows(self.tables)
        rows = sql.SQL("{} m").format(everything) if self.all_is_new else changed_rows_table(self.tables)
        ours = {"open": everything, "changed_rows": rows}
        wanted = {part: ours[part] for part in statement(f"quality.{name}").identifiers & ours.keys()}
        return int(self.tables.value(f"quality.{name}", values, **wanted, **parts))


class CheckImpossible(StoreMismatch):
    """PostgreSQL cannot run a quality check on the columns that it names, because of their types.

    Compare the check with the columns' types, and correct it in the model; nothing was merged.
    """

    code = "DF5111"

    def __init__(self, where: str, check: QualityCheck, condition: str) -> None:
        self.check, self.condition = check.name, condition
        columns = ", ".join(columns_checked(check))
        what = f"PostgreSQL cannot do a {check.kind.value} check of {columns} so ({condition})"
        super().__init__(where, what, "Compare the check with the columns' types; nothing was merged")


def violations(of: Applied, check: QualityCheck) -> int:
    """Return the number of rows that break the check. Raises CheckImpossible if PostgreSQL cannot run it."""
    try:
        return _counted(of, check)
    except psycopg2.Error as error:
        if error.pgcode not in NOT_OF_THIS_TYPE:
            raise
        condition = errorcodes.lookup(error.pgcode).lower()
        raise CheckImpossible(f"{of.tables.where}: check {check.name}", check, condition) from error


def _counted(of: Applied, check: QualityCheck) -> int:
    match check:
        case NotNull():
            return of.count("not_null", columns=columns_of(check.columns))
        case Unique():
            return of.count("unique_of_all" if of.all_is_new else "unique", columns=columns_of(check.columns))
        case Range():
            return of.count("range", {"min": check.min, "max": check.max}, column=sql.Identifier(check.column))
        case Pattern():
            return of.count("pattern", {"pattern": check.pattern}, column=sql.Identifier(check.column))
        case Reference():
            return _without_what_they_refer_to(of, check)
        case RowCount():
            low, high = check.min, check.max
            return int((low is not None and of.rows < low) or (high is not None and of.rows > high))
    assert_never(check)


def _without_what_they_refer_to(of: Applied, check: Reference) -> int:
    store = of.tables.store
    other = next(DatasetTables(store, dataset) for dataset in store.stream.datasets if dataset.name == check.dataset)
    theirs = _all_rows(other)
    columns = columns_of(check.columns)
    if _looks_at_all_rows(of, check):
        equal = _equal(of.tables, "m", check.columns, "o", check.dataset_columns)
        return of.count("reference_of_all", columns=columns, other=theirs, open_equals_other=equal)
    referred = columns_of(check.dataset_columns)
    suspects = [
        of.tables.composed("quality.values_changed", columns=columns, changed_rows=changed_rows_table(of.tables)),
        of.tables.composed(
            "quality.values_earlier", referred_columns=referred, earlier_values=earlier_values_table(other)
        ),
    ]
    return of.count(
        "reference",
        columns=columns,
        other=theirs,
        suspects=sql.SQL(" UNION ALL ").join(suspects),
        suspect_equals_other=_equal(of.tables, "s", check.columns, "o", check.dataset_columns),
        open_equals_missing=_equal(of.tables, "m", check.columns, "missing", check.columns),
    )


def _looks_at_all_rows(of: Applied, check: Reference) -> bool:
    """Return whether all rows must be checked: a side is loaded again, or was not compared before.

    Rows of this side that were merged without the other side, or under another definition, are in no delta.
    """
    if of.all_is_new or is_first_load(of.staged[check.dataset]):
        return True
    return bool(of.held.get(check.name) != of.tables.store.stream.references[of.tables.name][check.name])


# --- parts of statements


def is_first_load(staged: Staged) -> bool:
    """Return whether the dataset is loaded for the first time."""
    return staged.strategy == "initial"


def _all_rows(tables: DatasetTables) -> sql.Composed:
    """Return a subquery of the dataset's rows after the batch."""
    return sql.SQL("({})").format(tables.composed(f"quality.open_{tables.milestoning.value}"))


def changed_rows_table(tables: DatasetTables) -> sql.Identifier:
    """Return the temporary table with the rows that the batch inserts or updates."""
    return sql.Identifier("pg_temp", names.changed_rows_table(tables.name))


def earlier_values_table(tables: DatasetTables) -> sql.Identifier:
    """Return the temporary table with the keys before the batch."""
    return sql.Identifier("pg_temp", names.earlier_values_table(tables.name))


def columns_of(columns: Iterable[str], of: str | None = None) -> sql.Composed:
    """Return a list of columns, each qualified by the table `of` if given."""
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in columns)


def _equal(
    tables: DatasetTables, one: str, columns: Iterable[str], other: str, other_columns: Iterable[str]
) -> sql.Composed:
    equals = {column.name: tables.store.equals(column.type) for column in tables.dataset.columns}
    pairs = zip(columns, other_columns, strict=True)
    return sql.SQL(" AND ").join(
        sql.SQL("{} {} {}").format(sql.Identifier(one, a), equals[a], sql.Identifier(other, b)) for a, b in pairs
    )
