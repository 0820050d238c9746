"""`python -m tests.benchmarks.load`: first loads by several connections beside one raw COPY pipe.

Each server process and each connection of the job may use an eighth of a core, so that four of them do not fight for
two cores (quotas.py). With settings of the server as they come, and with the WAL settings of docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.benchmarks import plain
from tests.benchmarks.customers import COLUMNS, Customers
from tests.benchmarks.job import MERGE_TABLES, OPEN_ROWS, PASSWORD, Ran, run_job, write_model
from tests.benchmarks.limits import Target, parser, report, said, target
from tests.benchmarks.quotas import Quotas
from tests.benchmarks.running import console, server, talk

COMMAND = "make bench-load"
# What would begin a checkpoint in a timed step is out of the way in both.
USUAL = {"max_wal_size": "16GB", "checkpoint_timeout": "1h"}
OF_WAL = {"wal_buffers": "256MB", "wal_init_zero": "off", "wal_writer_delay": "10ms", "wal_writer_flush_after": "0"}
SETTINGS = {"as they come": USUAL, "for the WAL": {**USUAL, **OF_WAL}}
CONNECTIONS = (1, 4)
MOST_RATIO, MOST_MB = 0.40, 80  # of four connections
HEADINGS = ("settings", "connections", "load, s", "x raw COPY", "whole batch, s", "x raw COPY", "MB", "content")
NUMBERS = HEADINGS[1:-1]
RAW = """
import sys
from tests.benchmarks.plain import raw_copy_seconds
print(raw_copy_seconds(sys.argv[1], sys.argv[2], sys.argv[3].split()))
"""


@dataclass(frozen=True)
class Loaded:
    """A first load: the seconds in which the rows were copied and mapped, and those of the whole batch."""

    settings: str
    connections: int
    rows: int
    load_seconds: float
    seconds: float
    raw_copy_seconds: float
    rss_mb: float
    content_ok: bool
    kind: str = "measured"

    @property
    def ratio(self) -> float:
        return self.load_seconds / self.raw_copy_seconds

    @property
    def targets(self) -> Iterator[Target]:
        if self.connections == max(CONNECTIONS):
            limits = (("x raw COPY", self.ratio, MOST_RATIO), ("MB", self.rss_mb, MOST_MB))
            for what, value, limit in limits:
                name = f"{self.connections} connections, settings {self.settings}, {what}"
                yield target(name, value, limit)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the files; 1 if a merge table was not as its source."""
    flags = _flags(arguments)
    screen = console()
    say, load, quotas = talk(screen), os.getloadavg()[0], Quotas(flags.quota)
    rows: list[Loaded] = []
    for name in flags.settings:
        with server({**SETTINGS[name], "fsync": flags.fsync}, flags.directory, "load") as (running, folder):
            rows += _measured(running, folder, name, quotas, flags, say)
        quotas.remove()
    limited = f"each server process, and the job for each connection, has {flags.quota:g} of a core"
    notes = [
        limited if quotas.works else "without quotas: there are none, or this machine cannot keep them",
        f"{flags.rows:,} rows, a live platform; the load copies and maps the rows, the batch also makes the index",
        f"{os.cpu_count()} cores, load {load:.1f} before the run",
        *(said(one) for row in rows for one in row.targets if quotas.works),
    ]
    cells = [_cells(row) for row in rows]
    report(flags, screen, COMMAND, rows, (HEADINGS, NUMBERS), cells, notes)
    return 0 if all(row.content_ok for row in rows) else 1


def _measured(
    running: EmbeddedPostgres, folder: Path, settings: str, quotas: Quotas, flags: argparse.Namespace, say: Any
) -> Iterator[Loaded]:
    stores = [f"store_{connections}" for connections in CONNECTIONS]
    for name in ("source", "raw", *stores):
        running.create_role(name, PASSWORD)
        running.create_database(name, name)
    Customers(_dsn(running, "source"), "int").create(flags.rows)
    postmaster = int((folder / "server" / "data" / "postmaster.pid").read_text().split()[0])
    _settle(running)
    raw = _raw_copy(running, quotas, postmaster)
    say(f"settings {settings}, one raw COPY pipe: {raw:.2f} s")
    for connections, store in zip(CONNECTIONS, stores, strict=True):
        model = folder / f"model-{store}"
        write_model(model, running, "source", store, "int")
        _settle(running)
        with quotas.of_server(postmaster):
            ran = _job(model, connections, quotas)
        say(f"settings {settings}, {connections} connections: {ran.seconds:.2f} s, {_load_seconds(ran):.2f} s to load")
        yield Loaded(
            *(settings, connections, flags.rows, _load_seconds(ran), ran.seconds, raw, ran.rss_mb),
            content_ok=_is_true(running, store, ran),
        )


def _job(model: Path, connections: int, quotas: Quotas) -> Ran:
    def limited() -> None:
        quotas.limit(os.getpid(), quotas.quota * connections)

    return run_job(model, "live", "first", "auto", f"--load-connections={connections}", before=limited)


def _raw_copy(running: EmbeddedPostgres, quotas: Quotas, postmaster: int) -> float:
    with quotas.of_server(postmaster):
        done = subprocess.run(
            [sys.executable, "-c", RAW, _dsn(running, "source"), _dsn(running, "raw"), " ".join(COLUMNS)],
            preexec_fn=lambda: quotas.limit(os.getpid(), quotas.quota),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return float(done.stdout)


def _load_seconds(ran: Ran) -> float:
    """Return the seconds in which the rows were copied, and mapped: what comes before the index."""
    copied = re.findall(r"^.*: copied \d+ rows in ([\d.]+) s", ran.log, re.MULTILINE)
    indexed = re.findall(r"indexed in ([\d.]+) s", ran.log)
    staged = float(ran.result.get("datasets", {}).get("customers", {}).get("seconds", 0))
    # One connection maps in a second pass, which the log has not by itself.
    return staged - float(indexed[-1]) if indexed and copied else 0.0


def _is_true(running: EmbeddedPostgres, store: str, ran: Ran) -> bool:
    truth = plain.digest(_dsn(running, "source"), "customers", COLUMNS)
    return ran.exit_code == 0 and truth == plain.digest(
        _dsn(running, store), MERGE_TABLES["live"], COLUMNS, OPEN_ROWS["live"]
    )


def _settle(running: EmbeddedPostgres) -> None:
    plain.run_statement(running.dsn(), "CHECKPOINT")


def _dsn(running: EmbeddedPostgres, database: str) -> str:
    return running.dsn(database, database, PASSWORD)


def _cells(row: Loaded) -> tuple[str, ...]:
    whole = row.seconds / row.raw_copy_seconds
    return (
        *(row.settings, str(row.connections), f"{row.load_seconds:.2f}", f"{row.ratio:.2f}"),
        *(f"{row.seconds:.2f}", f"{whole:.2f}", f"{row.rss_mb:.0f}", "ok" if row.content_ok else "DIFFERS"),
    )


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    options = parser("load", __doc__)
    options.add_argument("--rows", type=int, default=1_500_000)
    options.add_argument("--quota", type=float, default=0.125, help="of a core; 0: no limit")
    options.add_argument("--settings", action="append", choices=SETTINGS, help="may be given again; none: all")
    flags = options.parse_args(arguments)
    flags.settings = flags.settings or list(SETTINGS)
    return flags


if __name__ == "__main__":
    sys.exit(main())
