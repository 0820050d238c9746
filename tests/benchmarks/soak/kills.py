"""What goes wrong in a soak: merge jobs are killed (SIGKILL) and databases crash, at moments that a seed draws."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from threading import Event, Lock

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.benchmarks.soak.aim import Aim

Seconds = tuple[float, float]  # between two of them, evenly drawn
DOWN: Seconds = (0.0, 2.0)


@dataclass
class JobKills:
    """Kills the job that a moment is of, or one of those that run."""

    random: Random
    every: Seconds
    aim: Aim
    number: int = 0
    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def started(self, child: subprocess.Popen[str]) -> None:
        """A job that may be killed."""
        with self._lock:
            self._running.add(child)

    def run_until(self, stop: Event) -> None:
        while not stop.wait(self.random.uniform(*self.every)):
            child = self.aim.moment() or self._any()
            if child is not None:
                child.kill()
                self.number += 1

    def _any(self) -> subprocess.Popen[str] | None:
        with self._lock:
            self._running = {child for child in self._running if child.returncode is None}
            alive = sorted(self._running, key=lambda child: child.pid)
        return self.random.choice(alive) if alive else None


@dataclass
class DatabaseKills:
    """Crashes one of the servers, or all, and starts them again."""

    random: Random
    every: Seconds
    servers: Mapping[str, EmbeddedPostgres]
    aim: Aim
    numbers: Counter[str] = field(default_factory=Counter)

    def run_until(self, stop: Event) -> None:
        """Crashes until `stop`; at the end all servers run."""
        while not stop.wait(self.random.uniform(*self.every)):
            some = self.random.choice([[name] for name in self.servers] + [list(self.servers)])
            self.aim.moment()
            for name in some:
                self.servers[name].stop("immediate")
                self.numbers[name] += 1
            time.sleep(self.random.uniform(*DOWN))
            for name in some:
                self.servers[name].start()
