"""`python -m tests.benchmarks.rest`: a first load from an API on this machine, beside dlt's extraction alone."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.benchmarks.job import PASSWORD, Ran, run_job
from tests.benchmarks.limits import Target, parser, report, said, target, write_model
from tests.benchmarks.running import console, server, talk

COMMAND = "make bench-rest"
MOST_RATIO, MOST_MB = 1.3, 200  # of dlt's extraction, and of memory
COLUMNS = {
    "id": "bigint",
    "name": "text",
    "city": "varchar(40)",
    "amount": "numeric(12,2)",
    "born": "date",
    "changed": "timestamptz",
    "active": "boolean",
}
HEADINGS = ("what", "seconds", "x dlt", "CPU s", "MB", "records")


@dataclass(frozen=True)
class Load:
    """A first load, or dlt's extraction of the same records: the whole process, with what it imports."""

    what: str
    records: int
    seconds: float
    dlt_seconds: float
    cpu_seconds: float
    rss_mb: float
    kind: str = "measured"

    @property
    def ratio(self) -> float:
        return self.seconds / self.dlt_seconds

    @property
    def targets(self) -> Iterator[Target]:
        if self.what == "ours":
            for what, value, limit in (("x dlt's extraction", self.ratio, MOST_RATIO), ("MB", self.rss_mb, MOST_MB)):
                name = f"{self.records:,} records, {what}"
                yield target(name, value, limit)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the files."""
    flags = _flags(arguments)
    screen = console()
    say, load = talk(screen), os.getloadavg()[0]
    with server({"fsync": flags.fsync}, flags.directory, "rest") as (running, at), _api(flags.records) as port:
        rows = list(_measured(running, at, port, flags, say))
    notes = [
        "The least of the runs of each, a process with its imports. Ours ends with rows in an indexed merge table, "
        "dlt's with files of the records",
        f"{os.cpu_count()} cores, load {load:.1f} before the run",
        *(said(one) for row in rows for one in row.targets),
    ]
    cells = [
        (r.what, f"{r.seconds:.2f}", f"{r.ratio:.2f}", f"{r.cpu_seconds:.2f}", f"{r.rss_mb:.0f}", f"{r.records:,}")
        for r in rows
    ]
    report(flags, screen, COMMAND, rows, (HEADINGS, HEADINGS[1:]), cells, notes)
    return 0


def _measured(running: EmbeddedPostgres, at: Path, port: int, flags: argparse.Namespace, say: Any) -> Iterator[Load]:
    theirs = [_dlt(at / f"dlt-{number}", port, flags.records) for number in range(flags.times)]
    best_of_theirs = min(theirs, key=lambda one: one["seconds"])
    say(f"dlt's extraction: {best_of_theirs['seconds']:.2f} s")
    done: list[Ran] = []
    for number in range(flags.times):
        name = f"store_{number}"
        running.create_role(name, PASSWORD)
        running.create_database(name, name)
        model = at / f"model-{name}"
        _write_model(model, running, port, name)
        done.append(run_job(model, "live", f"first-{number}", "auto", "--dataset=customers"))
        if done[-1].counted("inserted") != flags.records:
            raise SystemExit(f"the load failed: {done[-1].reason}\n{done[-1].log}")
    best = min(done, key=lambda ran: ran.seconds)
    say(f"ours: {best.seconds:.2f} s")
    seconds = best_of_theirs["seconds"]
    yield Load("ours", flags.records, best.seconds, seconds, best.cpu_seconds, best.rss_mb)
    yield Load("dlt extract", flags.records, seconds, seconds, best_of_theirs["cpu_seconds"], best_of_theirs["rss_mb"])


@contextmanager
def _api(records: int) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.benchmarks.rest_server", str(records)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.stdin.close()


def _dlt(folder: Path, port: int, records: int) -> dict[str, float]:
    """Return what dlt's extraction takes: seconds, cpu_seconds, rss_mb."""
    folder.mkdir()
    report = folder / "measured.json"
    measure = [sys.executable, "-I", str(Path(__file__).with_name("measure.py")), str(report)]
    command = [sys.executable, "-m", "tests.benchmarks.rest_dlt", str(port), str(folder)]
    done = subprocess.run([*measure, *command], stdout=subprocess.PIPE, text=True, check=True)
    if done.stdout.split()[-1:] != [str(records)]:
        raise SystemExit(f"dlt has extracted something else: {done.stdout}")
    found: dict[str, float] = json.loads(report.read_text())
    return found


def _write_model(model: Path, running: EmbeddedPostgres, port: int, store: str) -> None:
    columns = [{"name": name, "type": kind, "nullable": name != "id"} for name, kind in COLUMNS.items()]
    columns[2]["path"] = "address.city"
    dataset = {
        "name": "customers",
        "primary_key": ["id"],
        "endpoint": {
            "path": "customers",
            "data_selector": "results",
            "paginator": {"type": "json_link", "next_url_path": "next_url"},
            "page_records_path": "count",
            "full_list": True,
        },
        "columns": columns,
    }
    source = {"kind": "rest", "host": "127.0.0.1", "port": port, "database": "/v1", "credential": "bench-api"}
    source |= {"tls": "disable", "auth": {"type": "bearer"}}
    write_model(model, running, store, source, dataset)


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    options = parser("rest", __doc__)
    options.add_argument("--records", type=int, default=100_000)
    options.add_argument("--times", type=int, default=3, help="how often each is run; the least counts")
    return options.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
