"""`merge-job approve-delete`."""

from __future__ import annotations

from typing import Annotated

from config_schema import names
from config_schema.echo import echo
from config_schema.stream_health import in_utc
from merge_jobs.admin import approve_delete as admin
from merge_jobs.cli.asking_person import asking_person
from merge_jobs.cli.options import (
    AskedBy,
    DatasetName,
    LockWait,
    Option,
    Places,
    PlatformName,
    Reason,
    StoreName,
    with_places,
)
from merge_jobs.cli.typer_command import errors_printed
from merge_jobs.run.flags import store_place, stream_model_of
from merge_jobs.stream import stream_of


@with_places
def approve_delete(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: DatasetName = None,
    batch: Annotated[int | None, Option("--batch", "Only if this batch is refused.")] = None,
    of: Annotated[str | None, Option("--of", "Only if it is refused for rows of this dataset.")] = None,
    rows: Annotated[int | None, Option("--rows", "Only if it would delete no more rows.")] = None,
    lock_wait: LockWait = 0,
    by: AskedBy = None,
    reason: Reason = None,
) -> None:
    """Approve the deletes that a stream's batch was refused for; the next run goes on with them, once.

    The approval is for the dataset and the number of rows that were refused: a batch that would delete more is refused
    again. It ends after three days, and with the batch.

    Example: merge-job approve-delete --platform YellowLive --store Store1 --model ./model --reason "old customers"

    Exit codes: 0 approved, 1 nothing is refused or an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        keys = [names.stream_key(store, dataset)]
        model, _ = stream_model_of(places.of_model, places.merge_store, platform, keys)
        stream = stream_of(model.ecosystem, platform, store, dataset)
        place = store_place(places.merge_store, stream.platform.merge_store)
        seen = admin.SeenRefusal(batch, of, rows)
        done = admin.approve_delete(place, stream, seen, lock_wait, by or asking_person(), reason)
    echo(f"{stream}: approved until {in_utc(done.until)}: {done.refused}")
    echo("The next run goes on with it")
