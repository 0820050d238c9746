"""Problem, one broken rule of a model, a row, a setting or a request, and Rule, which gives it its code.

A rule is defined beside the code that checks it. docs/reference/errors.md lists the rules in RULES.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Finding = tuple[str, str, str]  # a path, what is wrong there, and what to do: a Problem whose file is not yet known

LONGEST = 2000  # characters of one part of an error: a name or a value in it may be of any length

RULES: dict[str, Rule] = {}  # every rule of the modules that are loaded, by its code


def in_one_line(text: str) -> str:
    """Return the text, with escapes for characters that could begin a new line of a log."""
    if text.isprintable():
        return text
    from config_schema.printable import printable  # a parse of DAG files loads as few modules as it can

    return printable(text)


def bounded(text: str) -> str:
    """Return the text in one line, cut where it is too long for people to read."""
    over = len(text) - LONGEST
    return in_one_line(
        text if over <= 0 else f"{text[: LONGEST - 200]} ... ({over:,} characters left out) ... {text[-200:]}"
    )


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: file, path in it, what (with the value), what to do, line.

    `code` is that of the broken rule, or of the error that was found while several things were checked.
    """

    file: str
    path: str
    what: str
    todo: str
    line: int | None = field(default=None, compare=False)  # where known
    code: str = field(kw_only=True, compare=False)

    def __str__(self) -> str:
        file = self.file if self.line is None else f"{self.file}:{self.line}"
        where = ": ".join(bounded(part) for part in (file, self.path) if part)  # names of files may hold anything, too
        return f"{where}: {bounded(self.what)}. {bounded(self.todo)} [{self.code}]"


@dataclass(frozen=True)
class Rule:
    """Something that must hold. Its code never changes; `holds` is one sentence for docs/reference/errors.md."""

    code: str
    holds: str

    def __post_init__(self) -> None:
        """Register the rule. Raises ValueError for a code that another rule has."""
        if RULES.setdefault(self.code, self) != self:
            raise ValueError(f"{self.code} is the code of another rule: {RULES[self.code].holds}")

    def problem(self, file: str, path: str, what: str, todo: str, line: int | None = None) -> Problem:
        """Return a problem of this rule."""
        return Problem(file, path, what, todo, line, code=self.code)
