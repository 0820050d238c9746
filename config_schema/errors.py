"""The root of all errors that a user can meet, and the errors that are raised in every room.

StreamFactoryError            where, what, what to do; a stable code; whether a retry can help
 ├── ProblemsFound            a model or config that did not pass: every problem at once
 ├── CommandWrong             an option, an argument or a variable that cannot be used
 │    ├── ValueWrong          it has a value that it cannot have
 │    ├── OptionMissing       an option that is needed is not given
 │    ├── OptionsConflict     two options exclude each other
 │    ├── UnknownName         it names something that does not exist
 │    └── VariableMissing     a variable of the environment that is needed is not set
 ├── FileUnreadable           a file cannot be read
 ├── FileUnwritable           a file or folder cannot be written
 ├── FileMalformed            a file does not have the format that is needed
 ├── DsnMalformed             the address of a database does not have the format of one
 └── PackageMissing           a Python package that is needed is not installed

Each room defines its own errors beside the code that raises them, or in its errors.py where several modules do; these
here are raised by many. docs/reference/errors.md is made from the classes: a docstring's first paragraph says when the
error is raised, its second what to do. The edges (CLI main, factory publish, request handlers) catch StreamFactoryError
and word it; in between it rises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Self

from config_schema.problem import Problem, bounded, in_one_line

# In the environment of a program whose output others read than those who started it, as of a job in a task's log.
SHARED_LOG_VARIABLE = "DAGFACTORY_SHARED_LOG"

WELL_FORMED = "Write postgresql://user:password@host:port/database, with %-codes for @ : / % in user and password"


class StreamFactoryError(Exception):
    """An error a user can meet: `where` it is, `what` is wrong, and what `todo` about it.

    Only its subclasses are raised. Each has a `code` of its own, by which people look it up and which never changes,
    and takes what it is about as fields: callers and tests compare the class and the fields, not the words.

    `retryable` says whether the same call can succeed later with nothing changed by a person; where one class can be
    either, it takes it as a field. Names of tables and the
    like may hold anything: what could forge a line of a log is escaped.

    `private` is what only people who run the servers may read: the user and host of a session, a server's own words. No
    text of the error has it but `in_full`, so that import errors, task logs, notifications and answers never show it.
    """

    code: ClassVar[str]
    retryable = False
    private = ""

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls) and not cls.__name__.startswith("_"):  # a private one is its parent by another name
            raise TypeError(f"{cls.__name__} needs a code of its own")

    def __init__(self, where: str, what: str, todo: str) -> None:
        where, what, todo = bounded(where), bounded(what), in_one_line(todo)  # the last may be a list of problems
        super().__init__(where, what, todo)
        self.where, self.what, self.todo = where, what, todo

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.todo} [{self.code}]"

    def __reduce__(self) -> tuple[Any, ...]:
        return _copied, (type(self), self.args), vars(self)

    @property
    def what_in_full(self) -> str:
        """`what`, with the private part if there is one."""
        return f"{self.what} ({self.private})" if self.private else self.what

    def in_full(self) -> str:
        """Return the whole text, with the private part: only for command lines and servers' logs."""
        return f"{self.where}: {self.what_in_full}. {self.todo} [{self.code}]"

    def with_private(self, text: str) -> Self:
        """Set the private part, and return the error itself."""
        self.private = in_one_line(text)
        return self

    def reworded(self, what: str, todo: str | None = None, *, where: str | None = None) -> Self:
        """Return a copy with another text, and the same class, fields and private part."""
        again = copy(self)
        again.where = self.where if where is None else in_one_line(where)
        again.what, again.todo = bounded(what), self.todo if todo is None else in_one_line(todo)
        return again

    def as_problem(self, file: str, path: str = "") -> Problem:
        """Return the error as one of several problems, so that the others are found too."""
        return Problem(file, path, self.what, self.todo, code=self.code)

    @classmethod
    def title(cls) -> str:
        """Return when the error is raised: the first paragraph of its class's docstring."""
        return cls._paragraph(0)

    @classmethod
    def remedy(cls) -> str:
        """Return what to do in general, from its class's docstring; `todo` says it for one error."""
        return cls._paragraph(1)

    @classmethod
    def _paragraph(cls, number: int) -> str:
        paragraphs = (cls.__doc__ or "").split("\n\n")  # there are no docstrings with python -OO
        return " ".join(paragraphs[number].split()) if len(paragraphs) > number else ""


def _copied(kind: type[StreamFactoryError], words: tuple[str, ...]) -> StreamFactoryError:
    error = kind.__new__(kind)
    Exception.__init__(error, *words)
    return error


def text_for_terminal(error: StreamFactoryError, environment: Mapping[str, str]) -> str:
    """Return an error as a command prints it: in full, unless its output is the log of a task."""
    return str(error) if environment.get(SHARED_LOG_VARIABLE) else error.in_full()


