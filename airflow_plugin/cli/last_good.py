"""`dagfactory platform last-good`: the streams that the factory uses while rows cannot be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airflow_plugin.cli.options import Json, PlatformName
from config_schema.echo import echo, echo_text

if TYPE_CHECKING:
    from airflow_plugin.rows.last_good import KnownStream

Streams = Annotated[
    list[str] | None,
    typer.Argument(metavar="STREAM", help="With --forget: only these streams; else all whose rows are gone."),
]
Forget = Annotated[
    bool, typer.Option("--forget", help="Forget streams whose rows are gone though they were never retired.")
]


def last_good(platform: PlatformName, streams: Streams = None, forget: Forget = False, as_json: Json = False) -> None:
    """Show the streams that are used while the stream table is down, or forget lost ones.

    A stream whose row is gone, though it was never retired, keeps its DAG. With --forget its DAG is removed at the
    next parse; a stream whose row is there is never forgotten. Run this where the dag-processor runs, as its user.

    Example: dagfactory platform last-good --platform YellowLive 'Store1#customers' --forget

    Exit codes: 0 done, or nothing to forget; 1 an error, no file, or a stream that is not gone.
    """
    if streams and not forget:
        raise typer.BadParameter("streams are named only with --forget")
    if forget:
        forget_lost(platform, streams, as_json)
    else:
        show(platform, as_json)


def show(platform: PlatformName, as_json: Json = False) -> None:
    """Print the streams of the last-good file: their status, and whether the row is missing or was never good."""
    from airflow_plugin.platforms_here import unknown_platform
    from airflow_plugin.rows.last_good_file import LastGoodMissing, snapshot_here
    from airflow_plugin.settings import snapshot_path
    from config_schema import names

    short = names.platform_name(platform)
    path = snapshot_path(short)
    try:
        found = snapshot_here(path, short)
    except LastGoodMissing as error:
        raise unknown_platform(platform) or error from None
    if as_json:
        streams = [_as_dict(key, one) for key, one in sorted(found.streams.items())]
        echo_text(json.dumps({"platform": platform, "age_seconds": round(found.age), "streams": streams}, indent=2))
        return
    for key, stream in sorted(found.streams.items()):
        if stream.row is None:
            state = "gone, its DAG stays" if stream.good else "gone"
        else:
            state = stream.row.status + ("" if stream.good == stream.row else ", its row is not good")
        echo(key, state)
    echo(f"{len(found.streams)} streams, {len(found.gone)} gone, seen {found.age:.0f} s ago: {path}")


def _as_dict(key: str, stream: KnownStream) -> dict[str, Any]:
    return {
        "stream": key,
        "status": stream.row and stream.row.status,
        "gone": stream.row is None,
        "has_dag": stream.good is not None,
        "row_is_good": stream.row is not None and stream.good == stream.row,
    }


def forget_lost(platform: PlatformName, streams: Streams = None, as_json: Json = False) -> None:
    """Forget streams of which the row is missing though they were never retired."""
    from airflow_plugin.rows.last_good_file import forget_streams
    from airflow_plugin.settings import snapshot_path
    from config_schema import names

    short = names.platform_name(platform)
    forgotten = forget_streams(short, snapshot_path(short), frozenset(streams) if streams else None)
    if as_json:
        echo_text(json.dumps({"platform": platform, "forgotten": forgotten}, indent=2))
        return
    for key in forgotten:
        echo(f"{key}: forgotten")
