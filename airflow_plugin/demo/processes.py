"""Child processes that leave nothing behind: each in a session of its own, all marked in their environment."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

MARK = "STREAM_FACTORY_DEMO"
TERM_SECONDS = 8
POLL_SECONDS = 0.1


class Processes:
    """The processes of one demo. Whatever they start inherits the mark, so that none escapes `end`."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.mark = uuid.uuid4().hex
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a process whose output goes to `<name>.log`; a terminal's Ctrl+C does not reach it, `end` does."""
        with self.log_of(name).open("ab") as output:
            self.started[name] = subprocess.Popen(
                command,
                env={**environment, MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.started[name]

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def ended(self) -> Iterator[tuple[str, int]]:
        """Those that have ended by themselves, with their exit codes."""
        for name, process in self.started.items():
            if (code := process.poll()) is not None:
                yield name, code

    def end(self) -> None:
        """End every process with the mark: TERM, and KILL after a while."""
        for process in self.started.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        if not self._gone_within(TERM_SECONDS):
            for left in self._marked():
                with contextlib.suppress(psutil.Error):
                    left.kill()
            self._gone_within(TERM_SECONDS)

    def _gone_within(self, seconds: float) -> bool:
        give_up = time.monotonic() + seconds
        while self._marked():
            for process in self.started.values():
                process.poll()
            if time.monotonic() > give_up:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _marked(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self.mark:
                    found.append(process)
        return found


def python_module(*arguments: str) -> list[str]:
    """The command that runs a module with this Python."""
    return [sys.executable, "-m", *arguments]


def inherited_environment() -> dict[str, str]:
    """This process's environment without what would send Airflow or libpq elsewhere."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("AIRFLOW", "_AIRFLOW", "PG", "DAGFACTORY_", "SIMULATOR_"))
    }
