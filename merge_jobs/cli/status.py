"""`merge-job status`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from config_schema import names
from config_schema.echo import echo, echo_text
from config_schema.errors import StreamFactoryError, UnknownName
from config_schema.model import Ecosystem, Platform
from merge_jobs.admin.status import PlatformStatus, modelled_streams, platform_status
from merge_jobs.cli.options import OnlyPlatform, Option, Places, with_places
from merge_jobs.cli.typer_command import Json, errors_printed, print_error
from merge_jobs.run.flags import model_of, store_place


@with_places
def status(
    places: Places,
    platform: OnlyPlatform = None,
    store: Annotated[str | None, Option("--store", "Only the streams of this datastore.")] = None,
    with_retired: Annotated[bool, typer.Option("--all", help="Retired streams that have batches too.")] = False,
    as_json: Json = False,
) -> None:
    """Show the streams of the model's platforms: the last committed batch, what is open, which fail, and which run.

    Example: merge-job status --platform YellowLive --model ./model

    Exit codes: 0 shown (also where nothing has run yet), 1 a stream fails, or an error, which is named,
    2 a wrong option.
    """
    found: list[PlatformStatus] = []
    failed: list[StreamFactoryError] = []
    with errors_printed():
        ecosystem, _ = model_of(places.of_model, places.merge_store, platform)
        _check_store(ecosystem, store)
        keys = modelled_streams(ecosystem)
        for one in _platforms(ecosystem, platform):
            try:
                place = store_place(places.merge_store, one.merge_store)
                found.append(platform_status(place, one.name, keys).of_store(store))
            except StreamFactoryError as error:
                failed.append(error)  # the other platforms may be on another server
    hidden = 0
    if not with_retired:
        every, found = found, [one.without_retired() for one in found]
        hidden = sum(len(one.streams) for one in every) - sum(len(one.streams) for one in found)
    if as_json:
        echo_text(json.dumps([_as_json(one) for one in found], indent=2, default=datetime.isoformat))
    else:
        from merge_jobs.cli.status_view import print_status  # rich takes a while to load

        print_status(found)
        if hidden:
            echo(f"{hidden} retired left out (--all)")
    for problem in failed:
        print_error(problem)
    fails = any(stream.verdict(one.now).state.is_problem for one in found for stream in one.streams)
    raise typer.Exit(1 if failed or fails else 0)


def _check_store(ecosystem: Ecosystem, store: str | None) -> None:
    known = [one.name for one in ecosystem.datastores]
    if store is not None and store not in known:
        raise UnknownName("--store", "datastore", store, known)


def _platforms(ecosystem: Ecosystem, name: str | None) -> tuple[Platform, ...]:
    chosen = tuple(one for one in ecosystem.platforms if name is None or names.is_platform(name, one.name))
    if not chosen:
        known = [one.name for one in ecosystem.platforms]
        raise UnknownName("--platform", "platform", name or "", known)
    return chosen


def _as_json(status: PlatformStatus) -> dict[str, Any]:
    shown = asdict(status)
    for stream, of in zip(shown["streams"], status.streams, strict=True):
        if of.last is not None:
            stream["last"]["seconds"] = of.last.seconds
        stream["state"] = of.verdict(status.now).state.value
    return shown
