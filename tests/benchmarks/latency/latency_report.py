"""What a run shows: seconds until a change was seen, and the gaps in which nobody looked at the source."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console

from tests.benchmarks.latency.measuring import Seen, percentile
from tests.benchmarks.tables import markdown_with_notes, print_with_notes

COMMAND = "make bench-latency"  # whose table it is in a document
TARGET_SECONDS, TARGET_SLICE = 15, 50  # p95 of a live stream on a schedule of a minute
HEADINGS = ("time slice", "platform", "changes", "p50", "p95", "max", "runs", "gap p50", "gap max")
NUMBERS = tuple(heading for heading in HEADINGS if heading != "platform")


@dataclass(frozen=True)
class Result:
    """One platform with one time slice; seconds. `gap_anatomy` are median seconds of the parts of a gap."""

    time_slice_seconds: int
    tick_seconds: float
    platform: str
    forensic: bool
    changes: int
    never_seen: int
    p50: float
    p95: float
    max: float
    runs: int
    gap_p50: float | None
    gap_max: float | None
    gap_anatomy: dict[str, float]

    @classmethod
    def of(cls, time_slice: int, tick: float, made_at: list[float], seen: Seen, parts: dict[str, float]) -> Result:
        latencies, gaps = seen.latencies(made_at), seen.gaps()
        known = latencies or [float("inf")]
        return cls(
            time_slice_seconds=time_slice,
            tick_seconds=tick,
            platform=seen.platform.original,
            forensic=seen.platform.forensic,
            changes=len(made_at),
            never_seen=len(made_at) - len(latencies),
            p50=round(percentile(known, 50), 2),
            p95=round(percentile(known, 95), 2),
            max=round(max(known), 2),
            runs=len({run for run, _ in seen.looks}),
            gap_p50=round(percentile(gaps, 50), 2) if gaps else None,
            gap_max=round(max(gaps), 2) if gaps else None,
            gap_anatomy=parts,
        )

    @property
    def is_target(self) -> bool:
        return not self.forensic and self.time_slice_seconds == TARGET_SLICE


@dataclass
class Run:
    """One run of the benchmark, and the machine's load at its beginning."""

    seed: int
    load: float
    airflow: bool
    results: list[Result] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What the table is to be read with, a sentence each."""
        who = "a real Airflow with the process runner" if self.airflow else "no Airflow: threads that do as its DAGs"
        found = [f"Seconds; {who}; {os.cpu_count()} cores, load {self.load:.1f} before the run, seed {self.seed}"]
        for result in self.results:
            if result.gap_anatomy:
                parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result.gap_anatomy.items())
                found.append(f"A gap of {result.platform}, time slice {result.time_slice_seconds} s: {parts}")
            if result.never_seen:
                found.append(f"{result.platform}: {result.never_seen} changes were NEVER SEEN")
            if result.is_target and self.airflow:
                reached = "reached" if result.p95 < TARGET_SECONDS else "NOT REACHED"
                found.append(f"{result.platform}: p95 {result.p95:.1f} s, to be under {TARGET_SECONDS} s: {reached}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "seed": self.seed,
            "cores": os.cpu_count(),
            "load": round(self.load, 2),
            "airflow": self.airflow,
            "target_p95_seconds": TARGET_SECONDS,
            "reached": all(one.p95 < TARGET_SECONDS for one in self.results if one.is_target),
            "results": [asdict(one) for one in self.results],
        }


def printed(run: Run, console: Console) -> None:
    """Print the table and the notes."""
    print_with_notes(console, HEADINGS, NUMBERS, [_cells(result) for result in run.results], run.notes)


def markdown(run: Run) -> str:
    """The table and the notes, to be put into a document."""
    return markdown_with_notes(HEADINGS, NUMBERS, [_cells(result) for result in run.results], run.notes)


def _cells(result: Result) -> list[str]:
    gaps = ["" if gap is None else f"{gap:.1f}" for gap in (result.gap_p50, result.gap_max)]
    numbers = [f"{value:.1f}" for value in (result.p50, result.p95, result.max)]
    slice_ = str(result.time_slice_seconds or "none")
    return [slice_, result.platform, f"{result.changes:,}", *numbers, str(result.runs), *gaps]
