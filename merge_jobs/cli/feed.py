"""`merge-job feed`."""

from __future__ import annotations

import json

import typer

from config_schema import names
from config_schema.echo import echo, echo_text
from merge_jobs.admin.feed import FeedStatus, create_feed, drop_feed, feed_status
from merge_jobs.cli.options import DatasetName, Places, PlatformName, SourceCredential, StoreName, with_places
from merge_jobs.cli.typer_command import Json, errors_printed, typer_command
from merge_jobs.run.flags import stream_model_of
from merge_jobs.sources.postgres.change_feed import MEGABYTE
from merge_jobs.stream import Stream, stream_of

feed = typer.Typer(help="Set up, look at or take down a stream's change feed at its source.", no_args_is_help=True)


@feed.callback()
def group() -> None:
    """Set up, look at or take down a stream's change feed at its source."""


@feed.command("create")
@typer_command
@with_places
def create(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: DatasetName = None,
    source_credential: SourceCredential = None,
) -> None:
    """Create the replication slot of a stream, after a look at all that the feed needs.

    The publication is the source's, and is only looked at. The server waits for the transactions that are running. The
    first batch afterwards reads as before, and later ones by the feed.

    Example: merge-job feed create --platform YellowLive --store Store1 --model ./model

    Exit codes: 0 the slot is there, 1 refused or an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        stream = _stream(places, platform, store, dataset)
        made = create_feed(stream, source_credential)
        echo(f"{stream}: the slot {_slot(stream)} {'is created' if made else 'is there already'}")


@feed.command("status")
@typer_command
@with_places
def status(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: DatasetName = None,
    source_credential: SourceCredential = None,
    as_json: Json = False,
) -> None:
    """Show a stream's slot, the WAL that it holds back, and which datasets can be followed.

    Example: merge-job feed status --platform YellowLive --store Store1 --model ./model

    Exit codes: 0 shown, 1 an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        stream = _stream(places, platform, store, dataset)
        found = feed_status(stream, source_credential)
        if as_json:
            echo_text(json.dumps({"stream_key": stream.key, **found.to_dict()}, indent=2))
        else:
            _print(stream, found)


@feed.command("drop")
@typer_command
@with_places
def drop(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: DatasetName = None,
    source_credential: SourceCredential = None,
) -> None:
    """Drop a stream's slot: the source keeps no WAL for it, and batches go on by row versions.

    Do this before a stream is paused for long or retired, or when the model asks for no feed any more: a slot that
    nobody reads holds WAL back.

    Example: merge-job feed drop --platform YellowLive --store Store1 --model ./model

    Exit codes: 0 the slot is gone, 1 an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        stream = _stream(places, platform, store, dataset)
        dropped = drop_feed(stream, source_credential)
        echo(f"{stream}: the slot {_slot(stream)} {'is dropped' if dropped else 'is not there'}")


def _stream(places: Places, platform: str, store: str, dataset: str | None) -> Stream:
    keys = [names.stream_key(store, dataset)]
    model, _ = stream_model_of(places.of_model, places.merge_store, platform, keys)
    return stream_of(model.ecosystem, platform, store, dataset)


def _slot(stream: Stream) -> str:
    return names.change_feed_slot(stream.platform_name, stream.key)


def _print(stream: Stream, found: FeedStatus) -> None:
    slot = found.slot
    if slot.wrong is None:
        held = f"holds back {slot.held_back / MEGABYTE:.1f} MB of WAL, of {found.max_wal} that it may"
        echo(f"{stream}: the slot {slot.name} {held}")
    else:
        echo(f"{stream}: the feed cannot be used: {slot.wrong}")
    for name, why in found.datasets.items():
        echo(f"dataset {name}: {'can be followed' if why is None else f'cannot be followed: {why}'}")
