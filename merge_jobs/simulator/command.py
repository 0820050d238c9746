"""`merge-job simulate`: the command line around run.py."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from random import SystemRandom
from threading import Event
from types import FrameType
from typing import Annotated

import typer

from config_schema.echo import echo, echo_text
from config_schema.errors import StreamFactoryError, text_for_terminal
from merge_jobs.simulator.change import CustomerChange
from merge_jobs.simulator.connect import Settings, connector, parsed
from merge_jobs.simulator.producer import create_tables
from merge_jobs.simulator.run import Connect, Pause, Summary, run_changes

SHORTEST, LONGEST = 1.0, 5.0  # seconds, where no interval is given
SEEDS = 10**9


def simulate(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(envvar="SIMULATOR_HOST", help="Else PGHOST.")] = None,
    port: Annotated[int | None, typer.Option(envvar="SIMULATOR_PORT", help="Else PGPORT.")] = None,
    database: Annotated[str | None, typer.Option(envvar="SIMULATOR_DATABASE", help="Else PGDATABASE.")] = None,
    user: Annotated[str | None, typer.Option(envvar="SIMULATOR_USER", help="Else PGUSER.")] = None,
    password: Annotated[
        str | None,
        typer.Option(envvar="SIMULATOR_PASSWORD", help="Else PGPASSWORD. Better in the environment."),
    ] = None,
    dsn: Annotated[
        str | None,
        typer.Option(envvar="SIMULATOR_DSN", help="postgresql://USER@HOST:PORT/DATABASE, under the options above."),
    ] = None,
    min_interval: Annotated[
        float | None,
        typer.Option(min=0, envvar="SIMULATOR_MIN_INTERVAL", help="Shortest pause in seconds; 1 if not given."),
    ] = None,
    max_interval: Annotated[
        float | None,
        typer.Option(min=0, envvar="SIMULATOR_MAX_INTERVAL", help="Longest pause in seconds; 5 if not given."),
    ] = None,
    max_changes: Annotated[
        int | None,
        typer.Option(min=0, envvar="SIMULATOR_MAX_CHANGES", help="Stop after so many; without it go on for ever."),
    ] = None,
    create: Annotated[
        bool,
        typer.Option(
            "--create-tables", envvar="SIMULATOR_CREATE_TABLES", help="Make and seed the tables where they are missing."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print the kind and the id of each change.")] = False,
    seed: Annotated[
        int | None,
        typer.Option(envvar="SIMULATOR_SEED", help="The same seed on the same data makes the same changes."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, and only that.")] = False,
) -> None:
    """Change a producer's customers and addresses, one transaction a change, until Ctrl+C.

    Example: SIMULATOR_PASSWORD=... merge-job simulate --host localhost --database customer_db --user producer
    --create-tables --max-changes 20 --seed 1

    The command line wins over the environment, and single options over --dsn.

    Exit codes: 0 done or stopped, 1 an error, 2 a wrong option.
    """
    pause = _pause(min_interval, max_interval)
    flags, environment = _by_source(
        context, {"host": host, "port": port, "database": database, "user": user, "password": password}
    )
    talk = _talk if as_json else echo
    try:
        _warn_of_password(context, dsn)
        if _on_command_line(context, "dsn"):
            connect = connector(environment, dsn, flags)
        else:
            connect = connector(dsn, environment, flags)
        with _stopped_by_signals() as stop:
            if create:
                _create(connect, talk)
            reporter = _reporter(talk) if verbose else None
            chosen = SystemRandom().randrange(SEEDS) if seed is None else seed
            summary = run_changes(connect, chosen, max_changes, pause, stop, reporter, _talk)
    except StreamFactoryError as error:
        _talk(text_for_terminal(error, os.environ))
        raise typer.Exit(1) from None
    _print_summary(summary, as_json)


def _create(connect: Connect, talk: Callable[[str], None]) -> None:
    with closing(connect()) as connection:
        made = create_tables(connection)
    talk("Made the tables customers and addresses" if made else "The tables customers and addresses are there already")


def _pause(shortest: float | None, longest: float | None) -> Pause:
    if shortest is None:
        shortest = SHORTEST if longest is None else min(SHORTEST, longest)
    if longest is None:
        longest = max(LONGEST, shortest)
    if not (math.isfinite(shortest) and math.isfinite(longest)):
        raise typer.BadParameter("--min-interval and --max-interval are numbers of seconds")
    if shortest > longest:
        raise typer.BadParameter(f"--min-interval {shortest:g} is longer than --max-interval {longest:g}")
    return Pause(shortest, longest)


def _warn_of_password(context: typer.Context, dsn: str | None) -> None:
    holds_it = {"password": True, "dsn": bool(dsn) and "password" in parsed(dsn or "")}
    for option, holds in holds_it.items():
        if holds and _on_command_line(context, option):
            _talk(f"--{option} can be read by others on this machine: better SIMULATOR_{option.upper()}")


def _by_source(context: typer.Context, settings: Settings) -> tuple[Settings, Settings]:
    """Return the settings of the command line, and those of the environment."""
    flags = {name: value for name, value in settings.items() if _on_command_line(context, name)}
    return flags, {name: value for name, value in settings.items() if name not in flags}


def _on_command_line(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    """Yield an event that Ctrl+C and SIGTERM set; a change under way is finished first."""
    stop = Event()

    def handler(signum: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _reporter(talk: Callable[[str], None]) -> Callable[[CustomerChange], None]:
    def report(change: CustomerChange) -> None:
        talk(f"{change.kind.value} {change.id}")
        sys.stdout.flush()

    return report


def _print_summary(summary: Summary, as_json: bool) -> None:
    echo_text(json.dumps(summary.to_dict()) if as_json else str(summary))


def _talk(text: str) -> None:
    echo(text, err=True)
