"""A dag-processor that goes on: what it costs while nothing changes, and how long a change takes to be stored.

The other benchmarks measure a pass; what a day costs is how often there is one. CPU is that of the dag-processor with
all its children, over time; a change is timed from its commit, or the writing of its file, until Airflow has stored it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import yaml

from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import RowChange, StreamTable
from airflow_plugin.factory.shard_files.layout import file_count, file_of
from config_schema import names
from tests.airflow.real_airflow import RealAirflow
from tests.airflow.running_processor import RunningProcessor, bundle_settings, running_processor
from tests.benchmarks.factory import streams
from tests.benchmarks.factory.dag_files import DUMPER, DagFiles, Kind
from tests.benchmarks.factory.full_pass import metadata

AIRFLOW_INTERVAL = 30  # Airflow's own min_file_process_interval
FIRST_PASS_SECONDS, CHANGE_SECONDS = 1800, 120
PAUSE = 0.05
MANY = 10_000  # so many, with Airflow's own timeouts, have their first pass on a machine that is busy otherwise
KILLED = "Killing it!"  # in the dag-processor's log
SCHEDULES = ("7 3 * * *", "8 4 * * *")  # which no stream has by itself


class Way(Enum):
    """Who has the DAGs."""

    BUNDLE = "bundle"
    OURS = "ours"
    DAG_FACTORY = "dag_factory"
    STATIC = "static"


@dataclass(frozen=True)
class Measured:
    """`idle_cores` is CPU seconds a second; the others are seconds, one for each change. Empty: not measured.

    `killed` are the files that Airflow ended at its timeout in the first pass, which found so many cores busy.
    """

    streams: int
    way: Way
    first_pass: float
    busy: int
    killed: int
    idle_seconds: float
    idle_cores: float
    one: Sequence[float]
    hundred_of_a_file: Sequence[float] = ()
    hundred_scattered: Sequence[float] = ()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows for JSON."""
        which = {"streams": self.streams, "kind": self.way.value}
        first = {"seconds": self.first_pass, "busy": self.busy, "killed": self.killed}
        yield {**which, "phase": "first pass", **first}
        yield {**which, "phase": "idle", "seconds": self.idle_seconds, "cores": self.idle_cores}
        for phase in ("one", "hundred_of_a_file", "hundred_scattered"):
            if seconds := getattr(self, phase):
                yield {
                    **which,
                    "phase": f"change {phase.replace('_', ' ')}",
                    "changes": len(seconds),
                    "median": statistics.median(seconds),
                    "p95": p95(seconds),
                    "seconds": list(seconds),
                }


