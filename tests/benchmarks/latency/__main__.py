"""`python -m tests.benchmarks.latency`: seconds from a change in the producer until a consumer's query sees it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random, SystemRandom

from airflow_plugin.demo.rounds import PLATFORMS
from tests.benchmarks.latency.latency_report import COMMAND, Result, Run, markdown, printed
from tests.benchmarks.latency.measuring import measured
from tests.benchmarks.latency.scheduled import MINUTE, airflow_on, anatomy, put_files_in, threads_on, wait_until_warm
from tests.benchmarks.product.dag_runs import DagRuns
from tests.benchmarks.product.installation import Installation
from tests.benchmarks.running import console, server, talk, write
from tests.benchmarks.tables import document

EVERY_MINUTE = "* * * * *"
LONGEST = 3  # ticks until the last change must have been seen
SEEDS = 10**6
SETTINGS = {"max_connections": "100"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the files; 1 if a change was never seen."""
    flags = _flags(arguments)
    screen = console()
    say = talk(screen)
    seed = SystemRandom().randrange(SEEDS) if flags.seed is None else flags.seed
    run = Run(seed=seed, load=os.getloadavg()[0], airflow=flags.tick is None)
    with server(SETTINGS, flags.directory, "latency") as (postgres, folder):
        made = Installation(folder, postgres, postgres)
        for result in _results(made, folder, flags, Random(seed), say):
            say(f"time slice {result.time_slice_seconds} s, {result.platform}: p95 {result.p95:.1f} s")
            run.results.append(result)
    printed(run, screen)
    write(flags.json, json.dumps(run.to_dict(), indent=1) + "\n")
    if flags.markdown:
        standing = flags.markdown.read_text("utf-8") if flags.markdown.exists() else ""
        write(flags.markdown, document(standing, markdown(run), COMMAND))
    return 1 if any(result.never_seen for result in run.results) else 0


def _results(
    made: Installation, folder: Path, flags: argparse.Namespace, random: Random, say: Callable[[str], None]
) -> Iterator[Result]:
    made.configure(EVERY_MINUTE, 0)  # a first load that looks for the whole of a time slice takes as long
    _load(made)
    if flags.tick is not None:
        for time_slice in flags.time_slice:
            made.configure(EVERY_MINUTE, time_slice)
            with threads_on(made, flags.tick):
                at, seen = measured(made, flags.minutes * MINUTE, flags.interval, random, LONGEST * flags.tick)
            yield from (Result.of(time_slice, flags.tick, at, of, {}) for of in seen)
        return
    say("starting Airflow")
    with airflow_on(made, folder) as airflow:
        for time_slice in flags.time_slice:
            made.configure(EVERY_MINUTE, time_slice)
            put_files_in(made, airflow)
            say(f"time slice {time_slice} s: waiting until every run goes by it")
            wait_until_warm()
            say(f"{flags.minutes:g} minutes of changes")
            at, seen = measured(made, flags.minutes * MINUTE, flags.interval, random, LONGEST * MINUTE)
            yield from (Result.of(time_slice, MINUTE, at, of, anatomy(airflow, of)) for of in seen)


def _load(made: Installation) -> None:
    """The first load, and the consumer's views of it."""
    for platform in PLATFORMS:
        DagRuns(made.job(platform), made.environment, MINUTE).run_to_done("first_load")
    made.reconcile_views()


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.latency", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5, help="of changes, for each time slice")
    parser.add_argument("--time-slice", type=int, action="append", help="seconds; may be given again; none: 0 and 50")
    parser.add_argument("--interval", type=float, default=1, help="mean seconds between two changes")
    parser.add_argument("--tick", type=float, help="no Airflow: threads do as the DAGs, on a tick of so many seconds")
    parser.add_argument("--seed", type=int, help="of the moments of changes; none: drawn, and printed")
    parser.add_argument("--directory", type=Path, help="where the server's data is kept meanwhile")
    parser.add_argument("--json", type=Path, default=Path(".bench/latency.json"))
    parser.add_argument("--markdown", type=Path, help="write the table into this document too")
    flags = parser.parse_args(arguments)
    flags.time_slice = flags.time_slice or [0, 50]
    return flags


if __name__ == "__main__":
    sys.exit(main())
