"""Streams and their batches as a person reads them: a table for each platform, and a line for each open batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich import box
from rich.table import Table
from rich.text import Text

from config_schema.stream_health import HealthState, named
from config_schema.terminal import PlainConsole
from merge_jobs.admin.status import PlatformStatus, StreamStatus

WIDE = 200  # where the output is no terminal, nothing is cut
NUMBERS = ("batch", "seconds", "inserted", "updated", "deleted", "total")


QUIET = (HealthState.OK, HealthState.PAUSED, HealthState.RETIRED)  # the stream's name and batch say it
NEXT_RUN = {"started": "the next run begins it again", "ingested": "the next run goes on from there"}


def print_status(platforms: Sequence[PlatformStatus]) -> None:
    """Print the platforms' streams, in colours if the terminal has them. Times are in UTC."""
    console = PlainConsole()
    if not console.is_terminal:
        console.width = WIDE
    for number, platform in enumerate(platforms):
        if number:
            console.print()
        console.print(Text.assemble((platform.platform, "bold"), f" in {platform.merge_store}"), soft_wrap=True)
        if not platform.batch_tables:
            console.print("  there are no batch tables yet: no job has run", soft_wrap=True)
        if platform.streams:
            console.print(_table(platform.streams, platform.now))
        for stream in platform.streams:
            for line in _lines(stream, platform.now):
                console.print(line, soft_wrap=True)


def _table(streams: Sequence[StreamStatus], now: datetime) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("stream")
    for heading in NUMBERS:
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("strategy", "committed", "last look", "now"):
        table.add_column(heading)
    for stream in streams:
        table.add_row(*map(Text, _cells(stream)), _now(stream, now))
    return table


def _cells(stream: StreamStatus) -> list[str]:
    key = stream.key if stream.synced in (None, "active") else f"{stream.key} ({stream.synced})"
    last = stream.last
    if last is None:
        return [key, *("-" for _ in NUMBERS), "", "never", _time(stream.last_checked_at)]
    counts = (last.inserted, last.updated, last.deleted, last.total)
    numbers = [str(last.batch_id), f"{last.seconds:.1f}", *map(str, counts)]
    return [key, *numbers, last.strategy, _time(last.ended_at), _time(stream.last_checked_at)]


def _now(stream: StreamStatus, now: datetime) -> Text:
    if stream.job is not None:
        return Text("running", "green")
    state = stream.verdict(now).state
    if stream.open is None:
        return Text("" if state in QUIET else named(state), "red" if state.is_problem else "yellow")
    return Text(f"batch {stream.open.batch_id} {stream.open.status}", "red" if stream.open.error else "yellow")


def _lines(stream: StreamStatus, now: datetime) -> Iterator[Text]:
    verdict, left = stream.verdict(now), stream.open
    if verdict.state.is_problem:
        yield Text.assemble((f"{stream.key} {named(verdict.state)}", "bold red"), f": {verdict.what}")
    if left is not None:
        yield Text.assemble(
            (f"{stream.key} batch {left.batch_id}", "bold"),
            f": {left.status} since {_time(left.since)} by run {left.run_id}",
            "" if stream.job or left.error else f", and no job is at it: {NEXT_RUN[left.status]}",
        )
        if left.error is not None:
            yield Text(f"  {left.error}")
            yield Text(f"  {'a retry can help' if left.retryable else 'a retry cannot help: fix it first'}")
    for strategy, off in (("version diff", stream.version_diff_off), ("key-hash diff", stream.key_hash_diff_off)):
        for dataset, reason in off.items():
            yield Text.assemble((f"{stream.key} {dataset}", "bold"), f": {strategy} is off: {reason}")
            yield Text("  dagfactory runs trust lets it in again")
    for dataset in stream.lost_maps:
        yield Text.assemble((f"{stream.key} {dataset}", "bold"), ": its row map is gone: the next batch reads all rows")
    if stream.job is not None:
        yield Text.assemble((stream.key, "bold"), f": held by {stream.job}")


def _time(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
