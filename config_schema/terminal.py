"""A terminal on which names of rows, models and producers are plain text: no markup, no control characters."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from config_schema.printable import printable


class PlainConsole(Console):
    """Rich's console, on which texts cannot style themselves or control the terminal.

    Colours are the caller's `Text`. With `markup` the caller escapes markup in texts.
    """

    def __init__(self, *, stderr: bool = False, markup: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=markup, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render as Rich does, then escape control characters; line ends stay."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                shown = "\n".join(map(printable, segment.text.split("\n")))
                yield Segment(shown, segment.style)
