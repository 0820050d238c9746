"""`dagfactory streams reload`."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_plugin.cli.options import PlatformName
from airflow_plugin.cli.streams_change import Stream
from airflow_plugin.cli.streams_purge import Yes
from config_schema.echo import echo

Dataset = Annotated[str | None, typer.Option("--dataset", help="Only this dataset of the stream.")]
KeepHistory = Annotated[
    bool, typer.Option("--keep-history", help="Drop nothing: let the next batch compare every row with the source.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]


def reload(
    stream: Stream,
    platform: PlatformName,
    dataset: Dataset = None,
    keep_history: KeepHistory = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Let the next batch load a stream again, or one dataset of it.

    Merge tables are dropped, with all versions of a forensic platform and with the consumers' views on them; the next
    batch makes them as the model has them now, and loads every row. This is the way after a change that a merge table
    cannot follow: another key, a narrower type. Consumers have no view until that batch, and views reconcile, are done.

    With --keep-history tables, versions and views stay, and the next batch compares every row with the source: the way
    where somebody doubts that they are equal, or has changed a merge table by hand. It asks nothing.

    Example: dagfactory streams reload Store1 --dataset customers --platform YellowForensic --keep-history

    Example: dagfactory streams reload Store1 --dataset customers --platform YellowLive --yes

    Exit codes: 0 done; 1 an error, or a no to the question: nothing was changed.
    """
    from airflow_plugin.cli.messages import confirm
    from airflow_plugin.streams import opening
    from airflow_plugin.streams.reloading import reload as reload_stream
    from airflow_plugin.streams.reloading import reload_of
    from airflow_plugin.sync.apply import author

    with opening.reading(platform) as table:  # nobody waits for a person
        found = reload_of(table, stream, dataset, keep_history=keep_history)
    for name in found.names():
        echo(f"{name}: {'would be ' if dry_run else 'to be '}dropped")
    how = f"{'compares' if keep_history else 'loads'} every row of {', '.join(found.datasets)}"
    if dry_run:
        echo(f"{stream}: the next batch would do so: it {how}")
        return
    if found.names():
        confirm(f"Drop these {found.bytes / 1e6:.1f} MB for good, and load them again?", yes=yes)
    with opening.changing(platform) as table:
        reload_stream(table, stream, dataset, author(), keep_history=keep_history)
    echo(f"{stream}: the next batch {how}")
