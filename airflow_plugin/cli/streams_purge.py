"""`dagfactory streams purge`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airflow_plugin.cli import given_store as store
from airflow_plugin.cli.options import ConnectWait, Json, PlatformName
from airflow_plugin.cli.streams_change import Match, Streams, check_named
from config_schema.echo import echo, echo_text

LONGEST_REASON = 1000

if TYPE_CHECKING:
    from airflow_plugin.control.stream_data import StreamData
    from airflow_plugin.settings import PlatformSettings
    from airflow_plugin.streams.opening import StorePlace
    from config_schema.errors import StreamFactoryError

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would go, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", envvar="DAGFACTORY_YES")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who asks for it; if not given, user@host.")]
GoOn = Annotated[
    bool, typer.Option("--go-on", help="A stream that cannot be purged stops no other; its history says why.")
]
Reason = Annotated[str | None, typer.Option("--reason", help="Why; the history of each stream says it.")]


def purge(
    platform: PlatformName,
    streams: Streams = None,
    match: Match = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
    by: By = None,
    reason: Reason = None,
    go_on: GoOn = False,
    postgres_host: store.Host = None,
    postgres_port: store.Port = 5432,
    postgres_database: store.DatabaseName = "",
    postgres_schema: store.Schema = "public",
    postgres_credential: store.Credential = "",
    postgres_tls: store.StoreTls = None,
    postgres_tls_ca: store.StoreCa = None,
    least_tls: store.LeastTls = None,
    connect_wait: ConnectWait = None,  # set in its callback
) -> None:
    """Take retired streams away for good: rows, merge tables, maps, views, batches.

    Only retired streams are purged. Their history stays, and says who did it; streams rollback brings a row back, and
    its first batch loads everything again. On a terminal it asks; elsewhere, tables that merge-job archive has not
    moved go only with --yes. What others have built on a table or view keeps it, and the stream with it.

    Example: dagfactory streams purge Store1 --platform YellowLive --dry-run

    Example: dagfactory streams purge --match 'Shop*' --platform YellowLive --yes

    Exit codes: 0 done, or nothing to do; 1 an error, or a no to the question: what was named before it has gone, with
    --go-on all that can go.
    """
    from airflow_plugin.cli.messages import print_error
    from airflow_plugin.streams.opening import reading
    from airflow_plugin.streams.purging import AT_ONCE, each_purgeable, purgeable
    from airflow_plugin.streams.selecting import chosen_keys

    check_named(streams, match)
    place = store.given_store(
        platform,
        postgres_host,
        postgres_port,
        postgres_database,
        postgres_schema,
        postgres_credential,
        postgres_tls,
        postgres_tls_ca,
        least_tls,
    )
    with reading(platform, place) as table:
        keys = chosen_keys(table.rows().values(), streams or (), match, ["retired"])
        found, refused = each_purgeable(table, keys) if go_on else (purgeable(table, keys), {})
        if not dry_run and found:
            _ask(platform, found, yes)
    if not dry_run:
        names = list(found)
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            refused |= _purge_each(platform, some, by, reason, place, go_on=go_on)
        _note_refusals(platform, refused, by, place)
    gone = {key: data for key, data in found.items() if key not in refused}
    _print(platform, gone, dry_run, as_json)
    if not dry_run and not as_json:
        _say_what_is_left(table.settings)
    for key, error in refused.items():
        print_error(error if key in error.where else error.reworded(error.what, where=f"{key}: {error.where}"))
    if refused:
        raise typer.Exit(1)


def _ask(platform: str, found: dict[str, StreamData], yes: bool) -> None:
    import sys

    from airflow_plugin.cli.messages import confirm
    from airflow_plugin.streams.purging import NotArchived, not_archived

    open_ = not_archived(platform, found)
    if yes or (not open_ and not sys.stdin.isatty()):
        return
    if open_ and not sys.stdin.isatty():
        raise NotArchived(open_)
    size = sum(data.bytes for data in found.values()) / 1e6
    tables = sum(len(data.tables) for data in found.values())
    confirm(f"Purge {len(found)} streams of {platform} with {tables} tables of {size:.1f} MB for good?")


def _purge_each(
    platform: str, keys: list[str], by: str | None, reason: str | None, place: StorePlace | None, *, go_on: bool
) -> dict[str, StreamFactoryError]:
    """Purge some streams together, or each by itself where that fails; return why which of them could not be."""
    from config_schema.errors import StreamFactoryError

    try:
        _purge(platform, keys, by, reason, place)
    except StreamFactoryError as error:
        if not go_on:
            raise
        if len(keys) == 1:
            return {keys[0]: error}
        refused: dict[str, StreamFactoryError] = {}
        for key in keys:
            refused |= _purge_each(platform, [key], by, reason, place, go_on=True)
        return refused
    return {}


def _note_refusals(
    platform: str, refused: dict[str, StreamFactoryError], by: str | None, place: StorePlace | None
) -> None:
    """Write to the history of each stream why it is not purged."""
    from airflow_plugin.streams import opening
    from airflow_plugin.sync.apply import author
    from config_schema.printable import printable

    if not refused:
        return
    with opening.changing(platform, place) as table:
        for key, error in refused.items():
            table.note(key, "not_purged", by or author(), printable(f"{error.what}. {error.todo}")[:LONGEST_REASON])


def _purge(platform: str, keys: list[str], by: str | None, reason: str | None, place: StorePlace | None) -> None:
    """Purge some streams in a transaction; what each has is looked up again, under the lock."""
    from airflow_plugin.streams import opening
    from airflow_plugin.streams.purging import purge, purgeable
    from airflow_plugin.sync.apply import author

    with opening.changing(platform, place) as table:
        purge(table, purgeable(table, keys), by or author(), reason)


def _print(platform: str, found: dict[str, StreamData], dry_run: bool, as_json: bool) -> None:
    if as_json:
        shown = {"platform": platform, "dry_run": dry_run, "streams": [_as_json(*one) for one in found.items()]}
        echo_text(json.dumps(shown, indent=2))
        return
    word = "would be purged" if dry_run else "purged"
    for key, data in found.items():
        echo(f"{key}: {word}: {', '.join(data.names()) or 'it had no tables'}")
    size = sum(data.bytes for data in found.values()) / 1e6
    echo(f"{len(found)} stream{'' if len(found) == 1 else 's'} {word}, {size:.1f} MB")


def _as_json(key: str, data: StreamData) -> dict[str, Any]:
    return {"stream": key, "bytes": data.bytes, "dropped": data.names()}


def _say_what_is_left(settings: PlatformSettings) -> None:
    if settings.consumer_db_hostname is not None:
        echo("Views in the consumers' database go with dagfactory views reconcile")
