"""Counts the rows of an applied batch that break a quality check: one statement of quality.sql for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, assert_never

import psycopg2
from psycopg2 import errorcodes, sql

from config_schema import names
from config_schema.model.quality import (
    AcceptedValues,
    Expression,
    NotNull,
    Pattern,
    QualityCheck,
    Range,
    Reference,
    RowCheck,
    Severity,
    Unique,
    columns_checked,
)
from config_schema.model.sql_types import base_type, long_name
from merge_jobs.errors import StoreMismatch
from merge_jobs.sql import statement
from merge_jobs.stores.postgres.batches import Staged
from merge_jobs.stores.postgres.tables import DatasetTables

# A check that does not fit its columns' types: no such operator, no value of the type, no regular expression.
NOT_OF_THIS_TYPE = frozenset(["42883", "42804", "42846", "22P02", "22007", "22008", "22003", "2201B"])
# Of an expression: PostgreSQL cannot read it, or has no such thing; and it cannot calculate it of some row.
OF_EXPRESSIONS = ("42", "0A", "54")
OF_VALUES = "22"
LONGEST_KEY = sql.Literal(200)  # characters of each value of a key that is kept


@dataclass(frozen=True)
class Applied:
    """A dataset with checks, applied as part of a batch."""

    tables: DatasetTables
    staged: Mapping[str, Staged]  # of all datasets of the batch
    rows: int  # that the source has; if it was read by a cursor, that the merge table has
    held: Mapping[str, Any] = field(default_factory=dict)  # the references that the last look at the source judged

    @property
    def all_is_new(self) -> bool:
        """Whether the batch loads the dataset for the first time."""
        return is_first_load(self.staged[self.tables.name])

    def count(self, name: str, **parts: sql.Composable) -> int:
        """Return the count of `quality.name`, over the rows that the batch wrote or over all rows after it."""
        return int(self.value(name, **parts))

    def value(self, name: str, **parts: sql.Composable) -> Any:
        """Return the value of `quality.name`, over the rows that the batch wrote or over all rows after it."""
        return self.tables.value(f"quality.{name}", None, **self._rows(name), **parts)

    def keys(self, name: str, sample: int, **parts: sql.Composable) -> list[dict[str, str]]:
        """Return the keys that `quality.name` finds, each as texts by column."""
        key = self.tables.dataset.primary_key
        text = sql.SQL("left({}::text, {})")
        parts["keys"] = sql.SQL(", ").join(text.format(sql.Identifier(one), LONGEST_KEY) for one in key)
        parts["sample"] = sql.Literal(sample)
        found = self.tables.run(f"quality.{name}", None, **self._rows(name), **parts).fetchall()
        return [dict(zip(key, row, strict=True)) for row in found]

    def _rows(self, name: str) -> dict[str, sql.Composable]:
        everything = all_rows(self.tables)
        rows = sql.SQL("{} m").format(everything) if self.all_is_new else changed_rows_table(self.tables)
        ours: dict[str, sql.Composable] = {"open": everything, "changed_rows": rows}
        return {part: ours[part] for part in statement(f"quality.{name}").identifiers & ours.keys()}


class CheckImpossible(StoreMismatch):
    """PostgreSQL cannot run a quality check on the columns that it names, because of their types.

    Compare the check with the columns' types, and correct it in the model; nothing was merged.
    """

    code = "DF5111"

    def __init__(self, where: str, check: QualityCheck, condition: str, todo: str = "") -> None:
        self.check, self.condition = check.name, condition
        columns = ", ".join(columns_checked(check))
        what = f"PostgreSQL cannot do a {check.kind.value} check of {columns} so ({condition})"
        super().__init__(where, what, todo or "Compare the check with the columns' types; nothing was merged")


class NotCalculable(Exception):
    """PostgreSQL cannot calculate an expression of severity `warn` of some row; the text is its condition's name."""


@contextmanager
def on_these_columns(of: Applied, check: QualityCheck) -> Iterator[None]:
    """Raise CheckImpossible where PostgreSQL cannot run the check on the columns that it names."""
    try:
        yield
    except psycopg2.Error as error:
        if error.pgcode not in NOT_OF_THIS_TYPE:
            raise
        raise CheckImpossible(_where(of, check), check, _condition(error)) from error


def _where(of: Applied, check: QualityCheck) -> str:
    return f"{of.tables.where}: check {check.name}"


