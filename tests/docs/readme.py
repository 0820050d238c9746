"""The tree of commands in README.md, as the programs themselves print it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from airflow_plugin.cli.program import app as dagfactory
from merge_jobs.cli.app import app as merge_job
from tests.docs.error_classes import ROOT

README = ROOT / "README.md"
BEGIN = "<!-- The tree of commands, made by `make docs`: change a command's docstring, not this. -->\n"
END = "<!-- The end of the tree -->\n"
PROGRAMS = {"dagfactory": get_command(dagfactory), "merge-job": get_command(merge_job)}


def commands(*, hidden: bool = False) -> dict[str, Any]:
    """Return the programs' commands by their full name; with `hidden` also those that --help does not list."""
    return {name: one for program, group in PROGRAMS.items() for name, one in _commands(program, group, hidden)}


def with_tree(readme: str) -> str:
    """Return the text of README.md with the tree of now between its two markers."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}```\n{tree()}\n```\n{END}{after}"


def tree() -> str:
    """Return a line for each command with what it does, indented below its group."""
    lines = [line for name, group in PROGRAMS.items() for line in _lines(name, group, "")]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:{width}}  {text}".rstrip() for name, text in lines)


def _lines(name: str, command: Any, indent: str) -> Iterator[tuple[str, str]]:
    yield indent + name, summary(command)
    for sub, one in getattr(command, "commands", {}).items():
        if not one.hidden:
            yield from _lines(sub, one, indent + "  ")


def summary(command: Any) -> str:
    """Return the first paragraph of a command's help, without its full stop."""
    return " ".join((command.help or "").split("\n\n")[0].split()).removesuffix(".")


def _commands(name: str, group: Any, hidden: bool) -> Iterator[tuple[str, Any]]:
    for sub, command in group.commands.items():
        if command.hidden and not hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(f"{name} {sub}", command, hidden)
        else:
            yield f"{name} {sub}", command
