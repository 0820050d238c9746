"""`dagfactory streams`: looking at rows. Those that change them are in streams_change.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.cli import streams_change
from airflow_plugin.cli.old_names import with_old_options
from airflow_plugin.cli.options import Json, PlatformName, PlatformNames
from airflow_plugin.cli.streams_preview import preview
from airflow_plugin.cli.streams_purge import purge
from airflow_plugin.cli.streams_reload import reload
from config_schema.echo import echo_text

streams = typer.Typer(help="Look at a platform's streams, and change them by hand.", no_args_is_help=True)

Stream = Annotated[str, typer.Argument(metavar="STREAM", help="A stream_key.")]
Match = Annotated[str, typer.Option("--match", help="Only stream keys like this; * and ? stand for anything.")]
Status = Annotated[list[str] | None, typer.Option("--status", help="active, paused or retired; may be given again.")]
All = Annotated[bool, typer.Option("--all", help="Retired streams too.")]
Where = Annotated[
    list[str] | None, typer.Option("--where", metavar="KEY=VALUE", help="Only configs that say so; may be given again.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="So many changes, the newest first.")]
Version = Annotated[int | None, typer.Option("--version", help="A change's number, as history shows it.")]
Model = Annotated[Path | None, typer.Option("--model", help="Compare with what sync would write for this model.")]


@streams.callback()
def group() -> None:
    """Look at a platform's streams, and change them by hand."""


@streams.command("list")
def list_streams(
    platform: PlatformName,
    match: Match = "*",
    status: Status = None,
    where: Where = None,
    all_: All = False,
    as_json: Json = False,
) -> None:
    """List a platform's streams, and which were changed by hand since the last sync.

    Retired ones are left out, unless --all or --status asks for them.

    Example: dagfactory streams list --platform YellowLive --status paused --where runner=kubernetes

    Exit codes: 0 done; 1 an error.
    """
    from airflow_plugin.cli.streams_view import print_streams, row_as_dict
    from airflow_plugin.streams.opening import reading
    from airflow_plugin.streams.selecting import selected

    with reading(platform) as table:
        alike = selected(table.rows().values(), match=match, statuses=status or (), where=where or ())
        by_hand = table.changes_by_hand()
    found = alike if all_ or status else [row for row in alike if row.status != "retired"]
    if as_json:
        rows = [row_as_dict(row, by_hand.get(row.stream_key)) for row in found]
        echo_text(json.dumps({"platform": platform, "streams": rows}, indent=2))
    else:
        print_streams(found, by_hand, hidden=len(alike) - len(found))


@streams.command()
def show(stream: Stream, platform: PlatformName, as_json: Json = False) -> None:
    """Print a stream's status and config, and each problem that the factory finds in it.

    Example: dagfactory streams show Store1 --platform YellowLive

    Exit codes: 0 done; 1 an error.
    """
    from airflow_plugin.cli.streams_view import print_stream, row_as_dict
    from airflow_plugin.streams.changing import problems_of
    from airflow_plugin.streams.opening import reading

    with reading(platform) as table:
        row, by_hand = table.row(stream), table.changes_by_hand().get(stream)
        problems = problems_of(table, row)
    if as_json:
        echo_text(
            json.dumps(row_as_dict(row, by_hand) | {"problems": [vars(problem) for problem in problems]}, indent=2)
        )
    else:
        print_stream(row, by_hand, problems)


streams.command()(preview)


@streams.command()
def history(stream: Stream, platform: PlatformName, limit: Limit = 20, as_json: Json = False) -> None:
    """List the changes of a stream: when, who, what, and which commit of the model.

    Example: dagfactory streams history Store1 --platform YellowLive

    Exit codes: 0 done; 1 an error.
    """
    from airflow_plugin.cli.streams_view import print_history, version_as_dict
    from airflow_plugin.control.stream_table import Page
    from airflow_plugin.streams.opening import reading

    with reading(platform) as table:
        versions = table.history(stream, Page(limit))
        if not versions:  # a purged stream has no row, and its history
            table.row(stream)
    if as_json:
        echo_text(json.dumps({"stream_key": stream, "history": [version_as_dict(one) for one in versions]}, indent=2))
    else:
        print_history(versions)


@streams.command()
def diff(
    stream: Stream, platform: PlatformName, version: Version = None, model: Model = None, as_json: Json = False
) -> None:
    """Show how a stream's row differs from an earlier version, or from the model.

    Without an option it is compared with its last version but one.

    Example: dagfactory streams diff Store1 --platform YellowLive --version 17

    Exit codes: 0 done, also where something differs; 1 an error.
    """
    from airflow_plugin.cli.streams_view import print_difference
    from airflow_plugin.streams.comparing import difference_from_model, difference_from_version
    from airflow_plugin.streams.opening import reading

    if model is not None and version is not None:
        raise typer.BadParameter("give --version or --model, not both")
    with reading(platform) as table:
        if model is not None:
            found = difference_from_model(table, stream, model)
        else:
            found = difference_from_version(table, stream, version)
    if as_json:
        echo_text(json.dumps(found.to_dict(), indent=2))
    else:
        print_difference(found)


@streams.command(cls=with_old_options({"--file": "--out"}))
def export(platform: PlatformNames, out: streams_change.Out = Path("-")) -> None:
    """Write all rows of platforms as YAML.

    The file is a backup; it can be edited and imported, and plan --against reads it without a database.

    Example: dagfactory streams export --platform YellowLive --out streams.yaml

    Exit codes: 0 done; 1 an error.
    """
    from airflow_plugin.streams.opening import reading
    from airflow_plugin.streams.transfer import exported, write

    rows = {}
    for name in dict.fromkeys(platform):
        with reading(name) as table:
            rows[name] = list(table.rows().values())
    write(out, exported(rows))


for command in streams_change.COMMANDS:
    streams.command()(command)
streams.command()(reload)
streams.command()(purge)
streams.command("import")(streams_change.import_)
