"""What commands print on stderr: messages, and errors, in red where the terminal has colours."""

from __future__ import annotations

import os

import typer
from rich.console import Console
from rich.text import Text

from config_schema.errors import ProblemsFound, StreamFactoryError, text_for_terminal
from config_schema.printable import printable
from config_schema.terminal import PlainConsole


def print_message(text: str) -> None:
    """Print a line on stderr."""
    _console().print(Text(text), soft_wrap=True)


def confirm(question: str) -> None:
    """Ask on stderr; a no ends the command with exit code 1."""
    typer.confirm(printable(question), abort=True, err=True)


def print_error(error: StreamFactoryError) -> None:
    """Print an error, or each of a model's problems on a line of its own."""
    _print("error: ", "bold red", error)


def print_warning(error: StreamFactoryError) -> None:
    """Print as a warning what another command would refuse."""
    _print("warning: ", "bold yellow", error)


def _print(word: str, style: str, error: StreamFactoryError) -> None:
    problems = error.problems if isinstance(error, ProblemsFound) else ()
    for line in [str(problem) for problem in problems] or [text_for_terminal(error, os.environ)]:
        _console().print(Text.assemble((word, style), line), soft_wrap=True)


def _console() -> Console:
    return PlainConsole(stderr=True)
