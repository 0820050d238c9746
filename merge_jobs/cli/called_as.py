"""A command that `dagfactory` offers under its own name, which its help and its errors then show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Never

from typer.main import get_command

from merge_jobs.cli.app import app
from merge_jobs.process.signal_mask import unblock_signals


def run_as(name: str, arguments: Sequence[str]) -> Never:
    """Run the command that the first arguments name, as if its name were `name`, and end the process."""
    command, rest = _found(arguments)
    own = " ".join(["merge-job", *arguments[: len(arguments) - len(rest)]])
    command.help = (command.help or "").replace(f"Example: {own}", f"Example: {name}")
    unblock_signals()
    command.main(args=rest, prog_name=name)
    raise AssertionError(name)  # main ends the process


def _found(arguments: Sequence[str]) -> tuple[Any, list[str]]:
    """Return the command, and the arguments after its name."""
    command: Any = get_command(app)
    rest = list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    return command, rest