def _condition(error: psycopg2.Error) -> str:
    try:
        return str(errorcodes.lookup(error.pgcode or "")).lower()
    except KeyError:
        return f"SQLSTATE {error.pgcode}"


def violations(of: Applied, check: RowCheck) -> int:
    """Return the number of rows that break the check.

    Raises CheckImpossible if PostgreSQL cannot run it, and NotCalculable.
    """
    if isinstance(check, Expression):
        return _of_expression(of, check)
    with on_these_columns(of, check):
        match check:
            case Unique():
                return of.count("unique_of_all" if of.all_is_new else "unique", columns=columns_of(check.columns))
            case Reference():
                return _without_what_they_refer_to(of, check)
            case _:
                return of.count("count_rows", broken=_broken(of, check))


def _of_expression(of: Applied, check: Expression) -> int:
    """Count the rows; one row of which it cannot be calculated fails the batch only if the check's severity says so."""
    of.tables.run("quality.before_expression")
    try:
        number = of.count("count_rows", broken=_broken(of, check))
    except psycopg2.Error as error:
        code = error.pgcode or ""
        if code.startswith(OF_VALUES):
            if check.severity is Severity.WARN:
                of.tables.run("quality.back_before_expression")
                raise NotCalculable(_condition(error)) from None
            todo = "Correct the condition for rows with such values, or the rows; nothing was merged"
            raise CheckImpossible(_where(of, check), check, _condition(error), todo) from error
        if code.startswith(OF_EXPRESSIONS):
            todo = "Correct the condition in the model; nothing was merged"
            raise CheckImpossible(_where(of, check), check, _condition(error), todo) from error
        raise
    of.tables.run("quality.after_expression")
    return number


def keys_of_violations(of: Applied, check: RowCheck) -> list[dict[str, str]]:
    """Return keys of rows that break the check, as many as it keeps; none of a key that may not be kept."""
    dataset = of.tables.dataset
    if check.sample is None or not dataset.kept_columns.issuperset(dataset.primary_key):
        return []
    match check:
        case Unique():
            return of.keys("keys_of_equal_rows", check.sample, columns=columns_of(check.columns))
        case Reference():
            other = _other(of, check)
            equal = _equal(of.tables, "m", check.columns, "o", check.dataset_columns)
            parts = {"columns": columns_of(check.columns), "other": all_rows(other), "open_equals_other": equal}
            return of.keys("keys_of_referring_rows", check.sample, **parts)
        case _:
            return of.keys("keys_of_rows", check.sample, broken=_broken(of, check))


def _broken(of: Applied, check: NotNull | Range | Pattern | AcceptedValues | Expression) -> sql.Composed:
    """Return the condition that holds for a row that breaks the check."""
    match check:
        case NotNull():
            return of.tables.composed("quality.broken_not_null", columns=columns_of(check.columns))
        case Range():
            literal = _literals(of, check.column)
            bounds = {"min": literal(check.min), "max": literal(check.max)}
            return of.tables.composed("quality.broken_range", column=sql.Identifier(check.column), **bounds)
        case Pattern():
            pattern = sql.Literal(check.pattern)
            return of.tables.composed("quality.broken_pattern", column=sql.Identifier(check.column), pattern=pattern)
        case AcceptedValues():
            values = sql.SQL(", ").join(map(_literals(of, check.column), check.values))
            return of.tables.composed(
                "quality.broken_accepted_values", column=sql.Identifier(check.column), values=values
            )
        case Expression():
            return of.tables.composed("quality.broken_expression", expression=sql.SQL(check.expression))
    assert_never(check)


def _literals(of: Applied, column: str) -> Callable[[Any], sql.Composable]:
    """Return what writes a value to compare a column with. No real is equal to the number 0.1, only to a real 0.1."""
    is_real = any(one.name == column and base_type(long_name(one.type)) == "real" for one in of.tables.dataset.columns)
    as_real = sql.SQL("{}::real")
    return lambda value: as_real.format(sql.Literal(value)) if is_real and value is not None else sql.Literal(value)


def _without_what_they_refer_to(of: Applied, check: Reference) -> int:
    other = _other(of, check)
    theirs = all_rows(other)
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


def _other(of: Applied, check: Reference) -> DatasetTables:
    store = of.tables.store
    return next(DatasetTables(store, dataset) for dataset in store.stream.datasets if dataset.name == check.dataset)


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


def all_rows(tables: DatasetTables) -> sql.Composed:
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
