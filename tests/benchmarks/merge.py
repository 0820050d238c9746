"""`python -m tests.benchmarks.merge`: the merge job's seconds beside those of a raw copy of the same table.

Reading order: rounds.py what is run, job.py how, plain.py the measure and the truth, customers.py the table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.report import COMMAND, Run, markdown, printed
from tests.benchmarks.rounds import Bed, steps_of
from tests.benchmarks.running import console, server, talk, write
from tests.benchmarks.tables import document

MODES = ("live", "forensic")
STRATEGIES = ("version_diff", "key_hash_diff", "full")
KEYS = ("int", "uuid")
CHANGES = ("scattered", "clustered")

# A server of some size, with room for what a run writes, so that no checkpoint falls into a timed step.
SETTINGS = {
    "shared_buffers": "2GB",
    "effective_cache_size": "6GB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    # Done by hand between the steps.
    "autovacuum": "off",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the files; 1 if a merge table was not as its source."""
    flags = _flags(arguments)
    screen = console()
    say = talk(screen)
    settings = {**SETTINGS, "fsync": flags.fsync}
    run = Run(settings=settings, load=os.getloadavg()[0])
    with server(settings, flags.directory, "merge") as (running, folder):
        for keys in flags.keys:
            steps = list(steps_of(flags.strategy, flags.changes, keys))
            if keys != flags.keys[0]:
                steps = [step for step in steps if step.changes == flags.changes[0]]
            bed = Bed(running, folder / f"model-{keys}", keys, flags.rows, flags.mode, say)
            run.rows += bed.perform(steps)
            run.raw_copies[keys] = bed.raw_copies
    printed(run, screen)
    write(flags.json, json.dumps([row.to_dict() for row in run.rows], indent=1) + "\n")
    if flags.markdown:
        standing = flags.markdown.read_text("utf-8") if flags.markdown.exists() else ""
        write(flags.markdown, document(standing, markdown(run), COMMAND))
    return 0 if all(row.content_ok for row in run.rows) else 1


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.merge", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="bigint keys and scattered changes only")
    for name, values in (("mode", MODES), ("strategy", STRATEGIES), ("keys", KEYS), ("changes", CHANGES)):
        parser.add_argument(f"--{name}", action="append", choices=values, help="may be given again; none: all")
    parser.add_argument("--fsync", choices=("on", "off"), default="on")
    parser.add_argument("--directory", type=Path, help="where the server's data is kept meanwhile")
    parser.add_argument("--json", type=Path, default=Path(".bench/merge.json"))
    parser.add_argument("--markdown", type=Path, help="write the table into this document too")
    flags = parser.parse_args(arguments)
    flags.mode = flags.mode or MODES
    flags.strategy = flags.strategy or STRATEGIES
    flags.keys = flags.keys or (KEYS[:1] if flags.quick else KEYS)
    flags.changes = flags.changes or (CHANGES[:1] if flags.quick else CHANGES)
    return flags


if __name__ == "__main__":
    sys.exit(main())
