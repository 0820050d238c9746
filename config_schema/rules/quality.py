"""The rules of quality checks beyond their schema: what they name exists, and limits make sense."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from config_schema.errors import choose_from
from config_schema.model import Consistency, Dataset, Datastore, Ecosystem
from config_schema.model.quality import (
    Pattern,
    Range,
    Reference,
    RowCount,
    columns_checked,
)
from config_schema.problem import Finding
from config_schema.rules.pg_regex import fault


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
        one = isinstance(check, Range | Pattern)
        yield from _are_columns(f"{at}.column" if one else f"{at}.columns", columns_checked(check), columns)
        match check:
            case Range() | RowCount():
                yield from _bounds_hold(at, check)
            case Pattern():
                wrong = fault(check.pattern)
                if wrong:
                    yield f"{at}.pattern", f"{check.pattern!r} is no regular expression: {wrong}", "Correct it"
            case Reference():
                yield from _refers(at, store, check)
            case _:
                pass


def _are_columns(path: str, wanted: Iterable[str], columns: Iterable[str]) -> Iterator[Finding]:
    known = list(columns)
    for name in wanted:
        if name not in known:
            yield path, f"{name!r} is no column", choose_from(name, known)


def _bounds_hold(at: str, check: Range | RowCount) -> Iterator[Finding]:
    low, high = check.min, check.max
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
