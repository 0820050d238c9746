"""Quality checks of a dataset, as the model contains them; docs/quality.md says what each one checks.

A check of rows counts the rows that break it: of the new and changed rows of a batch, and of the rows that a change of
other rows can break. A measured check has one value of the whole dataset, as a batch leaves it, and bounds for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from config_schema.row_expression import columns_in


class CheckKind(Enum):
    """The kinds of quality checks."""

    NOT_NULL = "not_null"
    UNIQUE = "unique"
    RANGE = "range"
    PATTERN = "pattern"
    REFERENCE = "reference"
    ACCEPTED_VALUES = "accepted_values"
    EXPRESSION = "expression"
    ROW_COUNT = "row_count"
    COMPLETENESS = "completeness"
    DISTINCTNESS = "distinctness"
    UNIQUENESS = "uniqueness"
    STATISTIC = "statistic"
    FRESHNESS = "freshness"
    CHANGE = "change"


class Statistic(Enum):
    """What a `statistic` check measures of a column; NULLs are ignored."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    STDDEV = "stddev"  # of the population


class Severity(Enum):
    """What happens if a quality check is broken."""

    WARN = "warn"  # reported in the log and in the result
    FAIL = "fail"  # the batch fails, and nothing of it is merged


@dataclass(frozen=True)
class NotNull:
    """None of the columns is NULL."""

    kind: ClassVar[CheckKind] = CheckKind.NOT_NULL
    name: str
    severity: Severity
    columns: tuple[str, ...]
    sample: int | None = None  # so many keys of rows that break it are kept for who may see data; none: none


@dataclass(frozen=True)
class Unique:
    """No other row of the dataset has the same values in the columns; rows with a NULL in them are ignored."""

    kind: ClassVar[CheckKind] = CheckKind.UNIQUE
    name: str
    severity: Severity
    columns: tuple[str, ...]
    sample: int | None = None  # so many keys of rows that break it are kept for who may see data; none: none


@dataclass(frozen=True)
class Range:
    """A value is from `min` to `max`, both included; text is read as a value of the column's type. NULL passes."""

    kind: ClassVar[CheckKind] = CheckKind.RANGE
    name: str
    severity: Severity
    column: str
    min: int | float | str | None = None
    max: int | float | str | None = None
    sample: int | None = None  # so many keys of rows that break it are kept for who may see data; none: none


@dataclass(frozen=True)
class Pattern:
    """A value, as text, matches PostgreSQL's regular expression somewhere; ^ and $ match its ends. NULL passes."""

    kind: ClassVar[CheckKind] = CheckKind.PATTERN
    name: str
    severity: Severity
    column: str
    pattern: str
    sample: int | None = None  # so many keys of rows that break it are kept for who may see data; none: none


@dataclass(frozen=True)
class Reference:
    """A row of another dataset of the datastore has these values after the batch; values with a NULL pass."""

    kind: ClassVar[CheckKind] = CheckKind.REFERENCE
    name: str
    severity: Severity
    columns: tuple[str, ...]
    dataset: str
    dataset_columns: tuple[str, ...]
    sample: int | None = None  # so many keys of rows that break it are kept for who may see data; none: none


@dataclass(frozen=True)
class AcceptedValues:
    """A value is one of these; text is read as a value of the column's type. NULL passes."""

    kind: ClassVar[CheckKind] = CheckKind.ACCEPTED_VALUES
    name: str
    severity: Severity
    column: str
    values: tuple[int | float | str | bool, ...]
    sample: int | None = None  # so many keys of rows that break it are kept for who may see data; none: none


@dataclass(frozen=True)
class Expression:
    """A condition over the row's own columns, in PostgreSQL's words, is not false (`row_expression`). NULL passes."""

    kind: ClassVar[CheckKind] = CheckKind.EXPRESSION
    name: str
    severity: Severity
    expression: str
    sample: int | None = None  # so many keys of rows that break it are kept for who may see data; none: none


@dataclass(frozen=True)
class RowCount:
    """The source has from `min` to `max` rows, both included."""

    kind: ClassVar[CheckKind] = CheckKind.ROW_COUNT
    name: str
    severity: Severity
    min: int | None = None
    max: int | None = None


@dataclass(frozen=True)
class Completeness:
    """The share of rows with none of the columns NULL, from 0 to 1, is from `min` to `max`."""

    kind: ClassVar[CheckKind] = CheckKind.COMPLETENESS
    name: str
    severity: Severity
    columns: tuple[str, ...]
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Distinctness:
    """The number of different values, divided by the number of rows, is from `min` to `max`; NULLs are ignored."""

    kind: ClassVar[CheckKind] = CheckKind.DISTINCTNESS
    name: str
    severity: Severity
    columns: tuple[str, ...]
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Uniqueness:
    """The share of rows whose values no other row has is from `min` to `max`; NULLs are ignored."""

    kind: ClassVar[CheckKind] = CheckKind.UNIQUENESS
    name: str
    severity: Severity
    columns: tuple[str, ...]
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class StatisticBounds:
    """A statistic of a column is from `min` to `max`, both included."""

    kind: ClassVar[CheckKind] = CheckKind.STATISTIC
    name: str
    severity: Severity
    column: str
    statistic: Statistic
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class MaxAge:
    """The newest time in a column is at most `max_age_seconds` before the time of the batch's snapshot."""

    kind: ClassVar[CheckKind] = CheckKind.FRESHNESS
    name: str
    severity: Severity
    column: str
    max_age_seconds: int


@dataclass(frozen=True)
class ChangeOfValue:
    """The value of another check, divided by its mean over the last `batches` batches, is from `min` to `max`."""

    kind: ClassVar[CheckKind] = CheckKind.CHANGE
    name: str
    severity: Severity
    check: str
    batches: int
    min: float | None = None
    max: float | None = None


RowCheck = NotNull | Unique | Range | Pattern | Reference | AcceptedValues | Expression
# Of these a change can be measured: a share or a number of rows says nothing of a single row's values.
COMPARED = (RowCount, Completeness, Distinctness, Uniqueness)
MeasuredCheck = RowCount | Completeness | Distinctness | Uniqueness | StatisticBounds | MaxAge | ChangeOfValue
QualityCheck = (
    NotNull
    | Unique
    | Range
    | Pattern
    | Reference
    | AcceptedValues
    | Expression
    | RowCount
    | Completeness
    | Distinctness
    | Uniqueness
    | StatisticBounds
    | MaxAge
    | ChangeOfValue
)


def columns_checked(check: QualityCheck) -> tuple[str, ...]:
    """Return the columns of its own dataset that a check reads."""
    match check:
        case NotNull() | Unique() | Reference() | Completeness() | Distinctness() | Uniqueness():
            return check.columns
        case Range() | Pattern() | AcceptedValues() | StatisticBounds() | MaxAge():
            return (check.column,)
        case Expression():
            return columns_in(check.expression)
        case RowCount() | ChangeOfValue():
            return ()
