"""Quality checks that measure one value of a dataset as a batch leaves it, and compare it with their bounds.

A value is measured again only in a batch that changes the dataset. Shares and numbers of rows are part of the result;
what a statistic or the newest time is says something of the rows' own values, and is kept for those who may see data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from psycopg2 import sql

from config_schema.model.plain_data import plain
from config_schema.model.quality import (
    ChangeOfValue,
    Completeness,
    Distinctness,
    MaxAge,
    MeasuredCheck,
    QualityCheck,
    RowCount,
    StatisticBounds,
    Uniqueness,
)
from merge_jobs.quality.violations import Applied, columns_of, on_these_columns
from merge_jobs.stores.postgres import batches

OF_THE_DATA = (StatisticBounds, MaxAge)  # their values say something of the rows' own values
NEEDS_A_SCAN = (Completeness, Distinctness, Uniqueness, StatisticBounds, MaxAge)


@dataclass(frozen=True)
class Measured:
    """The value of a check, None if there is none (no rows, for instance), and whether it is out of bounds."""

    value: float | None
    broken: bool


@dataclass(frozen=True)
class Earlier:
    """What is known from before the batch: values measured by the last look at the source, by check."""

    batch_id: int
    snapshot_time: datetime
    held: Mapping[str, Any]
    unchanged: bool  # the batch does not change the dataset

    def of(self, check: QualityCheck) -> Any:
        """Return what `measured_value` has returned for the check, if that still holds; None if not."""
        held = self.held.get(check.name)
        return held if self.unchanged and held is not None and held["definition"] == plain(check) else None


def measured_value(of: Applied, check: MeasuredCheck, earlier: Earlier) -> float | None:
    """Return the value of a check before it is compared: a share, a statistic, or seconds since 1970.

    Raises CheckImpossible if PostgreSQL cannot measure it.
    """
    if isinstance(check, RowCount):
        return of.rows
    if isinstance(check, ChangeOfValue):
        return None
    held = earlier.of(check)
    if held is not None:
        value: float | None = held["value"]
        return value
    with on_these_columns(of, check):
        return _number(_scanned(of, check))


def judged(
    of: Applied, check: MeasuredCheck, value: float | None, earlier: Earlier, values: Mapping[str, Any]
) -> Measured:
    """Return whether a value, as `measured_value` returns it, is within the check's bounds.

    `values` are those of the dataset's checks before this one, of this batch.
    """
    match check:
        case MaxAge():
            age = None if value is None else earlier.snapshot_time.timestamp() - value
            return Measured(age, age is None or age > check.max_age_seconds)
        case ChangeOfValue():
            value = _quotient(of, check, earlier, values.get(check.check))
        case _:
            pass
    low, high = check.min, check.max
    if value is None:
        return Measured(None, False)
    # Not a number is above every number, as PostgreSQL has it.
    above = high is not None and (math.isnan(value) or value > high)
    return Measured(value, above or (low is not None and value < low))


def wanted(check: MeasuredCheck) -> str:
    """Return what the value of a check must be, in words."""
    if isinstance(check, MaxAge):
        return f"at most {check.max_age_seconds} s old"
    low, high = check.min, check.max
    if low is None:
        return f"at most {_short(high)}"
    return f"at least {_short(low)}" if high is None else f"from {_short(low)} to {_short(high)}"


def held_values(of: Applied, values: Mapping[str, float | None]) -> dict[str, Any]:
    """Return what `Earlier` needs of values that took a scan, by check."""
    return {
        check.name: {"definition": plain(check), "value": values[check.name]}
        for check in of.tables.dataset.checks
        if isinstance(check, NEEDS_A_SCAN)
        and _is_json(values.get(check.name))
        and (not isinstance(check, OF_THE_DATA) or check.column in of.tables.dataset.kept_columns)
    }


def _scanned(of: Applied, check: Completeness | Distinctness | Uniqueness | StatisticBounds | MaxAge) -> Any:
    match check:
        case Completeness() | Distinctness() | Uniqueness():
            return of.value(check.kind.value, columns=columns_of(check.columns))
        case StatisticBounds():
            return of.value(check.statistic.value, column=sql.Identifier(check.column))
        case MaxAge():
            return of.value("newest", column=sql.Identifier(check.column))
    assert_never(check)


def _quotient(of: Applied, check: ChangeOfValue, earlier: Earlier, value: float | None) -> float | None:
    """Return the value divided by its mean over earlier batches; None where there is no value, or a mean of zero."""
    store = of.tables.store
    compared = next(one for one in of.tables.dataset.checks if one.name == check.check)
    mean = batches.mean_of_earlier(store, earlier.batch_id, of.tables.name, compared, check.batches)
    return None if value is None or not mean else value / mean


def _number(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_json(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _short(bound: float | None) -> str:
    return f"{bound:.12g}"
