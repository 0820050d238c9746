"""`python -m tests.benchmarks.model`: what a model of 10, 1,000 and 10,000 streams costs its commands and its jobs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.model.measuring import measured
from tests.benchmarks.model.model_report import COMMAND, Run, markdown, printed
from tests.benchmarks.model.world import World
from tests.benchmarks.running import console, server, talk, write
from tests.benchmarks.tables import document

SIZES = (10, 1000, 10_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the files."""
    flags = _flags(arguments)
    screen = console()
    say = talk(screen)
    run = Run(load=os.getloadavg()[0])
    with server({"fsync": flags.fsync, "max_locks_per_transaction": "1024"}, flags.directory, "model") as (running, at):
        for size in flags.streams or SIZES:
            world = World(running, at / f"of-{size}", size)
            for row in measured(world, flags.times, say):
                run.rows.append(row)
                write(flags.json, json.dumps(run.to_list(), indent=1) + "\n")
            world.drop()
    printed(run, screen)
    if flags.markdown:
        standing = flags.markdown.read_text("utf-8") if flags.markdown.exists() else ""
        write(flags.markdown, document(standing, markdown(run), COMMAND))
    return 0


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.model", description=__doc__.split("\n")[0])
    parser.add_argument("--streams", type=int, action="append", help="how many; may be given again")
    parser.add_argument("--times", type=int, default=3, help="how often what changes nothing is run; the least counts")
    parser.add_argument("--fsync", choices=("on", "off"), default="on")
    parser.add_argument("--directory", type=Path, help="where the server's data is kept meanwhile")
    parser.add_argument("--json", type=Path, default=Path(".bench/model.json"))
    parser.add_argument("--markdown", type=Path, help="write the table into this document too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