class ProblemsFound(StreamFactoryError):
    """A model, a settings file, a stream's config or a request breaks rules; the error lists every problem, in order.

    Correct each problem that is listed, as it says.
    """

    code = "DF1001"

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
    return bounded(f"{did_you_mean(wrong, known)}Choose from: {', '.join(known)}")


def did_you_mean(wrong: str, right: Iterable[str]) -> str:
    """Return a question with the nearest name and a trailing space; an empty text if no name is near."""
    known = {one.casefold(): one for one in sorted(right)}
    near = get_close_matches(wrong.casefold(), known, n=1, cutoff=0.6)
    return f"Did you mean {known[near[0]]!r}? " if near else ""


class CommandWrong(StreamFactoryError):
    """A command cannot be run with the options, arguments or variables that it was given.

    Give them as the error says; each command's --help has an example. Its subclasses say which, as fields.
    """

    code = "DF1002"


class ValueWrong(CommandWrong):
    """An option, an argument or a setting has a value that it cannot have.

    Give another value, as the error says; each command's --help has an example.
    """

    code = "DF1010"

    def __init__(self, option: str, value: object, reason: str, todo: str) -> None:
        self.option, self.value, self.reason = option, value, reason
        super().__init__(option, f"{value!r} {reason}", todo)


class OptionMissing(CommandWrong):
    """An option that a command needs is not given.

    Give it, or one of those that the error names.
    """

    code = "DF1011"

    def __init__(self, options: Iterable[str], todo: str, where: str, why: str = "") -> None:
        self.options, self.why = tuple(options), why
        what = f"{' or '.join(self.options)} is not given"
        super().__init__(where, f"{what}: {why}" if why else what, todo)


class OptionsConflict(CommandWrong):
    """Options are given that exclude each other.

    Give one of them.
    """

    code = "DF1012"

    def __init__(self, options: Iterable[str]) -> None:
        self.options = tuple(options)
        super().__init__(
            self.options[0], f"it is given together with {', '.join(self.options[1:])}", "Give one of them"
        )


class UnknownName(CommandWrong):
    """A name does not exist: of a platform, a stream, a dataset, a table or a key.

    Choose one of the names that the error lists.
    """

    code = "DF1003"

    def __init__(self, where: str, kind: str, name: str, known: Iterable[str], place: str = "") -> None:
        self.kind, self.name, self.known, self.place = kind, name, tuple(known), place
        inside = f" in {place}" if place else ""
        super().__init__(where, f"there is no {kind} {name!r}{inside}", choose_from(name, self.known))


class VariableMissing(CommandWrong):
    """An environment variable that is needed is not set.

    Set it, or use the other way that the error names.
    """

    code = "DF1004"

    def __init__(self, variables: Iterable[str], todo: str, where: str = "") -> None:
        self.variables = tuple(variables)
        named, are = " and ".join(self.variables), "is" if len(self.variables) == 1 else "are"
        super().__init__(where or named, f"{f'{named} {are}' if where else 'it is'} not set", todo)


class FileUnreadable(StreamFactoryError):
    """A file that is needed cannot be read: it is not there, may not be read by this user, or is not text.

    Let the user of the process read it, or name another file.
    """

    code = "DF1005"

    def __init__(self, path: Path | str, error: Exception, todo: str) -> None:
        self.path, self.reason = Path(path), _reason(error)
        super().__init__(str(path), f"it cannot be read ({self.reason})", todo)


class FileUnwritable(StreamFactoryError):
    """A file or folder cannot be written, moved or locked.

    Let the user of the process write there, or name another file or folder.
    """

    code = "DF1006"

    def __init__(self, path: Path | str, error: Exception, todo: str, deed: str = "written") -> None:
        self.path, self.reason = Path(path), _reason(error)
        super().__init__(str(path), f"it cannot be {deed} ({self.reason})", todo)


class FileMalformed(StreamFactoryError):
    """A file can be read, but does not have the expected format.

    Correct it, or let the command that writes such files write it again.
    """

    code = "DF1007"

    def __init__(self, path: Path | str, what: str, todo: str) -> None:
        self.path = Path(path)
        super().__init__(str(path), what, todo)


class DsnMalformed(StreamFactoryError):
    """The address of a database is not a valid DSN; it is not shown, because it may contain a password.

    Write postgresql://user:password@host:port/database, with %-codes for @ : / % in user and password.
    """

    code = "DF1008"

    def __init__(self, where: str, todo: str | None = None) -> None:
        super().__init__(where, "this is no well-formed DSN", todo or WELL_FORMED)


class PackageMissing(StreamFactoryError):
    """A Python package that is needed for what was asked is not installed.

    Install the extra of airflow-stream-factory that the error names.
    """

    code = "DF1009"

    def __init__(self, where: str, package: str, todo: str) -> None:
        self.package = package
        super().__init__(where, f"the package {package} is not installed", todo)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it is not text" if isinstance(error, UnicodeError) else str(error) or type(error).__name__
