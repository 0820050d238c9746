"""`merge-job archive`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from config_schema import names
from config_schema.echo import echo, echo_text
from config_schema.errors import OptionsConflict, ValueWrong
from merge_jobs.admin.archive import ArchiveAction, ArchiveResult, change_archive
from merge_jobs.cli.options import Option, Places, PlatformName, with_places
from merge_jobs.cli.typer_command import Json, errors_printed, print_error
from merge_jobs.run.flags import platform_store

Days = Annotated[int, Option("--retired-days", "Only streams that were retired at least so many days ago.")]
Streams = Annotated[list[str] | None, typer.Option("--stream", help="Only this stream_key; may be given again.")]
Restore = Annotated[bool, typer.Option("--restore", help="Bring tables back from the archive.")]
Drop = Annotated[
    str | None,
    typer.Option("--drop", metavar="PLATFORM", help="Drop what is archived of retired streams, for good."),
]


@with_places
def archive(
    places: Places,
    platform: PlatformName,
    retired_days: Days = 0,
    stream: Streams = None,
    restore: Restore = False,
    drop: Drop = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Move the merge tables of retired streams to the schema <platform>_archive, or back.

    A stream that comes back begins with a first load, unless its tables are restored before. To drop what is archived,
    name the platform once more.

    Example: merge-job archive --platform YellowLive --retired-days 30 --model ./model

    Exit codes: 0 done or nothing to do, 1 something stands in the way, or an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        action = _action(platform, restore, drop)
        place = platform_store(places.of_model, places.merge_store, platform)
        found = list(
            change_archive(
                action, place, names.platform_name(platform), max(0, retired_days), stream or (), dry_run=dry_run
            )
        )
        _print(action, found, dry_run, as_json)
        if any(one.failed is not None for one in found):
            raise typer.Exit(1)


def _action(platform: str, restore: bool, drop: str | None) -> ArchiveAction:
    if drop is None:
        return ArchiveAction.RESTORE if restore else ArchiveAction.ARCHIVE
    if restore:
        raise OptionsConflict(["--drop", "--restore"])
    if not (names.is_platform(drop, platform) or names.is_platform(platform, drop)):
        raise ValueWrong("--drop", drop, "is not the platform", f"To drop what is archived: --drop {platform}")
    return ArchiveAction.DROP


def _print(action: ArchiveAction, streams: list[ArchiveResult], dry_run: bool, as_json: bool) -> None:
    word = f"would be {action.value}" if dry_run else action.value
    for one in streams:
        if one.failed is not None:
            print_error(one.failed)
        elif not as_json:
            echo(f"{one.stream}: {word}: {', '.join(one.tables)}")
    if as_json:
        shown = {"action": action.value, "dry_run": dry_run, "streams": [_as_json(one) for one in streams]}
        echo_text(json.dumps(shown, indent=2))
        return
    tables, size = sum(len(one.tables) for one in streams), sum(one.size for one in streams)
    echo(f"{tables} table{'' if tables == 1 else 's'} with {size / 1e6:.1f} MB {word}")


def _as_json(one: ArchiveResult) -> dict[str, Any]:
    failed = None if one.failed is None else str(one.failed)
    return {"stream": one.stream, "tables": list(one.tables), "bytes": one.size, "failed": failed}
