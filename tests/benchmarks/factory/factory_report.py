"""The benchmark's table and its notes, for a terminal and as Markdown."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from tests.benchmarks.factory.dag_files import Kind
from tests.benchmarks.factory.full_pass import Pass
from tests.benchmarks.factory.results import PHASES, Result, Target, standing_targets, targets
from tests.benchmarks.factory.standing import Measured, p95
from tests.benchmarks.tables import markdown_with_notes, print_with_notes

COMMAND = "make bench-factory"  # whose table it is in a document
NAMES = {
    Kind.OURS: "ours",
    Kind.OURS_SAME_OPERATORS: "ours, same operators",
    Kind.DAG_FACTORY: "dag-factory 1.1.0",
    Kind.STATIC: "static files",
}
HEADINGS = (
    *("streams", "way", "files", "read", "build", "serialise", "own", "MB"),
    *("pass", "file", "stored", "again", "worker ms"),
)
NUMBERS = tuple(heading for heading in HEADINGS if heading != "way")


@dataclass
class Run:
    """One run: the machine's load at its beginning, what was measured, and why some of it was not."""

    load: float
    results: list[Result] = field(default_factory=list)
    not_measured: dict[Kind, str] = field(default_factory=dict)
    standing: list[Measured] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What the table is to be read with, a sentence each."""
        missing = [f"{NAMES[kind]} was not measured: {why}" for kind, why in self.not_measured.items()]
        return [
            "Seconds, and in brackets CPU seconds, which other work on the machine changes less",
            f"{os.cpu_count()} cores, load {self.load:.1f} before the run",
            *missing,
            *_passes_that_fell_short(self.results),
            *map(_of_standing, self.standing),
            *map(_said, self.targets),
        ]

    @property
    def targets(self) -> list[Target]:
        return [*targets(self.results), *standing_targets(self.standing)]

    def rows(self) -> list[Mapping[str, object]]:
        """All of it, for JSON."""
        missing = [
            {"kind": kind.value, "phase": "not measured", "reason": why} for kind, why in self.not_measured.items()
        ]
        measured = [row for result in self.results for row in result.rows()]
        measured += [row for one in self.standing for row in one.rows()]
        return [*measured, *missing, *(target.row() for target in self.targets)]


def printed(run: Run, screen: Console) -> None:
    """Print the table and the notes."""
    print_with_notes(screen, HEADINGS, NUMBERS, [_cells(result) for result in run.results], run.notes)


def markdown(run: Run) -> str:
    """The table and the notes, to be put into a document."""
    return markdown_with_notes(HEADINGS, NUMBERS, [_cells(result) for result in run.results], run.notes)


def _passes_that_fell_short(results: Sequence[Result]) -> list[str]:
    return [
        f"{NAMES[result.kind]}, {result.streams:,} streams: {result.first_pass.stored:,} were stored. "
        + " ".join(error.strip().splitlines()[-1] for error in result.first_pass.import_errors[:1])
        for result in results
        if result.first_pass and not result.stored
    ]


def _cells(result: Result) -> list[str]:
    first, (wall, cpu) = result.costs.first, result.costs.worker
    return [
        f"{result.streams:,}",
        NAMES[result.kind],
        f"{result.files:,}",
        *(_both(first.seconds.get(phase, 0.0), first.cpu_seconds.get(phase, 0.0)) for phase in (*PHASES, "own")),
        f"{first.rss_mb:.0f}",
        *_of_pass(result.first_pass),
        _of_pass(result.pass_again)[0],
        f"{wall * 1000:.0f} ({cpu * 1000:.0f})",
    ]


def _both(wall: float, cpu: float) -> str:
    """Nothing for a phase that a way does not have."""
    return f"{wall:.2f} ({cpu:.2f})" if wall else ""


def _of_pass(done: Pass | None) -> tuple[str, str, str]:
    if done is None:
        return "", "", ""
    return f"{done.seconds:.0f} ({done.cpu_seconds:.0f})", f"{done.file_seconds:.1f}", f"{done.stored:,}"


def _of_standing(one: Measured) -> str:
    """Say what a dag-processor that goes on takes, and how long changes take."""
    changes = [
        f"{words}: median {statistics.median(seconds):.1f} s, p95 {p95(seconds):.1f} s"
        for words, seconds in (
            ("a change is stored", one.one),
            ("a hundred of a file", one.hundred_of_a_file),
            ("a hundred scattered", one.hundred_scattered),
        )
        if seconds
    ]
    first = f"the first pass took {one.first_pass:.0f} s"
    if one.busy:
        first += f" on {one.busy} busy cores, and {one.killed} files were killed"
    idle = f"{one.idle_cores:.1%} of a core while nothing changes ({one.idle_seconds:.0f} s)"
    found = "; ".join([first, idle, *changes])
    return f"At {one.streams:,} streams, {one.way.value}, a dag-processor that goes on: {found}"


def _said(target: Target) -> str:
    value = f"{target.value:,.0f}" if target.limit > 100 else f"{target.value:.3f}"
    cpu = "" if target.cpu_value is None else f", by CPU seconds {target.cpu_value:.3f}"
    limit = f"at {'most' if target.at_most else 'least'} {target.limit:,}{'' if target.reached else ': NOT REACHED'}"
    return f"At {target.streams:,} streams, {target.name}: {value}{cpu} ({limit})"
