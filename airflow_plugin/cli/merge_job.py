"""The merge job as a child process, called by its command line, and the commands that only call it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Never

import typer

from config_schema.connect_wait import IN_A_POD, VARIABLE

CALLED_AS_VARIABLE = "DATASURFACE_CALLED_AS"  # by which name the job's command shows itself in its help

# A command that hands on whatever it is given, --help too.
PASSED_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def run_merge_job(*arguments: str, handed_on: Sequence[str], called_as: str = "") -> Never:
    """End this program with the exit code of `merge-job`; its help shows the name of the calling command."""
    environment = os.environ | ({CALLED_AS_VARIABLE: called_as} if called_as else {})
    if IN_A_POD not in environment:
        environment.setdefault(VARIABLE, "0")  # a person at a terminal learns at once that nobody listens
    command = [sys.executable, "-m", "merge_jobs", *arguments, *handed_on]
    if os.name == "posix":
        # This process becomes the job: signals, Ctrl+C among them, and the exit code need no passing on.
        sys.stdout.flush()
        os.execve(command[0], command, environment)
    sys.exit(subprocess.call(command, env=environment))


views = typer.Typer(help="Manage what consumers see: views, roles, rights.", no_args_is_help=True)


@views.callback()
def group() -> None:
    """Manage what consumers see: views, roles, rights."""


@views.command(context_settings=PASSED_THROUGH)
def reconcile(context: typer.Context) -> None:
    """Bring consumers' views, roles and rights in line with the model; --dry-run prints the SQL.

    Example: dagfactory views reconcile --platform YellowLive --model ./model

    Exit codes: 0 done or nothing to do, 1 something stands in the way or an error, 2 a wrong option.
    """
    run_merge_job("views", "reconcile", handed_on=context.args, called_as="dagfactory views reconcile")


def plan(context: typer.Context) -> None:
    """Run `dagfactory views reconcile --dry-run`."""
    run_merge_job("views", "plan", handed_on=context.args, called_as="dagfactory views reconcile")


def simulate(context: typer.Context) -> None:
    """Run `merge-job simulate`."""
    run_merge_job("simulate", handed_on=context.args)
