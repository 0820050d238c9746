"""`merge-job`: what DAGs and the jobs of a platform run, and, hidden in --help, what `dagfactory` calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Never

import typer
from typer.main import get_command

from config_schema.echo import echo
from config_schema.product import version
from merge_jobs.cli.approve_delete import approve_delete
from merge_jobs.cli.archive import archive
from merge_jobs.cli.changes import changes
from merge_jobs.cli.check_source import check_source
from merge_jobs.cli.describe import describe
from merge_jobs.cli.diff import diff
from merge_jobs.cli.erase import erase
from merge_jobs.cli.feed import feed
from merge_jobs.cli.merge import merge
from merge_jobs.cli.reset import reset
from merge_jobs.cli.sql import sql
from merge_jobs.cli.status import status
from merge_jobs.cli.tables import tables
from merge_jobs.cli.trust import trust
from merge_jobs.cli.typer_command import typer_command
from merge_jobs.cli.views import views
from merge_jobs.process.signal_mask import unblock_signals
from merge_jobs.simulator import simulate

LISTED = (merge, tables, archive, simulate)
OF_DAGFACTORY = (status, changes, diff, check_source, reset, approve_delete, trust, erase, sql, describe)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in LISTED:
    app.command()(typer_command(command))
for command in OF_DAGFACTORY:
    app.command(hidden=True)(typer_command(command))
app.add_typer(views, name="views")
app.add_typer(feed, name="feed")


def _print_version(asked: bool) -> None:
    if asked:
        echo(f"merge-job {version()}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version)
]


@app.callback()
def _describe(context: typer.Context, version: Version = False) -> None:
    """Copy a producer's tables, merge them, and report in the last lines of the log what was done.

    These are the commands of DAGs and of a platform's jobs. For people there is dagfactory. It calls this program by
    names that are not listed here: status, changes, diff, check-source, reset, approve-delete, trust, erase, sql
    (dagfactory runs) and describe (dagfactory model import database).
    """
    if context.invoked_subcommand != merge.__name__:  # which lets them in when it can say that they ended it
        unblock_signals()


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
