"""Tables of Markdown, and text that is safe in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells that are Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text: str) -> str:
    """A code span; empty of an empty text."""
    if not text:
        return ""
    fence = "``" if "`" in text else "`"
    space = " " if fence == "``" else ""
    return f"{fence}{space}{_in_a_row(text)}{space}{fence}"


def cell(text: str) -> str:
    """Plain text: nothing in it is Markdown or HTML."""
    escaped = "".join(f"\\{char}" if char in "<>*_`[]" else char for char in text)
    return _in_a_row(escaped)


def _in_a_row(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
