"""`dagfactory status`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airflow_plugin.cli.options import Json, Platforms
from config_schema.echo import echo_text
from config_schema.stream_health import HealthState, named

if TYPE_CHECKING:
    from airflow_plugin.health.stored import Stored
    from airflow_plugin.health.streams import Health

Watch = Annotated[
    bool, typer.Option("--watch", help="Show it again every two seconds, with what running jobs are at, until Ctrl+C.")
]


def status(platform: Platforms = None, as_json: Json = False, watch: Watch = False) -> None:
    """Show how each stream is: which fail, which are late, and how fresh their data is.

    It shows the last batch, and when the data was last seen equal to the source. Platforms are those
    with a settings file here. The merge store is found as the factory finds it.

    Example: dagfactory status --platform YellowLive

    Example: dagfactory status --watch

    Exit codes: 0 no stream has a problem, 1 one has, or an error, which is named.
    """
    from airflow_plugin.cli.messages import print_error
    from airflow_plugin.control.unforeseen import unforeseen_in
    from airflow_plugin.platforms_here import platform_called, platforms_with_settings, unknown_platform
    from airflow_plugin.quiet_airflow import quiet_airflow
    from airflow_plugin.settings import SettingsMissing, settings_dir
    from config_schema.errors import StreamFactoryError

    names = [platform_called(name) for name in platform] if platform else platforms_with_settings()
    if not names:
        todo = "Run dagfactory bootstrap and put its settings files there, or name a platform"
        raise SettingsMissing("settings", f"there is no settings file in {settings_dir()}", todo)
    if watch:
        if as_json:
            raise typer.BadParameter("give --json or --watch")
        from airflow_plugin.cli import status_watch

        status_watch.watch(names, lambda: status(names))
        return
    lines: list[dict[str, Any]] = []
    failed = False
    for name in names:
        try:
            with quiet_airflow(as_server=True), unforeseen_in(name):
                lines += _lines_of(name)
        except StreamFactoryError as error:
            print_error(unknown_platform(name) or error)  # the other platforms may be on another server
            failed = True
    if as_json:
        echo_text(json.dumps(lines, indent=2))
    else:
        _print(lines)
    if failed or any(line["is_problem"] for line in lines):
        raise typer.Exit(1)


def _lines_of(platform: str) -> Iterator[dict[str, Any]]:
    from airflow_plugin.health.stored import read_stored
    from airflow_plugin.health.streams import judged
    from airflow_plugin.settings import platform_settings

    settings = platform_settings(platform)
    stored = read_stored(settings)
    now = stored.now or datetime.now(UTC)
    return streams_of(platform, stored, judged(settings, stored, now), now)


def streams_of(platform: str, stored: Stored, health: Health, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield a line for each stream that is not retired, also for one whose row is gone.

    `met` is None for a paused stream, or where no latency is demanded.
    """
    rows = {row.stream_key: row for row in stored.rows}
    problems = defaultdict(list)
    for one in health.problems:
        problems[one.stream_key].append(str(one.problem))
    for key, verdict in sorted(health.verdicts.items()):
        look, row = stored.look(key), rows.get(key)
        need = health.needs.get(key)
        lateness, is_active = verdict.late, verdict.state is not HealthState.PAUSED
        yield {
            "platform": platform,
            "stream": key,
            "status": row.status if row else "gone",
            "state": verdict.state.value,
            "is_problem": verdict.state.is_problem,
            "problems": problems[key],
            "last_batch": look.last_batch,
            "fresh_at": look.at.astimezone(UTC).isoformat(timespec="seconds") if look.at else None,
            "age_seconds": max(0, round((now - look.at).total_seconds())) if look.at else None,
            "latency_seconds": need,
            "met": lateness is None if need is not None and is_active else None,
            "late_seconds": round(lateness.seconds) if lateness else None,
        }


def _print(lines: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from config_schema.terminal import PlainConsole

    console = PlainConsole()
    if not console.is_terminal:
        console.width = 200
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in ("platform", "stream", "state", "batch", "fresh at", "age", "need", ""):
        table.add_column(heading, no_wrap=True)
    for line in lines:
        judged = {True: "met", False: f"late by {_span(line['late_seconds'])}", None: ""}[line["met"]]
        style = "red" if line["is_problem"] else "green"
        state = Text(named(HealthState(line["state"])), style)
        times = (line["fresh_at"] or "never", _span(line["age_seconds"]), _span(line["latency_seconds"]))
        cells = map(Text, (str(line["last_batch"] or "-"), *times))
        table.add_row(Text(line["platform"]), Text(line["stream"]), state, *cells, Text(judged, style))
    console.print(table)
    for problem in (problem for line in lines for problem in line["problems"]):
        console.print(Text(problem), soft_wrap=True)


def _span(seconds: int | None) -> str:
    return "-" if seconds is None else str(timedelta(seconds=seconds))
