"""Quality checks of a dataset, as the model contains them; docs/quality.md says what each one checks.

A check counts the rows that break it: of the new and changed rows of a batch, and of the rows that a change of other
rows can break.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class CheckKind(Enum):
    """The kinds of quality checks."""

    NOT_NULL = "not_null"
    UNIQUE = "unique"
    RANGE = "range"
    PATTERN = "pattern"
    REFERENCE = "reference"
    ROW_COUNT = "row_count"


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


@dataclass(frozen=True)
class Unique:
    """No other row of the dataset has the same values in the columns; rows with a NULL in them are ignored."""

    kind: ClassVar[CheckKind] = CheckKind.UNIQUE
    name: str
    severity: Severity
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """A value is from `min` to `max`, both included; text is read as a value of the column's type. NULL passes."""

    kind: ClassVar[CheckKind] = CheckKind.RANGE
    name: str
    severity: Severity
    column: str
    min: int | float | str | None = None
    max: int | float | str | None = None


@dataclass(frozen=True)
class Pattern:
    """A value, as text, matches PostgreSQL's regular expression somewhere; ^ and $ match its ends. NULL passes."""

    kind: ClassVar[CheckKind] = CheckKind.PATTERN
    name: str
    severity: Severity
    column: str
    pattern: str


@dataclass(frozen=True)
class Reference:
    """A row of another dataset of the datastore has these values after the batch; values with a NULL pass."""

    kind: ClassVar[CheckKind] = CheckKind.REFERENCE
    name: str
    severity: Severity
    columns: tuple[str, ...]
    dataset: str
    dataset_columns: tuple[str, ...]


@dataclass(frozen=True)
class RowCount:
    """The source has from `min` to `max` rows, both included."""

    kind: ClassVar[CheckKind] = CheckKind.ROW_COUNT
    name: str
    severity: Severity
    min: int | None = None
    max: int | None = None


QualityCheck = NotNull | Unique | Range | Pattern | Reference | RowCount


def columns_checked(check: QualityCheck) -> tuple[str, ...]:
    """Return the columns of its own dataset that a check reads."""
    match check:
        case NotNull() | Unique() | Reference():
            return check.columns
        case Range() | Pattern():
            return (check.column,)
        case RowCount():
            return ()
