"""Problem, one broken rule of a model, a row, a setting or a request, and Rule, which gives it its code.

A rule stands beside the code that checks it. docs/reference/errors.md lists the rules, made from RULES.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Finding = tuple[str, str, str]  # a path, what is wrong there, and what to do: a Problem whose file is not yet known

RULES: dict[str, Rule] = {}  # every rule of the modules that are loaded, by its code


def in_one_line(text: str) -> str:
    """Return the text with escapes for what could begin another line of a log."""
    if text.isprintable():
        return text
    from config_schema.printable import printable  # a parse of DAG files loads as few modules as it can

    return printable(text)


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong: in which file, at which path in it, what (with the value seen), what to do, on which line.

    `code` is that of the broken rule, or of the error that was found where one thing of several was checked.
    """

    file: str
    path: str
    what: str
    todo: str
    line: int | None = field(default=None, compare=False)  # where known
    code: str = field(kw_only=True, compare=False)

    def __str__(self) -> str:
        file = self.file if self.line is None else f"{self.file}:{self.line}"
        where = ": ".join(part for part in (file, self.path) if part)
        return in_one_line(f"{where}: {self.what}. {self.todo} [{self.code}]")  # names of files may hold anything, too


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
