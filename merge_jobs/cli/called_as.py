"""A command that `dagfactory` has under a name of its own, which then stands in its help and in its mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Never

from typer.main import get_command

from merge_jobs.cli.app import app
from merge_jobs.process.signal_mask import unblock_signals


def run_as(name: str, arguments: Sequence[str]) -> Never:
    """Run the command that the first arguments name, as if it were called `name`, and end the process."""
    command, rest = _found(arguments)
    own = " ".join(["merge-job", *arguments[: len(arguments) - len(rest)]])
    command.help = (command.help or "").replace(f"Example: {own}", f"Example: {name}")
    unblock_signals()
    command.main(args=rest, prog_name=name)
    raise AssertionError(name)  # main ends the process


def _found(arguments: Sequence[str]) -> tuple[Any, list[str]]:
    """Return the command, and the arguments behind its name."""
    command: Any = get_command(app)
    rest = list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    return command, rest
