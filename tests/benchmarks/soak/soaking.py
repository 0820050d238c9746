"""The soak itself: the simulator, both platforms' runs, a consumer who looks on, and what kills them, side by side."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

from airflow_plugin.demo.postgres import EmbeddedPostgres
from airflow_plugin.demo.processes import inherited_environment
from airflow_plugin.demo.rounds import PLATFORMS
from merge_jobs.simulator.run import Pause, run_changes
from tests.benchmarks.product.dag_runs import DagRuns
from tests.benchmarks.product.installation import Installation
from tests.benchmarks.soak.aim import Aim
from tests.benchmarks.soak.evidence import Watching, read_evidence, source_state
from tests.benchmarks.soak.history import History
from tests.benchmarks.soak.judge import Evidence, findings
from tests.benchmarks.soak.kills import DatabaseKills, JobKills, Seconds

EVERY_MINUTE = "* * * * *"
ERROR_LENGTH = 160
TICK_SECONDS = 2.0  # the schedule's minute, made short


@dataclass(frozen=True)
class Plan:
    """How long, and how rough. `first` changes are made before the first load: a small source is refused deletes."""

    seed: int
    seconds: float
    first: int = 1000
    pause: Pause = field(default_factory=lambda: Pause(0.0, 0.1))
    time_slice_seconds: int = 4
    jobs_killed_every: Seconds = (0.5, 5.0)
    databases_killed_every: Seconds = (10.0, 40.0)


class Soak:
    """One soak in `folder`, on two servers of its own."""

    def __init__(self, plan: Plan, folder: Path, source: EmbeddedPostgres, store: EmbeddedPostgres) -> None:
        self.plan = plan
        self.made = Installation(folder, source, store)
        self.made.configure(EVERY_MINUTE, plan.time_slice_seconds)
        with closing(self.made.producer()) as producer:
            self.history = History(source_state(producer))
        self._simulate(plan.first, Event(), Pause())
        at_jobs, at_databases = Random(plan.seed + 1), Random(plan.seed + 2)
        self.aims = Aim(at_jobs), Aim(at_databases)
        servers = {"source": source, "merge store": store}
        self.jobs = JobKills(at_jobs, plan.jobs_killed_every, self.aims[0])
        self.databases = DatabaseKills(at_databases, plan.databases_killed_every, servers, self.aims[1])
        environment = inherited_environment() | self.made.secrets
        self.streams = {
            platform.original: DagRuns(
                self.made.job(platform), environment, TICK_SECONDS, started=self.jobs.started, said=self._hear
            )
            for platform in PLATFORMS
        }
        self.watching = Watching(self.made)
        self.troubles: list[str] = []

    def perform(self, say: Callable[[str], None]) -> Evidence:
        """First load, the rough time, then runs until nothing is left to do; what there is to be judged."""
        self._to_done("first_load")
        self.made.reconcile_views()
        say(f"{self.plan.seconds:.0f} s of changes, runs and kills")
        self._rough_time()
        say("no more kills: the runs go on until they find nothing more to do")
        self._to_done("last_look")
        return read_evidence(self.made, self.history, self.watching.looks)

    def report(self, evidence: Evidence) -> dict[str, Any]:
        """The verdict, and how rough it was; JSON-ready."""
        found = [*self.troubles, *self._failed_for_good(), *findings(evidence)]
        tries = [one for stream in self.streams.values() for one in stream.tries]
        return {
            "verdict": "nothing lost, nothing extra" if not found else "WRONG",
            "findings": found,
            "seed": self.plan.seed,
            "minutes": round(self.plan.seconds / 60, 2),
            "cores": os.cpu_count(),
            "kills": {"jobs": self.jobs.number, **self.databases.numbers},
            "changes": len(self.history.changes),
            "batches": len(evidence.batches),
            "strategies": dict(Counter(batch.strategy for batch in evidence.batches)),
            "versions": {table: len(versions) for table, versions in evidence.versions.items()},
            "rows": {table: len(rows) for table, rows in evidence.source.items()},
            "looks_of_a_consumer": len(evidence.looks),
            "runs_of_the_job": len(tries),
            "results": dict(Counter(one.code.name if one.result else "DIED" for one in tries)),
            "errors": dict(Counter(_error(one.result.error) for one in tries if one.result and one.result.error)),
        }

    def _hear(self, child: subprocess.Popen[str], line: str) -> None:
        for aim in self.aims:
            aim.hear(child, line)

    def _rough_time(self) -> None:
        changing, rough = Event(), Event()
        with ThreadPoolExecutor() as pool:
            going = [pool.submit(self._simulate, None, changing, self.plan.pause)]
            going += [pool.submit(stream.run_until, rough) for stream in self.streams.values()]
            going += [pool.submit(one.run_until, rough) for one in (self.jobs, self.databases, self.watching)]
            # One that fails ends all.
            wait(going, self.plan.seconds, return_when="FIRST_EXCEPTION")
            rough.set()
            wait(going[1:])
            changing.set()
            for one in going:
                one.result()

    def _to_done(self, label: str) -> None:
        """Runs of both platforms until they are done, which nobody disturbs."""
        with ThreadPoolExecutor() as pool:
            ended = pool.map(lambda stream: stream.run_to_done(label), self.streams.values())
            for (name, stream), done in zip(self.streams.items(), ended, strict=True):
                if done is None:
                    self.troubles.append(f"{name}: {label} came to no end: {stream.tries[-1].log}")

    def _failed_for_good(self) -> list[str]:
        return [
            f"{name}: run {one.run_id} says that no retry can help: {one.result.error}"
            for name, stream in self.streams.items()
            for one in stream.tries
            if one.for_good and one.result
        ]

    def _simulate(self, most: int | None, stop: Event, pause: Pause) -> None:
        seed = self.plan.seed + (most is None)
        run_changes(self.made.producer, seed, most, pause, stop, self.history.add, say=lambda text: None)


def _error(text: str) -> str:
    """The error without what is of one time or one server only."""
    return re.sub(r"\d+", "N", text)[:ERROR_LENGTH]
