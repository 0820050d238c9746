"""`python -m tests.benchmarks.factory`: thousands of streams in a parse, beside dag-factory and static files."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.factory.bed import Bed, new_airflow
from tests.benchmarks.factory.dag_factory_package import NotInstalledError, dag_factory
from tests.benchmarks.factory.dag_files import Kind
from tests.benchmarks.factory.factory_report import COMMAND, Run, markdown, printed
from tests.benchmarks.factory.parsing import ROOT
from tests.benchmarks.factory.standing import Way
from tests.benchmarks.running import console, server, talk, write
from tests.benchmarks.tables import document

SIZES = (10, 100, 1000, 10_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the files; 1 if a pass of ours did not store every DAG."""
    flags = _flags(arguments)
    screen = console()
    say = talk(screen)
    run = Run(load=os.getloadavg()[0])
    python_path = {}
    try:
        python_path[Kind.DAG_FACTORY] = (dag_factory(flags.dag_factory),)
    except NotInstalledError as error:
        run.not_measured[Kind.DAG_FACTORY] = str(error)
    kinds = [kind for kind in flags.kind if kind not in run.not_measured]
    with server({"fsync": flags.fsync, "max_connections": "60"}, flags.directory, "factory") as (postgres, folder):
        say("making Airflow's metadata database")
        real = new_airflow(postgres, folder / "airflow")
        bed = Bed(
            *(postgres, real, kinds, flags.passes, python_path, flags.once, say),
            standing=flags.standing,
            idle_seconds=flags.idle_seconds,
            changes=flags.changes,
        )
        for size in flags.streams:
            results, standing = bed.measured(size)
            run.results += results
            run.standing += standing
    printed(run, screen)
    write(flags.json, json.dumps(run.rows(), indent=1) + "\n")
    if flags.markdown:
        standing = flags.markdown.read_text("utf-8") if flags.markdown.exists() else ""
        write(flags.markdown, document(standing, markdown(run), COMMAND))
    ours = (Kind.OURS, Kind.OURS_SAME_OPERATORS)
    return 0 if all(result.stored for result in run.results if result.kind in ours and result.first_pass) else 1


def _flags(arguments: Sequence[str] | None) -> argparse.Namespace:
    kinds = ", ".join(kind.value for kind in Kind)
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.factory", description=__doc__.split("\n")[0])
    parser.add_argument("--streams", type=int, action="append", help="how many; may be given again")
    parser.add_argument("--kind", type=Kind, action="append", help=f"may be given again; none: {kinds}")
    parser.add_argument("--passes", type=Kind, action="append", help="of which to run the dag-processor; none: of all")
    ways = ", ".join(way.value for way in Way)
    parser.add_argument("--standing", type=Way, action="append", help=f"which a dag-processor stands over; all: {ways}")
    parser.add_argument("--idle-seconds", type=float, default=120.0, help="for how long nothing is to change there")
    parser.add_argument("--changes", type=int, default=20, help="how many are made there, one after the other")
    parser.add_argument("--once", action="store_true", help="measure everything only once")
    parser.add_argument("--fsync", choices=("on", "off"), default="on")
    parser.add_argument("--directory", type=Path, help="where the server's data is kept meanwhile")
    parser.add_argument("--dag-factory", type=Path, default=ROOT / ".bench" / "dag-factory", help="its folder")
    parser.add_argument("--json", type=Path, default=Path(".bench/factory.json"))
    parser.add_argument("--markdown", type=Path, help="write the table into this document too")
    flags = parser.parse_args(arguments)
    flags.streams = flags.streams or SIZES
    flags.kind = flags.kind or list(Kind)
    flags.passes = flags.passes or list(Kind)
    flags.standing = flags.standing or list(Way)
    return flags


if __name__ == "__main__":
    sys.exit(main())
