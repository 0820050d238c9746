"""The benchmark's table and its notes, for a terminal and as Markdown."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from tests.benchmarks.model.measuring import Row, Target, targets
from tests.benchmarks.tables import markdown_with_notes, print_with_notes

COMMAND = "make bench-model"  # whose table it is in a document


@dataclass
class Run:
    """One run: the machine's load at its beginning, and what was measured."""

    load: float
    rows: list[Row] = field(default_factory=list)

    @property
    def headings(self) -> tuple[str, ...]:
        return ("what", *(f"{size:,}" for size in self._sizes))

    @property
    def cells(self) -> list[Sequence[str]]:
        """A line for each thing: its CPU seconds and its memory at each size."""
        found: dict[str, dict[int, Row]] = {}
        for row in self.rows:
            found.setdefault(row.what, {})[row.streams] = row
        return [(what, *(_cell(of.get(size)) for size in self._sizes)) for what, of in found.items()]

    @property
    def targets(self) -> list[Target]:
        return targets(self.rows)

    @property
    def notes(self) -> list[str]:
        """What the table is to be read with, a sentence each."""
        return [
            "CPU seconds of the command, and its memory in MB; the server's CPU is not in it",
            f"{os.cpu_count()} cores, load {self.load:.1f} before the run",
            *map(_said, self.targets),
        ]

    def to_list(self) -> list[Mapping[str, object]]:
        """All of it, for JSON."""
        return [one.to_dict() for one in (*self.rows, *self.targets)]

    @property
    def _sizes(self) -> list[int]:
        return sorted({row.streams for row in self.rows})


def printed(run: Run, screen: Console) -> None:
    """Print the table and the notes."""
    print_with_notes(screen, run.headings, run.headings[1:], run.cells, run.notes)


def markdown(run: Run) -> str:
    """The table and the notes, to be put into a document."""
    return markdown_with_notes(run.headings, run.headings[1:], run.cells, run.notes)


def _cell(row: Row | None) -> str:
    return "" if row is None else f"{row.cpu_seconds:.2f} ({row.rss_mb:.0f})"


def _said(target: Target) -> str:
    return f"{target.name}: {target.value:.2f} (at most {target.limit:g}{'' if target.reached else ': NOT REACHED'})"
