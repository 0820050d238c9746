"""`python -m tests.benchmarks.soak --minutes 10`: jobs and databases are killed, and every version is judged."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.benchmarks.running import console, server, talk, write
from tests.benchmarks.soak.soaking import Plan, Soak

SEEDS = 10**6


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, say the verdict, write the file; 1 if anything was lost or extra."""
    flags = _flags(arguments)
    screen = console()
    say = talk(screen)
    seed = SystemRandom().randrange(SEEDS) if flags.seed is None else flags.seed
    say(f"seed {seed}")
    with (
        server({}, flags.directory, "soak") as (store, folder),
        EmbeddedPostgres(folder / "source") as source,
    ):
        soak = Soak(Plan(seed, flags.minutes * 60), folder, source, store)
        report = soak.report(soak.perform(say))
    write(flags.json, json.dumps(report, indent=1) + "\n")
    for name, value in report.items():
        screen.print(f"{name:20} {value}", markup=False, soft_wrap=True)
    return 1 if report["findings"] else 0


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, help="of changes and kills; none: drawn, and printed")
    parser.add_argument("--directory", type=Path, help="where the servers' data is kept meanwhile")
    parser.add_argument("--json", type=Path, default=Path(".bench/soak.json"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
