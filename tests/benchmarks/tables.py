"""Tables for a terminal and as Markdown, and the place in a document where a run puts its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich import box
from rich.console import Console
from rich.table import Table


def table(headings: Sequence[str], numbers: Collection[str]) -> Table:
    """An empty table for a terminal; the columns in `numbers` are set right."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in headings:
        made.add_column(heading, justify="right" if heading in numbers else "left", no_wrap=True)
    return made


def markdown_table(headings: Sequence[str], numbers: Collection[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    ruler = ["---:" if heading in numbers else "---" for heading in headings]
    return ["| " + " | ".join(cells) + " |" for cells in (headings, ruler, *rows)]


def print_with_notes(
    screen: Console,
    headings: Sequence[str],
    numbers: Collection[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
) -> None:
    """Print a table, and what it is to be read with."""
    printed = table(headings, numbers)
    for cells in rows:
        printed.add_row(*cells)
    screen.print(printed)
    print_notes(screen, notes)


def print_notes(screen: Console, notes: Sequence[str]) -> None:
    """Print what a table is to be read with, a line each."""
    for note in notes:
        screen.print(note, markup=False, soft_wrap=True)


def markdown_with_notes(
    headings: Sequence[str], numbers: Collection[str], rows: Sequence[Sequence[str]], notes: Sequence[str]
) -> str:
    """A Markdown table with its notes, to be put into a document."""
    return "\n".join([*markdown_table(headings, numbers, rows), "", *(f"- {note}" for note in notes), ""])


def marks(command: str) -> tuple[str, str]:
    """The lines of a document between which stands what the command writes."""
    return f"<!-- written by {command}: begin -->", f"<!-- written by {command}: end -->"


def document(standing: str, generated: str, command: str) -> str:
    """The document with what is between the command's two marks replaced; all of it where it has no marks."""
    first, last = marks(command)
    before, begin, rest = standing.partition(first)
    _, end, after = rest.partition(last)
    return f"{before}{begin}\n{generated}{end}{after}" if end else generated
