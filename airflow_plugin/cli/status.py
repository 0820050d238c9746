"""`dagfactory status`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from airflow_plugin.cli.options import Json, Platforms
from config_schema.echo import echo_text

if TYPE_CHECKING:
    from airflow_plugin.health.streams import Stored


def status(platform: Platforms = None, as_json: Json = False) -> None:
    """Show how fresh each stream is, and which are late.

    It shows the last batch, and when the data was last seen equal to the source. Platforms are those
    with a settings file here. The merge store is found as the factory finds it.

    Example: dagfactory status --platform YellowLive

    Exit codes: 0 no stream is late, 1 one is, or an error, which is named.
    """
    from airflow_plugin.cli.messages import print_error
    from airflow_plugin.doctor.settings_files import platforms_with_settings
    from airflow_plugin.health.streams import read_stored
    from airflow_plugin.quiet_airflow import quiet_airflow
    from airflow_plugin.settings import SettingsMissing, platform_settings, settings_dir
    from config_schema.errors import StreamFactoryError

    names = platform or platforms_with_settings()
    if not names:
        todo = "Run dagfactory bootstrap and put its settings files there, or name a platform"
        raise SettingsMissing("settings", f"there is no settings file in {settings_dir()}", todo)
    lines: list[dict[str, Any]] = []
    failed = False
    for name in names:
        try:
            with quiet_airflow(as_server=True):
                stored = read_stored(platform_settings(name))
            lines += streams_of(name, stored, stored.now or datetime.now(UTC))
        except StreamFactoryError as error:
            print_error(error)  # the other platforms may be on another server
            failed = True
    if as_json:
        echo_text(json.dumps(lines, indent=2))
    else:
        _print(lines)
    if failed or any(line["met"] is False for line in lines):
        raise typer.Exit(1)


def streams_of(platform: str, stored: Stored, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield a line for each stream that is not retired.

    `met` is None for a paused stream, or where no latency is demanded.
    """
    from airflow_plugin.control.batch_table import LastLook
    from airflow_plugin.health.freshness import late

    for row in sorted(stored.rows, key=lambda one: one.stream_key):
        if row.status == "retired":
            continue
        look = stored.looks.get(row.stream_key, LastLook())
        need = _latency(row.config_json)
        lateness = late(need, look, row.updated_at, now)
        yield {
            "platform": platform,
            "stream": row.stream_key,
            "status": row.status,
            "last_batch": look.last_batch,
            "fresh_at": look.at.astimezone(UTC).isoformat(timespec="seconds") if look.at else None,
            "age_seconds": max(0, round((now - look.at).total_seconds())) if look.at else None,
            "latency_seconds": need,
            "met": lateness is None if need is not None and row.status == "active" else None,
            "late_seconds": round(lateness.seconds) if lateness and row.status == "active" else None,
        }


def _latency(config_json: str) -> int | None:
    """Return the latency a config demands; None also for an unreadable config, which `dagfactory doctor` explains."""
    try:
        need = json.loads(config_json).get("latency_seconds")
    except (ValueError, AttributeError):
        return None
    return need if isinstance(need, int) else None


def _print(lines: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from config_schema.terminal import PlainConsole

    console = PlainConsole()
    if not console.is_terminal:
        console.width = 200
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in ("platform", "stream", "status", "batch", "fresh at", "age", "need", ""):
        table.add_column(heading, no_wrap=True)
    for line in lines:
        judged = {True: "met", False: f"late by {_span(line['late_seconds'])}", None: ""}[line["met"]]
        cells = (line["platform"], line["stream"], line["status"], str(line["last_batch"] or "-"))
        times = (line["fresh_at"] or "never", _span(line["age_seconds"]), _span(line["latency_seconds"]))
        style = "red" if line["met"] is False else "green"
        table.add_row(*map(Text, (*cells, *times)), Text(judged, style))
    console.print(table)


def _span(seconds: int | None) -> str:
    return "-" if seconds is None else str(timedelta(seconds=seconds))
