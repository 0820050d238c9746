"""`merge-job trust`."""

from __future__ import annotations

from typing import Annotated

from config_schema.echo import echo
from merge_jobs.admin.trust import trust_again
from merge_jobs.cli.options import AskedBy, LockWait, Option, Places, PlatformName, Reason, StoreName, with_places
from merge_jobs.cli.typer_command import errors_printed
from merge_jobs.run.flags import model_of, store_place
from merge_jobs.run.render_sql import datasets_to_show


@with_places
def trust(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: Annotated[str | None, Option("--dataset", "Only this dataset; a single_dataset store wants one.")] = None,
    lock_wait: LockWait = 0,
    by: AskedBy = None,
    reason: Reason = None,
) -> None:
    """Let version diff, or key-hash diff, in again where an audit found that it had missed changes.

    Example: merge-job trust --platform YellowLive --store Store1 --dataset customers --model ./model

    Exit codes: 0 done or nothing to do, 1 an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        ecosystem, _ = model_of(places.of_model, places.merge_store, platform)
        stream, datasets = datasets_to_show(ecosystem, platform, store, dataset)
        place = store_place(places.merge_store, stream.platform.merge_store)
        cleared = trust_again(place, stream, datasets, lock_wait, by, reason)
    for name, strategies in cleared.items():
        for kind, why in strategies.items():
            echo(f"{stream} {name}: {kind.words} is on again; it was off, as {why}")
    if not cleared:
        echo(f"{stream}: no strategy was off, nothing to do")
