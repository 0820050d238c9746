"""What a run shows: its table beside the targets and the peers, for a terminal and as Markdown."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console

from tests.benchmarks.peers import CLIENT_MEMORY_MB, PEERS, TARGET_ROWS, target
from tests.benchmarks.rounds import Row
from tests.benchmarks.tables import markdown_with_notes, print_notes, table

HEADINGS = ("rows", "keys", "changes", "mode", "strategy", "round", "x copy", "target", "seconds", "RSS MB", "content")
NUMBERS = ("rows", "x copy", "target", "seconds", "RSS MB")
PEER_HEADINGS = ("peer, 1M rows", "mode", "first load / delta / nothing", "MB", "same as the source")
COMMAND = "make bench"  # whose table it is in a document


@dataclass
class Run:
    """One run of the benchmark: the server's settings, the machine's load at its beginning, what was measured."""

    settings: dict[str, str]
    load: float
    rows: list[Row] = field(default_factory=list)
    raw_copies: dict[str, list[float]] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What the table is to be read with, a sentence each."""
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        copies = [
            f"Raw copy, {keys} keys: median {statistics.median(seconds):.2f} s of {len(seconds)} "
            f"({min(seconds):.2f} to {max(seconds):.2f} s)"
            for keys, seconds in self.raw_copies.items()
        ]
        startup = statistics.median(row.startup_seconds for row in self.rows)
        startup_ratio = startup / statistics.median(row.raw_copy_seconds for row in self.rows)
        others = dict.fromkeys(
            f"{row.asked} was asked for, {row.strategy} ran: {row.reason}"
            for row in self.rows
            if row.asked != row.strategy
        )
        return [
            f"PostgreSQL 18, source and merge store on one server: {settings}",
            f"{os.cpu_count()} cores, load {self.load:.1f} before the run",
            *copies,
            f"The start of the job, part of every row's seconds: {startup:.2f} s, {startup_ratio:.2f} x copy",
            *others,
            *_over_target(self.rows),
        ]


def _over_target(rows: Sequence[Row]) -> list[str]:
    wanted = [(row, target(row.mode, row.asked, row.round)) for row in rows]
    over = [
        f"{row.mode} {row.asked} {row.round} {row.keys} {row.changes} {row.ratio_to_copy:.2f} ({ratio:.1f})"
        for row, ratio in wanted
        if ratio is not None and row.rows >= TARGET_ROWS and row.ratio_to_copy > ratio
    ]
    return ["Over their targets: " + ", ".join(over)] if over else []


def printed(run: Run, console: Console) -> None:
    """Print the table, the peers and the notes."""
    measured = table(HEADINGS, NUMBERS)
    for row in run.rows:
        measured.add_row(*_coloured(row))
    console.print(measured)
    peers = table(PEER_HEADINGS, ())
    for peer in PEERS:
        peers.add_row(peer.tool, peer.mode, peer.ratios, peer.memory_mb, peer.same)
    console.print(peers)
    print_notes(console, run.notes)


def markdown(run: Run) -> str:
    """The table and the notes, to be put into a document."""
    return markdown_with_notes(HEADINGS, NUMBERS, [_cells(row) for row in run.rows], run.notes)


def _coloured(row: Row) -> list[str]:
    cells = _cells(row)
    wanted = target(row.mode, row.asked, row.round)
    colours = {
        HEADINGS.index("x copy"): "" if wanted is None else "yellow" if row.ratio_to_copy > wanted else "green",
        HEADINGS.index("RSS MB"): "yellow" if row.rss_mb > CLIENT_MEMORY_MB else "",
        HEADINGS.index("content"): "green" if row.content_ok else "bold red",
    }
    return [f"[{colours[at]}]{text}[/]" if colours.get(at) else text for at, text in enumerate(cells)]


def _cells(row: Row) -> list[str]:
    wanted = target(row.mode, row.asked, row.round)
    ran = row.strategy if row.strategy == row.asked else f"{row.asked} (ran {row.strategy})"
    return [
        f"{row.rows:,}",
        row.keys,
        row.changes,
        row.mode,
        ran,
        row.round,
        f"{row.ratio_to_copy:.2f}",
        "" if wanted is None else f"{wanted:.1f}",
        f"{row.seconds:.2f}",
        f"{row.rss_mb:.0f}",
        "ok" if row.content_ok else "DIFFERS",
    ]
