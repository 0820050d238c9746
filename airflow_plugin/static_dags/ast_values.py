"""What reading a DAG file gives beside plain values: calls kept as data, imported names, and unreadable values."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MOST_STEPS = 200_000  # statements and expressions of a file, each time that they are followed
LONGEST = 100_000  # characters of a text, and entries of a list: a file of a few lines could ask for any number
UNKNOWN = "(what cannot be read)"  # a key in a dict that something may have changed


@dataclass(frozen=True)
class Unread:
    """A value that the syntax tree does not contain."""

    line: int
    what: str


@dataclass(frozen=True)
class Imported:
    """A name from another module: `airflow.models.Variable`."""

    name: str


@dataclass(eq=False)
class Made:
    """A call that is not made: whose, and with what. Two are never equal, as two tasks are not."""

    name: str
    args: list[Any]
    kwargs: dict[str, Any]
    line: int
    column: int = 0

    @property
    def kind(self) -> str:
        """The last part of its name: `KubernetesPodOperator`."""
        return self.name.rpartition(".")[2]

    def given(self, name: str, position: int | None = None) -> Any:
        """Return an argument by its name, or by its position; None if it is not given."""
        if name not in self.kwargs and position is not None and position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name)


@dataclass(frozen=True)
class Decorated:
    """A function under `@dag`, and the DAG that calling it would make."""

    function: ast.FunctionDef
    dag: Made


class TooMuch(Exception):
    """A file takes more steps to read than any file of a person or a generator."""


@dataclass
class Steps:
    """The number of steps that reading a file may still take."""

    left: int = MOST_STEPS

    def take(self) -> None:
        """Count a step. Raises TooMuch if none is left."""
        self.left -= 1
        if self.left < 0:
            raise TooMuch


@dataclass
class FileScope:
    """What a file has defined so far. `dags` are those with an open `with`; inner scopes share all but the names.

    `skipped` has the ids of syntax nodes that do not run: a branch that is not taken, a loop over nothing.
    """

    names: dict[str, Any] = field(default_factory=dict)
    made: list[Made] = field(default_factory=list)
    edges: list[tuple[Made, Made]] = field(default_factory=list)
    dags: list[Made] = field(default_factory=list)
    depth: int = 0
    steps: Steps = field(default_factory=Steps)
    skipped: set[int] = field(default_factory=set)
    decorated: list[Decorated] = field(default_factory=list)

    def inner(self, names: dict[str, Any]) -> FileScope:
        """Return a scope inside this one, with further names."""
        return FileScope(
            {**self.names, **names},
            self.made,
            self.edges,
            self.dags,
            self.depth + 1,
            self.steps,
            self.skipped,
            self.decorated,
        )


def is_plain(value: Any) -> bool:
    """Return whether a value is fully known: text, number, bool, None, or a collection of such."""
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(one) for key, one in value.items())
    if isinstance(value, list | tuple | set):
        return all(map(is_plain, value))
    return value is None or isinstance(value, str | int | float)


def first_unread(values: Iterable[Any]) -> Unread | None:
    """Return the first thing in values, and in what they hold, that cannot be read."""
    for value in values:
        if isinstance(value, Unread):
            return value
        if isinstance(value, Made):
            found = first_unread((*value.args, *value.kwargs.values()))
        elif isinstance(value, dict):
            found = first_unread((*value.keys(), *value.values()))
        else:
            found = first_unread(value) if isinstance(value, list | tuple | set) else None
        if found:
            return found
    return None


def forget(node: ast.AST, scope: FileScope, why: Unread) -> None:
    """Forget the names that a statement sets, and the lists and dicts it changes, wherever else they are held."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store | ast.Del):
            scope.names[one.id] = why
        elif isinstance(one, ast.Call):
            held = [one.func.value] if isinstance(one.func, ast.Attribute) else []
            mark_unknown((scope.names.get(name.id) for name in (*held, *one.args) if isinstance(name, ast.Name)), why)
        elif isinstance(one, ast.Subscript) and not isinstance(one.ctx, ast.Load) and isinstance(one.value, ast.Name):
            mark_unknown([scope.names.get(one.value.id)], why)


def mark_unknown(values: Iterable[Any], why: Unread) -> None:
    """Mark lists and dicts, in place, as no longer known."""
    for value in values:
        if isinstance(value, list):
            value.append(why)
        elif isinstance(value, dict):
            value[UNKNOWN] = why
