"""`merge-job tables`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from config_schema.echo import echo, echo_text
from merge_jobs.admin.repair import RepairResult, repair_tables, running_streams
from merge_jobs.admin.status import modelled_streams, platform_status
from merge_jobs.cli.options import Places, PlatformName, with_places
from merge_jobs.cli.typer_command import Json, errors_printed, print_error
from merge_jobs.run.flags import platform_model_of, platform_store


@with_places
def tables(
    places: Places,
    platform: PlatformName,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be made.")] = False,
    as_json: Json = False,
) -> None:
    """Check the tables that a platform's runs need, and make what is missing.

    These are batch tables, indexes and functions, and the indexes for readers that the model has. Columns that the
    model has new are brought by the next batch, together with their rows.

    Example: merge-job tables --platform YellowLive --model ./model

    Exit codes: 0 all is well now, 1 something cannot be repaired, or an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        model, _ = platform_model_of(places.of_model, places.merge_store, platform)
        modelled = modelled_streams(model.ecosystem)
        place = platform_store(places.of_model, places.merge_store, platform)
        streams = running_streams(platform_status(place, platform, modelled), modelled)
        found = list(repair_tables(place, model.ecosystem, platform, streams, dry_run=dry_run))
    for one in found:
        if one.failed is not None:
            print_error(one.failed)
    if as_json:
        echo_text(json.dumps({"dry_run": dry_run, "streams": [_as_json(one) for one in found]}, indent=2))
    else:
        _print(found, dry_run)
    if any(one.failed is not None for one in found):
        raise typer.Exit(1)


def _print(streams: list[RepairResult], dry_run: bool) -> None:
    for one in streams:
        if one.busy:
            echo(f"{one.stream}: a job is running on it, and looks itself")
        for name in one.lost_maps:
            echo(f"{one.stream}: the row map of {name} is gone: the next batch reads all rows and makes a new one")
        for what in one.repaired:
            echo(f"{one.stream}: {what} {'would be made' if dry_run else 'made'}")
        for what in one.built:
            echo(f"{one.stream}: {what} {'would be built' if dry_run else 'built'}")
        for name in one.dropped:
            gone = "would be dropped" if dry_run else "dropped"
            echo(f"{one.stream}: {name}, which is not needed any more, {gone}")
    count = sum(one.tables for one in streams)
    echo(f"{len(streams)} streams with {count} merge tables looked at")


def _as_json(one: RepairResult) -> dict[str, Any]:
    return {**vars(one), "failed": None if one.failed is None else str(one.failed)}
