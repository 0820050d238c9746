"""`dagfactory platform`."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from airflow_plugin.cli.last_good import last_good
from airflow_plugin.cli.options import PlatformArgument
from config_schema.echo import echo

if TYPE_CHECKING:
    from airflow_plugin.settings import PlatformSettings

platform = typer.Typer(help="Manage a platform as a whole.", no_args_is_help=True)

Drop = Annotated[
    str | None,
    typer.Option(
        "--drop", metavar="PLATFORM", help="Drop all tables of the retired platform for good; its name again."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", envvar="DAGFACTORY_YES")]


@platform.callback()
def group() -> None:
    """Manage a platform as a whole."""


platform.command("last-good")(last_good)


@platform.command()
def retire(name: PlatformArgument, drop: Drop = None, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Retire a platform: retire its streams, and move their merge tables to an archive.

    The archive is the schema <platform>_archive. Nothing is lost, and streams can be brought back. Only --drop, in a
    second call and with the platform's name again, drops what is archived, the batches and the stream table. It is
    refused while a stream is not retired, a merge table is not archived, or something of others depends on one of them.
    Take the platform out of the model first, or the next sync shows its streams as changed by hand.

    Example: dagfactory platform retire YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error, or a no to the question, or no terminal to ask on.
    """
    from config_schema import names
    from config_schema.errors import ValueWrong

    if drop is None:
        _retire(name, dry_run, yes)
    elif not names.is_platform(drop, name):
        raise ValueWrong("--drop", drop, f"is not {name!r}", f"To drop all its tables: --drop {name}")
    else:
        _drop(name, dry_run, yes)


def _retire(name: str, dry_run: bool, yes: bool) -> None:
    from airflow_plugin.cli.streams_view import print_changes
    from airflow_plugin.streams import opening
    from airflow_plugin.streams.changing import apply, status_changes
    from airflow_plugin.sync.apply import author

    with opening.changing(name) as table:
        rows, settings = table.rows(), table.settings
        written = apply(table, status_changes(table, rows, "retire"), author())
        if dry_run or (written and not yes):
            print_changes(rows, written, done=False)
        if dry_run:
            table.connection.rollback()
        elif written:
            _ask(f"Retire {len(written)} streams of {name} and archive their merge tables?", yes)
    if not dry_run:
        print_changes(rows, written, done=True)
    _archive(settings, dry_run)
    if not dry_run:
        _say_what_is_left(settings)


def _archive(settings: PlatformSettings, dry_run: bool) -> None:
    """Archive the platform's tables with the merge job."""
    from psycopg2.extensions import parse_dsn

    from airflow_plugin.settings import merge_store_dsn
    from config_schema import names

    dsn, _ = merge_store_dsn(settings.platform_name)
    parts = parse_dsn(dsn)
    credential = "platform-retire"
    login = {"username": parts.get("user", ""), "password": parts.get("password", "")}
    secrets = {names.secret_variable(credential, key): value for key, value in login.items()}
    flags = {
        "platform": settings.original_platform_name,
        "retired-days": "0",
        "postgres-host": parts.get("host", "localhost"),
        "postgres-port": parts.get("port", "5432"),
        "postgres-database": parts.get("dbname", ""),
        "postgres-schema": settings.merge_store_schema,
        "postgres-credential": credential,
    }
    command = [sys.executable, "-m", "merge_jobs", "archive", *(f"--{key}={value}" for key, value in flags.items())]
    sys.stdout.flush()
    done = subprocess.run([*command, *(["--dry-run"] if dry_run else [])], env=os.environ | secrets, check=False)
    if done.returncode != 0:
        raise typer.Exit(1)


def _drop(name: str, dry_run: bool, yes: bool) -> None:
    from airflow_plugin.control import platform_tables
    from airflow_plugin.streams import opening

    with opening.changing(name) as table:
        if left := [key for key, row in table.rows().items() if row.status != "retired"]:
            raise opening.StreamsNotRetired(name, left)
        dropped = platform_tables.drop(table.session, platform_tables.platform_tables(table.session))
        for one in dropped:
            echo(f"{one} {'would be ' if dry_run else ''}dropped")
        if dry_run:
            table.connection.rollback()
        else:
            _ask(f"Drop these {len(dropped)} tables for good?", yes)
    if not dry_run:
        echo(f"{len(dropped)} tables of {name} are dropped")


def _ask(question: str, yes: bool) -> None:
    """Ask before going on; a no, or a missing terminal, rolls back what was changed so far."""
    from airflow_plugin.cli.messages import confirm

    confirm(question, yes=yes)


def _say_what_is_left(settings: PlatformSettings) -> None:
    from config_schema import names

    name, short = settings.original_platform_name, settings.platform_name
    echo(f"{name} is retired. Its factory files ({short}_factory*.py) and {names.settings_file(short)} can go now")
    echo(f"dagfactory platform retire {name} --drop {name} drops its tables for good")
