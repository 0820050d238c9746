"""`python -m tests.benchmarks.files`: loads from CSV, JSON Lines and Parquet beside COPY FROM of the same rows."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.benchmarks.job import PASSWORD, Ran, run_job
from tests.benchmarks.limits import Target, parser, report, said, target, write_model
from tests.benchmarks.running import console, server, talk

COMMAND = "make bench-files"
MOST_RATIO, MOST_MB = 1.8, 200  # of COPY FROM, and of memory
OF_TARGETS = ("csv", "parquet")
FORMATS = ("csv", "csv.gz", "jsonl", "parquet")
COLUMNS = {
    "id": "bigint",
    "name": "text",
    "city": "varchar(40)",
    "amount": "numeric(12,2)",
    "born": "date",
    "changed": "timestamptz",
    "active": "boolean",
}
CITIES = ("Bern", "Genève", "Zürich", "Lugano", "Chur")
HEADINGS = ("format", "seconds", "x COPY FROM", "MB", "rows")


@dataclass(frozen=True)
class Measured:
    """A first load from files of one format, beside COPY FROM of the same rows as CSV into a plain table."""

    format: str
    rows: int
    seconds: float
    copy_seconds: float
    rss_mb: float
    kind: str = "measured"

    @property
    def ratio(self) -> float:
        return self.seconds / self.copy_seconds

    @property
    def targets(self) -> Iterator[Target]:
        if self.format in OF_TARGETS:
            for what, value, limit in (("x COPY FROM", self.ratio, MOST_RATIO), ("MB", self.rss_mb, MOST_MB)):
                name = f"{self.format}, {self.rows:,} rows, {what}"
                yield target(name, value, limit)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the files."""
    flags = _flags(arguments)
    screen = console()
    say, load = talk(screen), os.getloadavg()[0]
    with server({"fsync": flags.fsync}, flags.directory, "files") as (running, at):
        say(f"writing {flags.rows:,} rows in each format")
        folder = at / "in"
        _write_files(folder, flags.rows)
        rows = list(_measured(running, at, folder, flags, say))
    notes = [
        "The least of the runs of each; COPY FROM is of the CSV file into a plain table, and neither index nor history",
        f"{os.cpu_count()} cores, load {load:.1f} before the run",
        *(said(one) for row in rows for one in row.targets),
    ]
    cells = [(r.format, f"{r.seconds:.2f}", f"{r.ratio:.2f}", f"{r.rss_mb:.0f}", f"{r.rows:,}") for r in rows]
    report(flags, screen, COMMAND, rows, (HEADINGS, HEADINGS[1:]), cells, notes)
    return 0


def _measured(
    running: EmbeddedPostgres, at: Path, folder: Path, flags: argparse.Namespace, say: Any
) -> Iterator[Measured]:
    copies = [_copy(running, folder / "customers.csv", number) for number in range(flags.times)]
    say(f"COPY FROM: {min(copies):.2f} s")
    for ending in FORMATS:
        done: list[Ran] = []
        for number in range(flags.times):
            name = f"store_{ending.replace('.', '_')}_{number}"
            running.create_role(name, PASSWORD)
            running.create_database(name, name)
            model = at / f"model-{name}"
            _write_model(model, running, folder, ending, name)
            done.append(run_job(model, "live", f"first-{number}", "auto", "--dataset=customers"))
            if done[-1].counted("inserted") != flags.rows:
                raise SystemExit(f"{ending}: the load failed: {done[-1].reason}\n{done[-1].log}")
        best = min(done, key=lambda ran: ran.seconds)
        say(f"{ending}: {best.seconds:.2f} s")
        yield Measured(ending, flags.rows, best.seconds, min(copies), best.rss_mb)


def _copy(running: EmbeddedPostgres, path: Path, number: int) -> float:
    """Return the seconds of COPY FROM into a plain table."""
    name = f"raw_{number}"
    running.create_role(name, PASSWORD)
    running.create_database(name, name)
    with closing(psycopg2.connect(running.dsn(name, name, PASSWORD))) as session, session.cursor() as cursor:
        cursor.execute(f"CREATE TABLE customers ({', '.join(f'{one} {kind}' for one, kind in COLUMNS.items())})")
        session.commit()
        began = time.monotonic()
        with path.open("rb") as file:
            cursor.copy_expert("COPY customers FROM STDIN (FORMAT csv, HEADER)", file)
        session.commit()
        return time.monotonic() - began


def _write_files(folder: Path, rows: int) -> None:
    import gzip

    import pyarrow as pa
    from pyarrow import csv, parquet

    folder.mkdir()
    draw = random.Random(1)
    columns = {
        "id": pa.array(range(rows), pa.int64()),
        "name": [f"customer {draw.random():.9f}" for _ in range(rows)],
        "city": [draw.choice(CITIES) for _ in range(rows)],
        "amount": pa.array([f"{draw.randrange(10**7) / 100:.2f}" for _ in range(rows)]),
        "born": [
            f"{draw.randrange(1940, 2020)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}" for _ in range(rows)
        ],
        "changed": [f"2026-01-{draw.randrange(1, 29):02}T12:34:{draw.randrange(60):02}Z" for _ in range(rows)],
        "active": pa.array([draw.random() < 0.5 for _ in range(rows)]),
    }
    table = pa.table(columns)
    csv.write_csv(table, folder / "customers.csv", csv.WriteOptions(quoting_style="needed"))
    with gzip.open(folder / "customers.csv.gz", "wb", compresslevel=1) as zipped:
        zipped.write((folder / "customers.csv").read_bytes())
    with (folder / "customers.jsonl").open("w") as lines:
        for batch in table.to_batches(10_000):
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
    typed = {"amount": pa.decimal128(12, 2), "born": pa.date32(), "changed": pa.timestamp("us", "UTC")}
    of_types = {name: table[name].cast(typed.get(name, table[name].type)) for name in table.column_names}
    parquet.write_table(pa.table(of_types), folder / "customers.parquet")


def _write_model(model: Path, running: EmbeddedPostgres, folder: Path, ending: str, store: str) -> None:
    dataset = {
        "name": "customers",
        "table": f"customers.{ending}",
        "primary_key": ["id"],
        "columns": [{"name": name, "type": kind, "nullable": name != "id"} for name, kind in COLUMNS.items()],
    }
    source = {"kind": "files", "host": "localhost", "database": str(folder), "credential": "none"}
    write_model(model, running, store, source, dataset)


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    options = parser("files", __doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=3, help="how often each is run; the least counts")
    return options.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
