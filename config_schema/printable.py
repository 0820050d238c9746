"""Text from elsewhere (names of tables, messages of a server), made safe for a line of a log or a page."""

from __future__ import annotations

import traceback
import unicodedata

# Control characters, formats (they turn the direction of text around), separators of lines, and halves of pairs.
UNPRINTABLE = frozenset(["Cc", "Cf", "Zl", "Zp", "Cs"])


def printable(text: str, limit: int | None = None) -> str:
    """Return the text in one line, with control characters escaped; cut after `limit` characters."""
    if limit is not None and len(text) > limit:
        text = f"{text[:limit]}... ({len(text)} characters)"
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escaped, text))


def frames_of(error: BaseException) -> str:
    """Return where an error was raised, in one line, without its text: that may hold a row's values."""
    frames = traceback.extract_tb(error.__traceback__)
    return printable("; ".join(f"{one.filename}:{one.lineno} {one.name}" for one in frames))


def _escaped(character: str) -> str:
    if unicodedata.category(character) in UNPRINTABLE:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character
