"""A finding of doctor: whether one thing is as it should be and, if not, what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from config_schema.errors import ProblemsFound, StreamFactoryError
from config_schema.problem import Problem, Rule


class Level(Enum):
    """WARNING: it works, and will or may not one day. ERROR: it does not work."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One line; `platform` is empty for what concerns the whole machine, `todo` if there is nothing to do."""

    level: Level
    platform: str
    area: str
    what: str
    todo: str = ""
    code: str = ""  # of the rule or error; empty where all is well

    def to_dict(self) -> dict[str, str]:
        """Return the finding as --json shows it."""
        return {**vars(self), "level": self.level.value}


@dataclass(frozen=True)
class Area:
    """Makes the findings of one area of a platform."""

    name: str
    platform: str = ""

    def ok(self, what: str) -> Finding:
        """Return a finding that all is well."""
        return Finding(Level.OK, self.platform, self.name, what)

    def warning(self, rule: Rule, what: str, todo: str) -> Finding:
        """Return a finding that deserves attention."""
        return Finding(Level.WARNING, self.platform, self.name, what, todo, rule.code)

    def error(self, rule: Rule, what: str, todo: str) -> Finding:
        """Return a finding that something does not work."""
        return Finding(Level.ERROR, self.platform, self.name, what, todo, rule.code)

    def of_problem(self, problem: Problem) -> Finding:
        """Return a problem as a finding."""
        what = _place(problem.file, problem.path) + problem.what
        return Finding(Level.ERROR, self.platform, self.name, what, problem.todo, problem.code)

    def of_error(self, error: StreamFactoryError) -> list[Finding]:
        """Return a finding for each of the error's problems."""
        if isinstance(error, ProblemsFound) and error.problems:
            return [self.of_problem(problem) for problem in error.problems]
        what = _place(error.where) + error.what_in_full
        return [Finding(Level.ERROR, self.platform, self.name, what, error.todo, error.code)]

    def warning_of_error(self, error: StreamFactoryError, what: str = "") -> Finding:
        """Return an error as a finding that deserves attention; `what` replaces what the error says."""
        what = _place(error.where) + (what or error.what_in_full)
        return Finding(Level.WARNING, self.platform, self.name, what, error.todo, error.code)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level of all; OK if there are no findings."""
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)


def _place(*parts: str) -> str:
    where = ": ".join(part for part in parts if part)
    return f"{where}: " if where else ""
