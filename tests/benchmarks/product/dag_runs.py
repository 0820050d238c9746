"""A stream's runs as its DAG makes them, without Airflow: on a tick, again after a failure, at once on KEEP_WORKING."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event

from airflow_plugin.jobs.merge_job import MergeJob
from config_schema import names
from config_schema.result import TOKEN_VARIABLE, MergeResult, ResultCode, ResultReader

TRIES = 3
LAST_RUNS = 20
LAST_LINES = 10


@dataclass(frozen=True)
class Try:
    """One start of the merge job; `result` is None where it died without one."""

    run_id: str
    exit_code: int
    result: MergeResult | None
    log: str = field(repr=False)

    @property
    def code(self) -> ResultCode:
        return ResultCode.ERROR if self.result is None else self.result.code

    @property
    def for_good(self) -> bool:
        """Whether the job says that no retry can help."""
        return self.result is not None and self.code is ResultCode.ERROR and not self.result.retryable


@dataclass
class DagRuns:
    """Runs of one stream, one after another; `started` hears of each job's process, `said` of its lines."""

    job: MergeJob
    environment: Mapping[str, str]
    tick: float
    delay: float = 0.5
    started: Callable[[subprocess.Popen[str]], None] = lambda child: None
    said: Callable[[subprocess.Popen[str], str], None] = lambda child, line: None
    tries: list[Try] = field(default_factory=list)

    def run_until(self, stop: Event) -> None:
        """Runs on every tick, until `stop`; the one that is under way then is ended in good order by nobody."""
        while not stop.wait(self.tick - time.time() % self.tick):
            run_id = f"scheduled__{time.time():.3f}"
            while run_id and not stop.is_set():
                run_id = self._next(self.run(run_id, stop))

    def run_to_done(self, label: str) -> MergeResult | None:
        """Runs until one finds nothing more to do; its result, None if none of LAST_RUNS does."""
        for number in range(LAST_RUNS):
            last = self.run(f"{label}__{number}", Event())
            if last.code is ResultCode.DONE and last.result is not None and not last.result.batches:
                return last.result
        return None

    def run(self, run_id: str, stop: Event) -> Try:
        """A run: tried again after a failure unless the job says that this cannot help. The last try."""
        while True:
            tried = self._try(run_id)
            self.tries.append(tried)
            of_this_run = [one for one in self.tries if one.run_id == run_id]
            if tried.code is not ResultCode.ERROR or tried.for_good or len(of_this_run) == TRIES:
                return tried
            if stop.wait(self.delay):
                return tried

    def _next(self, last: Try) -> str:
        """The run that this one triggers; none without KEEP_WORKING, or where that run has been already."""
        if last.code is not ResultCode.KEEP_WORKING or last.result is None:
            return ""
        run_id = names.self_trigger_run_id(self.job.stream_key, last.result.batch_id)
        return "" if any(one.run_id == run_id for one in self.tries) else run_id

    def _try(self, run_id: str) -> Try:
        reader = ResultReader(token := secrets.token_hex(16))
        child = subprocess.Popen(
            [sys.executable, "-m", "merge_jobs", *self.job.run_arguments(run_id)],
            env={**self.environment, TOKEN_VARIABLE: token, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started(child)
        lines: deque[str] = deque(maxlen=LAST_LINES)
        with child:
            assert child.stdout is not None
            for line in child.stdout:
                self.said(child, line)
                reader.feed(line)
                lines.append(line)
        return Try(run_id, child.returncode, reader.result, "".join(lines))
