"""`dagfactory platform last-good`: the streams that the factory uses while rows cannot be read."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_plugin.cli.options import PlatformName
from config_schema.echo import echo

Streams = Annotated[
    list[str] | None,
    typer.Argument(metavar="[STREAM]...", help="With --forget: only these streams; else all whose rows are gone."),
]
Forget = Annotated[
    bool, typer.Option("--forget", help="Forget streams whose rows are gone though they were never retired.")
]


def last_good(platform: PlatformName, streams: Streams = None, forget: Forget = False) -> None:
    """Show the streams that are used while the stream table is down, or forget lost ones.

    A stream whose row is gone, though it was never retired, keeps its DAG. With --forget its DAG is removed at the
    next parse; a stream whose row is there is never forgotten. Run this where the dag-processor runs, as its user.

    Example: dagfactory platform last-good --platform YellowLive 'Store1#customers' --forget

    Exit codes: 0 done, or nothing to forget; 1 an error, no file, or a stream that is not gone.
    """
    if streams and not forget:
        raise typer.BadParameter("streams are named only with --forget")
    if forget:
        forget_lost(platform, streams)
    else:
        show(platform)


def show(platform: PlatformName) -> None:
    """Print the streams of the last-good file: their status, and whether the row is gone or was never good."""
    from airflow_plugin.rows.last_good_file import snapshot_here
    from airflow_plugin.settings import snapshot_path
    from config_schema import names

    short = names.platform_name(platform)
    path = snapshot_path(short)
    found = snapshot_here(path, short)
    for key, stream in sorted(found.streams.items()):
        if stream.row is None:
            state = "gone, its DAG stays" if stream.good else "gone"
        else:
            state = stream.row.status + ("" if stream.good == stream.row else ", its row is not good")
        echo(key, state)
    echo(f"{len(found.streams)} streams, {len(found.gone)} gone, seen {found.age:.0f} s ago: {path}")


def forget_lost(platform: PlatformName, streams: Streams = None) -> None:
    """Forget streams whose rows are gone though they were never retired."""
    from airflow_plugin.rows.last_good_file import forget_streams
    from airflow_plugin.settings import snapshot_path
    from config_schema import names

    short = names.platform_name(platform)
    for key in forget_streams(short, snapshot_path(short), frozenset(streams) if streams else None):
        echo(f"{key}: forgotten")
