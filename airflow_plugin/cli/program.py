"""Joins the sub-commands. Their modules import at the top only what --help needs."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Never

import typer

from airflow_plugin.cli.bootstrap import bootstrap
from airflow_plugin.cli.db import db
from airflow_plugin.cli.demo import demo
from airflow_plugin.cli.doctor import doctor
from airflow_plugin.cli.merge_job import PASSED_THROUGH, views
from airflow_plugin.cli.migrate import migrate
from airflow_plugin.cli.model import model
from airflow_plugin.cli.old_names import add_old_names, with_old_options
from airflow_plugin.cli.options import OLD_BRANCH
from airflow_plugin.cli.plan import plan
from airflow_plugin.cli.platform import platform
from airflow_plugin.cli.runs import runs
from airflow_plugin.cli.status import status
from airflow_plugin.cli.streams import streams
from airflow_plugin.cli.sync import sync
from airflow_plugin.cli.validate import validate
from config_schema.chosen_environment import settle_by
from config_schema.connect_wait import wait_in_pods
from config_schema.echo import echo
from config_schema.errors import PackageMissing, StreamFactoryError
from config_schema.library_output import no_texts_in_shared_logs

EXIT_CODES = "Exit codes: 0 done, 1 an error, which is named, 2 a wrong command line."

OURS = ("", "airflow_plugin", "config_schema")

app = typer.Typer(
    name="dagfactory",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    # A stack trace with local variables could show a password.
    pretty_exceptions_enable=False,
)
for command in (validate, plan, sync, bootstrap, doctor, status):
    app.command(cls=with_old_options(OLD_BRANCH if command in (plan, sync) else {}))(command)
app.command(context_settings=PASSED_THROUGH)(demo)
GROUPS = {
    "model": model,
    "streams": streams,
    "runs": runs,
    "views": views,
    "platform": platform,
    "db": db,
    "migrate": migrate,
}
for name, group in GROUPS.items():
    app.add_typer(group, name=name)
add_old_names(app, GROUPS)


def _print_version(asked: bool) -> None:
    if asked:
        from config_schema.product import version

        echo(f"dagfactory {version()}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version)
]


@app.callback()
def program(version: Version = False) -> None:
    """Many ingestion streams on Airflow from rows in a table, kept equal to a model in git."""


def run() -> Never:
    """Run the command line; an error that a user can meet is printed on stderr and ends with exit code 1."""
    from airflow_plugin.cli.messages import print_error

    wait_in_pods()
    settle_by(_environment_here)
    with no_texts_in_shared_logs():
        try:
            app(prog_name="dagfactory")
        except StreamFactoryError as error:
            print_error(error)
        except ModuleNotFoundError as error:
            print_error(missing_extra(error))
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
    sys.exit(1)


def _environment_here() -> str | None:
    from airflow_plugin.platforms_here import environment_here

    return environment_here()


def missing_extra(error: ModuleNotFoundError) -> StreamFactoryError:
    """Return an error that names the extra to install; raise `error` again if a module of ours is missing.

    The base install has no Airflow and no PostgreSQL server.
    """
    package = (error.name or "").partition(".")[0]
    if package in OURS:
        raise error
    return PackageMissing("dagfactory", package, "Install airflow-stream-factory[airflow], or [demo] for the demo")
