"""`merge-job reset`."""

from __future__ import annotations

from typing import Annotated

import typer

from config_schema import names
from config_schema.echo import echo
from merge_jobs.admin.reset import Reset, reset_batch
from merge_jobs.cli.options import AskedBy, DatasetName, LockWait, Places, PlatformName, Reason, StoreName, with_places
from merge_jobs.cli.typer_command import errors_printed
from merge_jobs.run.flags import store_place, stream_model_of
from merge_jobs.stream import Stream, stream_of


@with_places
def reset(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: DatasetName = None,
    lock_wait: LockWait = 0,
    by: AskedBy = None,
    reason: Reason = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be reset.")] = False,
) -> None:
    """Take a stream's open batch back to its start: drop what it has staged, and let the next run read it again.

    A committed batch is never reset, and a stream that a job is working on is not touched.

    Example: merge-job reset --platform YellowLive --store Store1 --model ./model

    Exit codes: 0 reset or nothing to reset, 1 refused or an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        keys = [names.stream_key(store, dataset)]
        model, commit = stream_model_of(places.of_model, places.merge_store, platform, keys)
        stream = stream_of(model.ecosystem, platform, store, dataset)
        place = store_place(places.merge_store, stream.platform.merge_store)
        echo(_in_words(stream, reset_batch(place, stream, commit, lock_wait, dry_run, by, reason), dry_run))


def _in_words(stream: Stream, done: Reset | None, dry_run: bool) -> str:
    if done is None:
        return f"{stream}: there is no batch, nothing to reset"
    would = "would be reset" if dry_run else "is reset to started"
    staging = ", ".join(done.staging) or "none"
    gone = "staging tables to drop" if dry_run else "staging tables dropped"
    left = f"; left for a later batch, as other sessions read them: {', '.join(done.held)}" if done.held else ""
    if done.lost_maps:
        left += f"; row maps that are gone, so that all rows are read: {', '.join(done.lost_maps)}"
    was = f"was {done.status.value}, run {done.run_id}"
    return f"{stream} batch {done.batch_id}: {would} ({was}); {gone}: {staging}{left}"
