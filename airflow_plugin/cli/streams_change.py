"""The commands of `dagfactory streams` that change rows: checked as the factory would, and kept in history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airflow_plugin.cli.options import PlatformName

if TYPE_CHECKING:
    from airflow_plugin.control.stream_table import RowChange
    from airflow_plugin.streams.opening import PlatformStreams
    from config_schema.problem import Problem

Stream = Annotated[str, typer.Argument(metavar="STREAM", help="A stream_key.")]
Streams = Annotated[list[str] | None, typer.Argument(metavar="STREAM", help="Stream keys.")]
Match = Annotated[
    str | None, typer.Option("--match", metavar="PATTERN", help="All with keys like this; * and ? stand for anything.")
]
Assignments = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="The value is JSON or else text; KEY= removes the key."),
]
Editor = Annotated[bool, typer.Option("--editor", help="Edit the whole config in $EDITOR.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check, show, and change nothing.")]
InFile = Annotated[Path, typer.Argument(metavar="FILE", help="What export wrote; - is stdin.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write; - is stdout.")]
To = Annotated[int, typer.Option("--to", help="The number of a change: the row becomes what it was after it.")]

Changing = Callable[["PlatformStreams"], Sequence["RowChange"]]


def set_(
    stream: Stream,
    platform: PlatformName,
    assignments: Assignments = None,
    editor: Editor = False,
    dry_run: DryRun = False,
) -> None:
    """Set keys of a stream's config, or edit the whole config in $EDITOR.

    The new config is checked as the factory checks it before it is written, and against the model that was synced last:
    another datastore, dataset or secret has to be in it.

    Example: dagfactory streams set Store1 'schedule=*/10 * * * *' retries=5 --platform YellowLive

    Example: EDITOR=vim dagfactory streams set Store1 --editor --platform YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error, or a config that the factory would quarantine: nothing was
    changed, and an edited text is kept in a file that is named; 2 a wrong option.
    """
    from airflow_plugin.control.stream_table import RowChange
    from airflow_plugin.streams.changing import assigned

    if bool(assignments) == editor:
        raise typer.BadParameter("give KEY=VALUE, or --editor")
    if editor:
        edit(stream, platform, dry_run)
        return

    def change(table: PlatformStreams) -> Sequence[RowChange]:
        row = table.row(stream)
        return [RowChange(stream, assigned(row.config_json, assignments or ()), row.status, "set")]

    _change(platform, change, dry_run, makes_configs=True)


def edit(stream: Stream, platform: PlatformName, dry_run: DryRun = False) -> None:
    """Edit a stream's config in $EDITOR; what is saved is checked before it is written."""
    from airflow_plugin.control.stream_table import RowChange
    from airflow_plugin.streams.changing import ChangedMeanwhile
    from airflow_plugin.streams.editing import edited, keeping
    from airflow_plugin.streams.opening import reading

    with reading(platform) as table:
        before = table.row(stream)
    text = edited(before.config_json)

    def change(table: PlatformStreams) -> Sequence[RowChange]:
        row = table.row(stream)
        if row != before:
            raise ChangedMeanwhile(stream)
        return [RowChange(stream, text, row.status, "edit")]

    with keeping(text, stream):
        _change(platform, change, dry_run, makes_configs=True)


def pause(platform: PlatformName, streams: Streams = None, match: Match = None, dry_run: DryRun = False) -> None:
    """Pause streams: their DAGs stay, without a schedule.

    A merge task that is started meanwhile is skipped.

    Example: dagfactory streams pause Store1 Store2 --platform YellowLive

    Example: dagfactory streams pause --match 'Shop*' --platform YellowLive --dry-run

    Exit codes: 0 done, or nothing to do; 1 an error: nothing was changed.
    """
    _change_status(platform, streams, match, "pause", dry_run)


def resume(platform: PlatformName, streams: Streams = None, match: Match = None, dry_run: DryRun = False) -> None:
    """Let paused streams run again.

    Example: dagfactory streams resume Store1 --platform YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error: nothing was changed.
    """
    _change_status(platform, streams, match, "resume", dry_run)


