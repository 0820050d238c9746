"""`dagfactory migrate shadow`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.cli.options import PlatformName
from config_schema.echo import echo

Stream = Annotated[str, typer.Argument(metavar="STREAM", help="A stream_key.")]
RowsFile = Annotated[Path | None, typer.Option("--rows", help="The rows that extract wrote.")]
ModelFolder = Annotated[
    Path | None, typer.Option("--model", help="Or what sync would write for this model.", envvar="DAGFACTORY_MODEL")
]
Remove = Annotated[bool, typer.Option("--remove", help="End the trial: retire its row, drop its tables.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it, only show.")]


def shadow(
    stream: Stream,
    platform: PlatformName,
    rows: RowsFile = None,
    model: ModelFolder = None,
    remove: Remove = False,
    yes: Yes = False,
) -> None:
    """Run a stream by the factory beside its static DAG for a trial; --remove ends it.

    The trial has no schedule: trigger its DAG. DAG, merge tables and batches have __shadow in their names, and what
    the static DAG has stays untouched. --remove drops what the trial made.

    Example: dagfactory migrate shadow Store1 --platform YellowLive --rows streams.yaml --yes

    Exit codes: 0 done, or shown; 1 an error: nothing was changed.
    """
    from airflow_plugin.cli.streams_view import print_changes
    from airflow_plugin.migrate.rows import chosen_config
    from airflow_plugin.migrate.shadow import check_model, drop_tables, retired, shadow_change, shadow_key
    from airflow_plugin.streams import opening
    from airflow_plugin.streams.changing import apply
    from airflow_plugin.sync.apply import author
    from config_schema import names

    wanted = None if remove else shadow_change(chosen_config(platform, stream, rows, model))
    gone: list[str] = []
    with opening.changing(platform) as table:
        before = table.rows()
        if not remove:
            check_model(table)
        change = retired(table, shadow_key(stream)) if wanted is None else wanted
        written = apply(table, [change], author())
        if remove:
            gone = drop_tables(table, change.stream_key)
        if not yes:
            table.connection.rollback()
    print_changes(before, written, done=yes)
    for name in gone:
        echo(f"{name}: {'dropped' if yes else 'would be dropped'}")
    if wanted is not None:
        echo(f"DAG {names.dag_id(names.platform_name(platform), change.stream_key)}: trigger it, it has no schedule")
    if not yes:
        echo("Nothing was changed: give --yes")
