"""What a command of `merge-job` needs from typer: its options, and errors on standard error."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, get_args

import typer

from config_schema.echo import echo
from config_schema.errors import ProblemsFound, StreamFactoryError, text_for_terminal
from merge_jobs.cli.options import Option

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def typer_command(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with typer's options instead of those of options.py."""

    @wraps(command)
    def run(**given: Any) -> None:
        command(**given)

    parameters = [_of_typer(one) for one in signature(command, eval_str=True).parameters.values()]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return run


def _of_typer(parameter: Parameter) -> Parameter:
    kind, *found = get_args(parameter.annotation) or (parameter.annotation,)
    match found:
        case [Option(name) as option]:
            info = typer.Option(name, envvar=option.envvar, help=option.help)
            return parameter.replace(annotation=Annotated[kind, info])
        case _:
            return parameter


def print_error(error: StreamFactoryError) -> None:
    """Print an error on standard error, a line for each problem."""
    problems = error.problems if isinstance(error, ProblemsFound) else (text_for_terminal(error, os.environ),)
    for problem in problems:
        echo(f"error: {problem}", err=True)


@contextmanager
def errors_printed() -> Iterator[None]:
    """Print an error that a user can meet, and end the command with exit code 1."""
    try:
        yield
    except StreamFactoryError as error:
        print_error(error)
        raise typer.Exit(1) from None