def retire(platform: PlatformName, streams: Streams = None, match: Match = None, dry_run: DryRun = False) -> None:
    """Retire streams: their DAGs go; rows, batches and merge tables stay.

    streams rollback brings a stream back; streams purge takes it away for good.

    Example: dagfactory streams retire Store1 --platform YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error: nothing was changed.
    """
    _change_status(platform, streams, match, "retire", dry_run)


def rollback(stream: Stream, to: To, platform: PlatformName, dry_run: DryRun = False) -> None:
    """Restore a stream's row, status and config, as it was after an earlier change.

    Example: dagfactory streams rollback Store1 --to 17 --platform YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error: nothing was changed.
    """
    from airflow_plugin.streams.changing import to_version

    _change(platform, lambda table: [to_version(table, stream, to)], dry_run)


def import_(file: InFile, platform: PlatformName, dry_run: DryRun = False) -> None:
    """Write all rows of a file that export wrote, in one transaction.

    Rows that are not in the file stay as they are. Configs are checked as those of streams set.

    Example: dagfactory streams import streams.yaml --platform YellowLive

    Exit codes: 0 done, or nothing to do; 1 an error: nothing was changed.
    """
    from airflow_plugin.streams.transfer import imported, read

    changes = imported(read(file), str(file), platform)
    _change(platform, lambda table: changes, dry_run, makes_configs=True)


set_.__name__ = "set"
COMMANDS = (set_, pause, resume, retire, rollback)


def _change_status(platform: str, streams: Sequence[str] | None, match: str | None, word: str, dry_run: bool) -> None:
    from airflow_plugin.streams.changing import STATUS_CHANGES, status_changes
    from airflow_plugin.streams.selecting import chosen_keys

    check_named(streams, match)

    def changes(table: PlatformStreams) -> Sequence[RowChange]:
        statuses, _ = STATUS_CHANGES[word]
        return status_changes(table, chosen_keys(table.rows().values(), streams or (), match, statuses), word)

    _change(platform, changes, dry_run)


def check_named(streams: Sequence[str] | None, match: str | None) -> None:
    """Refuse a command line that names no stream: all of them are `--match '*'`."""
    if not streams and match is None:
        raise typer.BadParameter("name a STREAM, or give --match PATTERN")


def _change(platform: str, changing: Changing, dry_run: bool, *, makes_configs: bool = False) -> None:
    from airflow_plugin.cli.seen_view import ask_to_parse
    from airflow_plugin.cli.streams_view import print_changes
    from airflow_plugin.health.changed import changed_rows
    from airflow_plugin.health.dag_owners import airflow_here, airflow_owner
    from airflow_plugin.streams import opening
    from airflow_plugin.streams.changing import apply
    from airflow_plugin.sync.apply import author

    airflow = airflow_here()
    owner = airflow_owner(airflow)
    with opening.changing(platform) as table:
        rows = table.rows()
        changes = changing(table)
        found = _unmodelled(platform, table, changes) if makes_configs else ()
        written = apply(table, changes, author(), owner, found=found)
        if dry_run:
            table.connection.rollback()
    print_changes(rows, written, done=not dry_run)
    if airflow is not None and not dry_run:
        ask_to_parse(airflow, {table.settings.platform_name: changed_rows(written)})


def _unmodelled(platform: str, table: PlatformStreams, changes: Sequence[RowChange]) -> list[Problem]:
    """Return what the synced model lacks of what the changed configs name."""
    from functools import cache

    from airflow_plugin.streams.modelled import Stores, catalogue_problems, modelled_stores
    from airflow_plugin.streams.opening import reading
    from airflow_plugin.sync.diff import parsed

    @cache
    def stores(name: str | None) -> Stores | None:
        with reading(platform) as other:  # a session of its own: where it may not read them, its transaction ends
            return modelled_stores(other.session, name)

    def stores_named(name: str) -> Stores | None:
        return stores(name if len(changes) == 1 else None)

    before = {key: parsed(row.config_json) for key, row in table.rows().items()}
    return [
        problem
        for change in changes
        if change.status != "retired"
        for problem in catalogue_problems(
            table.settings.platform_name,
            parsed(change.config_json),
            before.get(change.stream_key, {}),
            stores_named,
        )
    ]
