"""`python -m tests.benchmarks.mysql`: a MariaDB read by lines and hashes, beside its rows read value by value."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.benchmarks.job import PASSWORD, Ran, run_job
from tests.benchmarks.limits import Target, parser, report, said, target, write_model
from tests.benchmarks.running import console, server, talk
from tests.database.merge.producers import MariaProducer, mariadb

COMMAND = "make bench-mysql"
CHANGED = 50  # each so many-th row is updated in a delta: 2 %
OPTIONS = ("--innodb-buffer-pool-size=1G", "--innodb-flush-log-at-trx-commit=0")
COLUMNS = {
    "id": ("VARCHAR(20)", "varchar(20)"),
    "name": ("VARCHAR(100)", "varchar(100)"),
    "email": ("VARCHAR(200)", "varchar(200)"),
    "city": ("VARCHAR(60)", "varchar(60)"),
    "balance": ("DECIMAL(12,2)", "numeric(12,2)"),
    "born": ("DATE", "date"),
    "updated": ("DATETIME(6)", "timestamp(6)"),
}
# In another type than describe gives it, which the encoders write: then all of a row is read value by value.
BY_VALUES = {"born": "timestamp"}
FILL = """
INSERT INTO customers SELECT concat('C', lpad(seq, 9, '0')), concat('Customer number ', seq),
    concat('customer', seq, '@example.org'), elt(1 + seq % 5, 'Zürich', 'Bern', 'Genève', 'Basel', 'Lausanne'),
    seq * 1.01, date_add('1950-01-01', INTERVAL seq % 20000 DAY), date_add('2024-01-01', INTERVAL seq SECOND)
FROM seq_1_to_{rows}
"""
HEADINGS = ("read by", "batch", "strategy", "seconds", "x full by values", "MB")
# Of a full batch that reads value by value.
TARGETS = {("lines", "full"): 1 / 3, ("lines", "delta"): 1 / 3}


@dataclass(frozen=True)
class Measured:
    """A batch of a way of reading, beside a full batch that reads each value of the same rows."""

    way: str
    batch: str
    strategy: str
    rows: int
    seconds: float
    by_values: float
    rss_mb: float
    kind: str = "measured"

    @property
    def ratio(self) -> float:
        return self.seconds / self.by_values

    @property
    def targets(self) -> Iterator[Target]:
        limit = TARGETS.get((self.way, self.batch))
        if limit is not None:
            name = f"{self.batch} batch of {self.rows:,} rows, x a full one by values"
            yield target(name, self.ratio, limit)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the files."""
    flags = _flags(arguments)
    screen = console()
    say, load = talk(screen), os.getloadavg()[0]
    with server({"fsync": flags.fsync}, flags.directory, "mysql") as (running, at), mariadb(*OPTIONS) as port:
        rows = _measured(running, at, _filled(port, flags.rows), flags, say)
    notes = [
        f"{flags.rows:,} rows; the least of the runs of each, the whole job with its start",
        f"{os.cpu_count()} cores, load {load:.1f} before the run",
        *(said(one) for row in rows for one in row.targets),
    ]
    cells = [(r.way, r.batch, r.strategy, f"{r.seconds:.2f}", f"{r.ratio:.2f}", f"{r.rss_mb:.0f}") for r in rows]
    report(flags, screen, COMMAND, rows, (HEADINGS, HEADINGS[3:]), cells, notes)
    return 0


def _filled(port: int, rows: int) -> MariaProducer:
    producer = MariaProducer(port, "shop")
    with closing(producer.connect(database="mysql")) as session, session.cursor() as cursor:
        cursor.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
        cursor.execute(f"CREATE USER shop@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute("GRANT SELECT ON shop.* TO shop@'127.0.0.1'")
        cursor.execute("USE shop")
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
        cursor.execute(f"CREATE TABLE customers ({columns}, PRIMARY KEY (id))")
        cursor.execute(FILL.format(rows=rows))
        session.commit()
    return producer


def _change(producer: MariaProducer, number: int) -> int:
    """Update each so many-th row; return their number."""
    with closing(producer.connect()) as session, session.cursor() as cursor:
        condition = f"substr(id, 2) % {CHANGED} = {number % CHANGED}"
        changed: int = cursor.execute(f"UPDATE customers SET balance = balance + 1, email = 'x' WHERE {condition}")
        session.commit()
        return changed


def _measured(
    running: EmbeddedPostgres, at: Path, producer: MariaProducer, flags: argparse.Namespace, say: Any
) -> list[Measured]:
    done: dict[tuple[str, str], list[Ran]] = {}
    for number in range(flags.times):
        models = {way: _model(running, at, producer, way, number) for way in ("values", "lines")}
        for batch in ("first", "nothing", "delta", "full"):
            changed = _change(producer, number) if batch == "delta" else 0
            for way, model in models.items():
                strategy = "full" if batch == "full" else "auto"
                ran = run_job(model, "live", f"{batch}-{number}", strategy, "--dataset=customers")
                if ran.exit_code != 0 or (batch == "delta" and ran.counted("updated") != changed):
                    raise SystemExit(f"{way}, {batch}: the batch failed: {ran.reason}\n{ran.log}")
                say(f"{way}, {batch}: {ran.strategy}, {ran.seconds:.2f} s")
                done.setdefault((way, batch), []).append(ran)
    best = {which: min(runs, key=lambda ran: ran.seconds) for which, runs in done.items()}
    values = best["values", "full"].seconds
    return [
        Measured(way, batch, ran.strategy, flags.rows, ran.seconds, values, ran.rss_mb)
        for (way, batch), ran in best.items()
    ]


def _model(running: EmbeddedPostgres, at: Path, producer: MariaProducer, way: str, number: int) -> Path:
    """Write the model of one way of reading into a merge store of its own; return its folder."""
    store = f"store_{way}_{number}"
    running.create_role(store, PASSWORD)
    running.create_database(store, store)
    types = {name: kind for name, (_, kind) in COLUMNS.items()} | (BY_VALUES if way == "values" else {})
    dataset = {
        "name": "customers",
        "primary_key": ["id"],
        "columns": [{"name": name, "type": kind, "nullable": name != "id"} for name, kind in types.items()],
    }
    source = {"kind": "mysql", "host": "127.0.0.1", "port": producer.port, "database": "shop", "credential": "shop"}
    model = at / f"model-{store}"
    write_model(model, running, store, source, dataset)
    return model


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    options = parser("mysql", __doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=3, help="how often each is run; the least counts")
    return options.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
