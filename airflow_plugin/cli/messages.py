"""What commands print to stderr: messages, and errors in red if the terminal has colours."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console
from rich.text import Text

from config_schema.errors import ProblemsFound, StreamFactoryError, text_for_terminal
from config_schema.printable import printable
from config_schema.terminal import PlainConsole


def print_message(text: str) -> None:
    """Print a line on stderr."""
    _console().print(Text(text), soft_wrap=True)


class NotConfirmed(StreamFactoryError):
    """A command asks before it changes anything, but there is no terminal to ask on.

    Look at what it shows, then give --yes, or set DAGFACTORY_YES=1 if programs run it.
    """

    code = "DF3007"

    def __init__(self, question: str) -> None:
        self.question = question
        what = "nothing was changed: there is no terminal to ask on"
        super().__init__(question, what, "Give --yes, or set DAGFACTORY_YES=1")


def confirm(question: str, *, yes: bool = False) -> None:
    """Ask on stderr, unless the answer is `yes`; the answer no ends the command with exit code 1.

    Raises NotConfirmed without a terminal.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed(question)
    typer.confirm(printable(question), abort=True, err=True)


def print_error(error: StreamFactoryError) -> None:
    """Print an error; each problem of a model is on a line of its own."""
    _print("error: ", "bold red", error)


def print_warning(error: StreamFactoryError) -> None:
    """Print as a warning what another command would refuse."""
    _print("warning: ", "bold yellow", error)


def print_note(text: str) -> None:
    """Print something that a file of another tool says and the model does not."""
    _console().print(Text.assemble(("not in the model: ", "bold yellow"), text), soft_wrap=True)


def _print(word: str, style: str, error: StreamFactoryError) -> None:
    problems = error.problems if isinstance(error, ProblemsFound) else ()
    for line in [str(problem) for problem in problems] or [text_for_terminal(error, os.environ)]:
        _console().print(Text.assemble((word, style), line), soft_wrap=True)


def _console() -> Console:
    return PlainConsole(stderr=True)
