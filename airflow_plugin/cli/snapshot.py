"""`dagfactory snapshot`: what the factory goes by when rows are away, and letting go of streams whose rows are gone."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_plugin.cli.options import PlatformName

snapshot = typer.Typer(no_args_is_help=True, help="The last-good snapshots that the dag-processor keeps.")

Streams = Annotated[
    list[str] | None, typer.Argument(help="Keys of the streams to forget; without any: all whose rows are gone.")
]


@snapshot.command()
def show(platform: PlatformName) -> None:
    """Print the streams of a platform's snapshot: their status, and whether the row is gone or was never good.

    Run it where the dag-processor runs.

    Example: dagfactory snapshot show --platform YellowLive

    Exit codes: 0 done; 1 there is no snapshot, or one that cannot be used.
    """
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
        print(f"{key}\t{state}")
    print(f"{len(found.streams)} streams, {len(found.gone)} gone, seen {found.age:.0f} s ago: {path}")


@snapshot.command()
def accept(platform: PlatformName, streams: Streams = None) -> None:
    """Forget streams whose rows are gone though they were never retired: their DAGs go with the next parse.

    Run it where the dag-processor runs, as its user. A stream whose row is there is never forgotten.

    Example: dagfactory snapshot accept --platform YellowLive 'Store1#customers'

    Exit codes: 0 done, or nothing to forget; 1 an error, or a stream named that is not gone.
    """
    from airflow_plugin.rows.last_good_file import accept as forget
    from airflow_plugin.settings import snapshot_path
    from config_schema import names

    short = names.platform_name(platform)
    for key in forget(short, snapshot_path(short), frozenset(streams) if streams else None):
        print(f"{key}: forgotten")
