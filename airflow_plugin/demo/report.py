"""What the demo shows a person: steps as they come, progress while waiting, the table of counts at the end."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from config_schema.result import ResultCode
from config_schema.terminal import PlainConsole

if TYPE_CHECKING:
    from airflow_plugin.demo.airflow import DemoAirflow
    from airflow_plugin.demo.rounds import Line

TABLE_WIDTH = 128
COUNTS = ("inserted", "updated", "deleted", "unchanged", "total")


class Report:
    """Writes to standard output; where that is no terminal, without moving parts."""

    def __init__(self, console: PlainConsole | None = None) -> None:
        self._console = console or PlainConsole(markup=True)
        self._console.width = max(self._console.width, TABLE_WIDTH)  # a table with cut headings tells nobody anything
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        """Print a line, with the seconds since the beginning."""
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {escape(text)}")

    def say(self, text: str) -> None:
        """Print the output of a command."""
        for line in text.strip().splitlines():
            self._console.print(f"          [dim]{escape(line)}[/dim]")

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show a spinner while waiting; yield a function that changes its text."""
        with self._console.status(escape(text)) as status:
            yield lambda now: status.update(escape(now))
        self.step(text)

    @contextlib.contextmanager
    def rounds(self, number: int) -> Iterator[tuple[Callable[[], None], Callable[[str], None]]]:
        """Show a bar over the rounds; yield a function that advances it, and one that prints a step."""
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task("Rounds", total=number)
            yield lambda: progress.advance(task), self.step

    def table(self, lines: Sequence[Line]) -> None:
        """Print what Airflow has for each round, and whether it is right."""
        table = Table(
            title="What the runs reported, as Airflow has it",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for heading in ("platform", "round", "dataset"):
            table.add_column(heading, no_wrap=True)
        for heading in (*COUNTS, "seconds", "code"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("truth", no_wrap=True)
        for line in lines:
            counts = [str(line.counts.get(name, "none")) for name in COUNTS]
            code = f"{line.code} {ResultCode(line.code).name}"
            truth = "[red]differs[/red]" if line.differs else "[green]ok[/green]"
            seconds = f"{line.seconds:.2f}"
            table.add_row(line.platform, line.round, line.dataset, *counts, seconds, code, truth)
        self._console.print(table)

    def outcome(self, lines: Sequence[Line], airflow: DemoAirflow) -> None:
        """Print every difference, or that there is none, and where to look next."""
        wrong = [line for line in lines if line.differs]
        for line in wrong:
            for difference in line.differs:
                self._console.print(f"[red]{line.platform} {line.round} {line.dataset}: {escape(difference)}[/red]")
        if not wrong:
            self._console.print(f"[green]All {len(lines)} lines are the truth[/green], computed apart by plain SQL.")
        self._console.print(f"Airflow: {airflow.address}  user admin  password {escape(airflow.password)}")
        self._console.print(f"Logs: {airflow.processes.logs}")

    def wait_for_interrupt(self) -> None:
        """Return when the user has pressed Ctrl+C."""
        self._console.print("The streams go on by their schedules. Ctrl+C stops everything.")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                signal.pause() if hasattr(signal, "pause") else time.sleep(1)