def p95(seconds: Sequence[float]) -> float:
    """Return the time within which 95 of a hundred were done; of a few the longest."""
    return sorted(seconds)[max(0, -(-len(seconds) * 95 // 100) - 1)]


@dataclass(frozen=True)
class TablesVersion:
    """What to measure: for how long nothing is to happen, and how many changes one after the other."""

    real: RealAirflow
    idle_seconds: float
    changes: int
    say: Callable[[str], None]

    def measured(self, way: Way, size: int, files: DagFiles | None) -> Measured:
        """Run a dag-processor over it; `files` are those of a way that is no bundle."""
        self.say(f"{size:,} streams: a dag-processor that goes on, {way.value}")
        folder = self.real.home / f"standing_{way.value}_{size}"
        folder.mkdir()
        with (
            metadata(self.real, f"standing_{way.value}_{size}") as fresh,
            running_processor(fresh, folder, _environment(fresh, files)) as processor,
        ):
            others = (os.cpu_count() or 1) if size >= MANY else 0
            began = time.monotonic()
            with _busy(others):
                processor.wait("the first pass", lambda: _stored(fresh) == size, FIRST_PASS_SECONDS)
            first = time.monotonic() - began, others, processor.log.read_text().count(KILLED)
            time.sleep(AIRFLOW_INTERVAL / 3)
            cores = self._idle_cores(processor)
            change = _Changes(processor, way, files, self.real.environment)
            one = [change.seconds([number % size + 1], at) for at, number in enumerate(range(0, self.changes * 7, 7))]
            of_a_file = scattered = ()
            if way is Way.BUNDLE and size >= 1000:
                of_a_file = (change.seconds(_of_one_file(size), self.changes),)
                scattered = (change.seconds(range(1, size + 1, size // 100), self.changes + 1),)
        return Measured(size, way, *first, self.idle_seconds, cores, one, of_a_file, scattered)

    def _idle_cores(self, processor: RunningProcessor) -> float:
        before = _cpu_seconds(processor)
        began = time.monotonic()
        time.sleep(self.idle_seconds)
        return (_cpu_seconds(processor) - before) / (time.monotonic() - began)


@contextmanager
def _busy(cores: int) -> Iterator[None]:
    """Keep so many cores busy with other work, until the end of the block."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        yield
    finally:
        for one in others:
            one.kill()
            one.wait()


@dataclass(frozen=True)
class _Changes:
    """Changes the schedules of streams, as the way has them, and waits until Airflow has stored them."""

    processor: RunningProcessor
    way: Way
    files: DagFiles | None
    environment: Mapping[str, str]

    def seconds(self, numbers: Sequence[int], round_: int) -> float:
        schedule = SCHEDULES[round_ % len(SCHEDULES)]
        self._write(numbers, schedule)
        began = time.monotonic()
        ids = [streams.plan(number).dag_id for number in numbers]
        while time.monotonic() - began < CHANGE_SECONDS:
            if _with_schedule(self.processor.real, ids, schedule) == len(ids):
                return time.monotonic() - began
            time.sleep(PAUSE)
        return float("inf")

    def _write(self, numbers: Sequence[int], schedule: str) -> None:
        if self.way in (Way.BUNDLE, Way.OURS):
            _write_rows(self.environment[names.dsn_variable(streams.PLATFORM_NAME)], numbers, schedule)
            return
        assert self.files is not None
        for number in numbers:
            before = streams.plan(number)
            if self.way is Way.STATIC:
                path = self.files.files[number - 1]
                path.write_text(_with(path.read_text(), f"schedule={before.schedule!r}", f"schedule={schedule!r}"))
            else:
                _write_yaml(self.files.files[0].parent, before.dag_id, schedule)


def _environment(real: RealAirflow, files: DagFiles | None) -> dict[str, str]:
    if files is None:
        return bundle_settings(streams.PLATFORM)
    path = ":".join([*map(str, files.python_path), real.environment["PYTHONPATH"]])
    return {"AIRFLOW__CORE__DAGS_FOLDER": str(files.files[0].parent), "PYTHONPATH": path}


def _of_one_file(size: int) -> list[int]:
    """The streams of the largest file, a hundred at most."""
    count = file_count(size)
    of_file: dict[int, list[int]] = {}
    for number in range(1, size + 1):
        of_file.setdefault(file_of(streams.plan(number).dag_id, count), []).append(number)
    return max(of_file.values(), key=len)[:100]


def _write_rows(dsn: str, numbers: Sequence[int], schedule: str) -> None:
    rows = [streams.config(number) | {"schedule": schedule} for number in numbers]
    changes = [RowChange(row["stream_key"], json.dumps(row), "active", "bench") for row in rows]
    with closing(psycopg2.connect(dsn)) as connection, connection:
        StreamTable(ControlSession(connection, streams.PLATFORM_NAME)).write(changes, changed_by="bench")


def _write_yaml(folder: Path, dag_id: str, schedule: str) -> None:
    for path in folder.glob("*.yaml"):
        document = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if dag_id in document:
            document[dag_id]["schedule"] = schedule
            path.write_text(yaml.dump(document, Dumper=DUMPER, sort_keys=False))


def _with(text: str, before: str, after: str) -> str:
    for standing in (before, *(f"schedule={one!r}" for one in SCHEDULES)):
        text = text.replace(standing, after)
    return text


def _stored(real: RealAirflow) -> int:
    return sum(dag_id.endswith("_ingestion") for dag_id in real.all_dag_ids())


def _with_schedule(real: RealAirflow, dag_ids: Sequence[str], schedule: str) -> int:
    query = "SELECT count(*) FROM dag WHERE dag_id = ANY(%s) AND timetable_summary = %s"
    ((found,),) = real.query(query, list(dag_ids), schedule)
    return int(found)


def _cpu_seconds(processor: RunningProcessor) -> float:
    """Of the process and all its children, those that have ended too."""
    parent = psutil.Process(processor.process.pid)
    own = parent.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in parent.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


KINDS = {Way.OURS: Kind.OURS, Way.DAG_FACTORY: Kind.DAG_FACTORY, Way.STATIC: Kind.STATIC}
