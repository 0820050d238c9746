"""The rules of quality checks beyond their schema: what they name exists, and limits make sense."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from config_schema.errors import choose_from
from config_schema.model import Consistency, Dataset, Datastore, Ecosystem
from config_schema.model.quality import (
    COMPARED,
    ChangeOfValue,
    Completeness,
    Distinctness,
    MaxAge,
    Pattern,
    QualityCheck,
    Range,
    Reference,
    RowCount,
    StatisticBounds,
    Uniqueness,
    columns_checked,
)
from config_schema.model.sql_types import INTEGERS, base_type, long_name
from config_schema.problem import Finding
from config_schema.row_expression import NotARowExpression
from config_schema.rules.columns import is_time
from config_schema.rules.pg_regex import fault

NUMBERS = (*INTEGERS, "numeric", "real", "double precision")
BOUNDED = (Range, RowCount, Completeness, Distinctness, Uniqueness, StatisticBounds, ChangeOfValue)


def quality_findings(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield every broken rule of the quality checks."""
    for i, store in enumerate(ecosystem.datastores):
        for j, dataset in enumerate(store.datasets):
            yield from _of_dataset(f"datastores[{i}].datasets[{j}].checks", store, dataset)


def _of_dataset(path: str, store: Datastore, dataset: Dataset) -> Iterator[Finding]:
    columns = [column.name for column in dataset.columns]
    for k, check in enumerate(dataset.checks):
        at = f"{path}[{k}]"
        if any(check.name == earlier.name for earlier in dataset.checks[:k]):
            yield f"{at}.name", f"{check.name!r} is given twice", "Give each a name of its own"
        yield from _reads_columns(at, check, columns)
        if isinstance(check, BOUNDED):
            yield from _bounds_hold(at, check.min, check.max)
        match check:
            case Pattern():
                wrong = fault(check.pattern)
                if wrong:
                    yield f"{at}.pattern", f"{check.pattern!r} is no regular expression: {wrong}", "Correct it"
            case Reference():
                yield from _refers(at, store, check)
            case MaxAge():
                yield from _is_a_time(at, check, dataset)
            case StatisticBounds():
                yield from _is_a_number(at, check, dataset)
            case ChangeOfValue():
                yield from _compares(at, check, dataset.checks[:k])
            case _:
                pass


def _reads_columns(at: str, check: QualityCheck, columns: Iterable[str]) -> Iterator[Finding]:
    key = next((name for name in ("columns", "expression") if hasattr(check, name)), "column")
    try:
        read = columns_checked(check)
    except NotARowExpression as error:
        todo = "Write a condition over the dataset's columns, as docs/quality.md says"
        yield f"{at}.{key}", f"{check.name!r} is no condition over one row: {error}", todo
        return
    yield from _are_columns(f"{at}.{key}", read, columns)


def _are_columns(path: str, wanted: Iterable[str], columns: Iterable[str]) -> Iterator[Finding]:
    known = list(columns)
    for name in wanted:
        if name not in known:
            yield path, f"{name!r} is no column", choose_from(name, known)


Bound = int | float | str | None


def _bounds_hold(at: str, low: Bound, high: Bound) -> Iterator[Finding]:
    if low is None and high is None:
        yield at, "it has neither min nor max, so that everything passes", "Give one of them, or both"
    for name, bound in (("min", low), ("max", high)):
        if isinstance(bound, float) and not math.isfinite(bound):
            yield f"{at}.{name}", f"{bound!r} is no bound", "Write a number, or leave it out"
    if low is None or high is None:
        return
    if isinstance(low, str) or isinstance(high, str):
        # How two texts compare is the column's type's to say.
        if not (isinstance(low, str) and isinstance(high, str)):
            yield at, "of min and max, one is a number and the other a text", "Write both in one way"
    elif low > high:
        yield f"{at}.min", f"{low!r} is more than max, {high!r}", "Swap them, or correct one"


def _refers(at: str, store: Datastore, check: Reference) -> Iterator[Finding]:
    if store.consistency is Consistency.SINGLE_DATASET:
        what = f"the datasets of {store.name} are read one by one, so that none of them knows another"
        yield at, what, "Make the store multi_dataset, or drop the check"
    datasets = {dataset.name: dataset for dataset in store.datasets}
    if check.dataset not in datasets:
        what = f"{check.dataset!r} is no dataset of {store.name}"
        yield f"{at}.dataset", what, choose_from(check.dataset, datasets)
        return
    theirs = [column.name for column in datasets[check.dataset].columns]
    yield from _are_columns(f"{at}.dataset_columns", check.dataset_columns, theirs)
    if len(check.columns) != len(check.dataset_columns):
        what = f"{len(check.columns)} columns cannot refer to {len(check.dataset_columns)}"
        yield f"{at}.dataset_columns", what, f"Name one column of {check.dataset} for each of its own"


def _is_a_time(at: str, check: MaxAge, dataset: Dataset) -> Iterator[Finding]:
    for column in dataset.columns:
        if column.name == check.column and not is_time(column):
            what = f"{column.name!r} is of type {column.type}, which is no time"
            yield f"{at}.column", what, "Name a timestamp or a date"


def _is_a_number(at: str, check: StatisticBounds, dataset: Dataset) -> Iterator[Finding]:
    for column in dataset.columns:
        if column.name == check.column and ("[" in column.type or base_type(long_name(column.type)) not in NUMBERS):
            what = f"{column.name!r} is of type {column.type}, which is no number"
            yield f"{at}.column", what, "Name a column of numbers; kind range compares other values"


def _compares(at: str, check: ChangeOfValue, earlier: Iterable[QualityCheck]) -> Iterator[Finding]:
    known = {one.name: one for one in earlier}
    if check.check not in known:
        yield f"{at}.check", f"{check.check!r} is no check before this one", choose_from(check.check, known)
    elif not isinstance(known[check.check], COMPARED):
        kinds = ", ".join(kind.kind.value for kind in COMPARED)
        what = (
            f"{check.check!r} is of kind {known[check.check].kind.value}, which measures no share and no number of rows"
        )
        yield f"{at}.check", what, f"Name a check of kind {kinds}"
