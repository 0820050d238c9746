"""The error tree of the whole product, and Problem, one thing that is wrong in a model or a config.

StreamFactoryError            where, what, what to do; whether a retry can help
 └── ProblemsFound            a model or config that did not pass: every problem at once

The edges (CLI main, factory publish, request handlers) catch StreamFactoryError and word it; in
between it rises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Self

# In the environment of a program whose output others read than those who started it, as of a job in a task's log.
SHARED_LOG_VARIABLE = "DAGFACTORY_SHARED_LOG"

Finding = tuple[str, str, str]  # a path, what is wrong there, and what to do: a Problem whose file is not yet known


def _in_one_line(text: str) -> str:
    if text.isprintable():
        return text
    from config_schema.printable import printable  # a parse of DAG files loads as few modules as it can

    return printable(text)


class StreamFactoryError(Exception):
    """An error a user can meet: `where` it is, `what` is wrong, and what `todo` about it.

    `retryable` says whether the same call can succeed later with nothing changed by a person. Names of tables and the
    like may hold anything: what could forge a line of a log is escaped.

    `private` is what only people who run the servers may read: the user and host of a session, a server's own words. No
    text of the error has it but `in_full`, so that import errors, task logs, notifications and answers never show it.
    """

    retryable = False
    private = ""

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool | None = None) -> None:
        where, what, todo = _in_one_line(where), _in_one_line(what), _in_one_line(todo)
        super().__init__(where, what, todo)
        self.where, self.what, self.todo = where, what, todo
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.todo}"

    @property
    def what_in_full(self) -> str:
        """`what`, with the private part where there is one."""
        return f"{self.what} ({self.private})" if self.private else self.what

    def in_full(self) -> str:
        """Return the whole text, with the private part: for command lines and the logs of servers only."""
        return f"{self.where}: {self.what_in_full}. {self.todo}"

    def with_private(self, text: str) -> Self:
        """Return the error itself, with this as its private part."""
        self.private = _in_one_line(text)
        return self


def text_for_terminal(error: StreamFactoryError, environment: Mapping[str, str]) -> str:
    """Return an error as a command prints it: in full, unless its output is the log of a task."""
    return str(error) if environment.get(SHARED_LOG_VARIABLE) else error.in_full()


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong: in which file, at which path in it, what (with the value seen), what to do, on which line."""

    file: str
    path: str
    what: str
    todo: str
    line: int | None = field(default=None, compare=False)  # where known

    def __str__(self) -> str:
        file = self.file if self.line is None else f"{self.file}:{self.line}"
        where = ": ".join(part for part in (file, self.path) if part)
        return _in_one_line(f"{where}: {self.what}. {self.todo}")  # names of files may hold anything, too


class ProblemsFound(StreamFactoryError):
    """Raised when a model, mapping or stream config does not pass; holds every problem, in file order."""

    def __init__(self, where: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(
            where,
            f"{count} problem{'s' if count != 1 else ''}",
            "; ".join(str(problem) for problem in self.problems),
        )


def choose_from(wrong: str, right: Iterable[str]) -> str:
    """Return the advice for a name that does not exist: the nearest names, or else all that exist."""
    known = sorted(right)
    if not known:
        return "There is none to choose from"
    return f"{did_you_mean(wrong, known)}Choose from: {', '.join(known)}"


def did_you_mean(wrong: str, right: Iterable[str]) -> str:
    """Return a question with the nearest name and a trailing space; an empty text if no name is near."""
    near = get_close_matches(wrong, sorted(right), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}? " if near else ""
