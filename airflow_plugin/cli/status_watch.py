"""`dagfactory status --watch`: the table again and again, and below it what running jobs are at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from airflow_plugin.control.batch_table import JobProgress

WATCH_SECONDS = 2.0  # jobs write what they are at as often
UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def watch(platforms: Iterable[str], show: Callable[[], None]) -> None:
    """Call `show` and print what running jobs are at, again and again, until Ctrl+C; exit as the last `show` did."""
    from config_schema.terminal import PlainConsole

    names, console, code = list(platforms), PlainConsole(), 0
    try:
        while True:
            console.clear()  # nothing where the output is no terminal
            code = _exit_code(show)
            for line in _lines(names):
                console.print(line, soft_wrap=True)
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit(code) from None


def _exit_code(show: Callable[[], None]) -> int:
    try:
        show()
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def _lines(platforms: Iterable[str]) -> Iterator[str]:
    """Yield a line for each running job; none of a platform that cannot be read, which `show` has named."""
    from airflow_plugin.control.batch_table import BatchTables
    from airflow_plugin.control.session import control_session
    from airflow_plugin.control.unforeseen import unforeseen_in
    from airflow_plugin.quiet_airflow import quiet_airflow
    from airflow_plugin.settings import merge_store_dsn, platform_settings
    from config_schema.errors import StreamFactoryError

    for name in platforms:
        try:
            with quiet_airflow(as_server=True):
                settings = platform_settings(name)
                dsn, where = merge_store_dsn(settings.platform_name)
            of = settings.platform_name, settings.merge_store_schema
            with unforeseen_in(name), control_session(dsn, where, *of, readonly=True) as session:
                found = BatchTables(session).progress()
        except StreamFactoryError:
            continue
        yield from (f"{name} {progress_in_words(one)}" for one in found)


def progress_in_words(job: JobProgress) -> str:
    """Return what a job is at, in a line."""
    parts = [" ".join(filter(None, (job.phase, job.dataset)))]
    if job.done is not None:
        parts.append(f"{job.done:,}{f' of about {job.whole:,}' if job.whole else ''} {job.kind}")
    if job.bytes is not None:
        parts.append(_size(job.bytes) + (f" of about {_size(job.whole_bytes)}" if job.whole_bytes else ""))
    if job.per_second is not None:
        parts.append(f"{job.per_second:,.0f} {job.kind}/s")
    parts.append(
        f"for {_span(job.written_at - job.phase_started_at)}, run for {_span(job.written_at - job.started_at)}"
    )
    return f"{job.stream_key}: {', '.join(parts)}"


def _size(count: int) -> str:
    unit, size = next((one for one in UNITS if count >= one[1]), ("bytes", 1))
    return f"{count / size:.1f} {unit}" if size > 1 else f"{count} {unit}"


def _span(time: timedelta) -> str:
    return str(timedelta(seconds=max(0, round(time.total_seconds()))))
