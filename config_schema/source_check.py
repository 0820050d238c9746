"""What was found when a stream's source was looked at, as jobs record it and people read it. Pure, on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from config_schema.problem import bounded

MOST_FINDINGS = 200  # of a check that is recorded; what is worse comes first
MOST_DATASETS = 500
MOST_COLUMNS = 5000  # of all datasets
MOST_NAMES = 20  # in a finding that lists columns


class CheckLevel(Enum):
    """How much a finding matters."""

    ERROR = "error"  # a batch fails
    WARNING = "warning"  # a batch fails once the rows are of a certain kind
    NOTE = "note"  # good to know


@dataclass(frozen=True)
class SourceFinding:
    """One thing that was found: what, what to do about it, and the code of the rule or the error.

    `dataset` is empty for what concerns the whole source. No text has a value of a row.
    """

    level: CheckLevel
    dataset: str
    what: str
    todo: str
    code: str

    def __post_init__(self) -> None:
        """Keep names of a producer's, which its server may give any length and characters, in one short line."""
        object.__setattr__(self, "what", bounded(self.what))
        object.__setattr__(self, "todo", bounded(self.todo))

    def __str__(self) -> str:
        where = f"dataset {self.dataset}: " if self.dataset else ""
        return f"{where}{self.what}. {self.todo} [{self.code}]"


@dataclass(frozen=True)
class ReadableDataset:
    """A dataset that was looked at: which strategy its next batches can have, and why not a cheaper one.

    `columns` are the names and types of the source's columns, in its order.
    """

    name: str
    table: str
    strategy: str
    why: str
    columns: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Keep names of a producer's in one short line."""
        object.__setattr__(self, "why", bounded(self.why))
        object.__setattr__(self, "columns", tuple((bounded(name), bounded(kind)) for name, kind in self.columns))


@dataclass(frozen=True)
class SourceCheck:
    """A look at the source of a stream: the database's name, what was found, and the datasets that can be read.

    `left_out` is the number of findings for which there was no room.
    """

    source: str
    findings: tuple[SourceFinding, ...]
    datasets: tuple[ReadableDataset, ...] = ()
    left_out: int = 0

    @property
    def errors(self) -> tuple[SourceFinding, ...]:
        """The findings that stop a batch."""
        return tuple(one for one in self.findings if one.level is CheckLevel.ERROR)

    def count(self, level: CheckLevel) -> int:
        """Return how many findings of a level there are."""
        return sum(one.level is level for one in self.findings)

    def bounded(self) -> SourceCheck:
        """Return the check as it is recorded: the worst findings, and so many datasets."""
        order = list(CheckLevel)
        worst = sorted(self.findings, key=lambda one: order.index(one.level))
        kept = tuple(worst[:MOST_FINDINGS])
        left_out = self.left_out + len(worst) - len(kept)
        return SourceCheck(self.source, kept, _with_some_columns(self.datasets[:MOST_DATASETS]), left_out)

    def to_dict(self) -> dict[str, Any]:
        """Return the check as JSON has it."""
        findings = [{**asdict(one), "level": one.level.value} for one in self.findings]
        return {
            "source": self.source,
            "findings": findings,
            "datasets": [{**asdict(one), "columns": [list(column) for column in one.columns]} for one in self.datasets],
            "left_out": self.left_out,
        }


def source_check_from_dict(found: Mapping[str, Any]) -> SourceCheck:
    """Return the check that `to_dict` gave; what a newer program has added is left out."""
    return SourceCheck(
        str(found["source"]),
        tuple(
            SourceFinding(CheckLevel(one["level"]), one["dataset"], one["what"], one["todo"], one["code"])
            for one in found["findings"]
        ),
        tuple(
            ReadableDataset(
                one["name"],
                one["table"],
                one["strategy"],
                one["why"],
                tuple((str(name), str(kind)) for name, kind in one.get("columns", ())),
            )
            for one in found["datasets"]
        ),
        int(found.get("left_out", 0)),
    )


def _with_some_columns(datasets: Iterable[ReadableDataset]) -> tuple[ReadableDataset, ...]:
    """Return the datasets, of which the first have their columns: those of a dataset all, or none."""
    kept, left = [], MOST_COLUMNS
    for one in datasets:
        left -= len(one.columns)
        kept.append(one if left >= 0 else replace(one, columns=()))
    return tuple(kept)


def some_names(names: Sequence[str] | Iterable[str]) -> str:
    """Return names for a sentence, the first of many."""
    every = list(names)
    more = f" and {len(every) - MOST_NAMES} more" if len(every) > MOST_NAMES else ""
    return ", ".join(every[:MOST_NAMES]) + more
