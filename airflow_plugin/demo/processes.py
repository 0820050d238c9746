"""Child processes that leave nothing behind: all that came of them ends with them, by descent, session or mark."""

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
TERM_SECONDS = 5  # only the triggerer takes longer, and has nothing to lose
KILL_SECONDS = 5
POLL_SECONDS = 0.1


class Processes:
    """The processes of one demo, each the leader of a session of its own."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.mark = uuid.uuid4().hex
        self.started: dict[str, subprocess.Popen[bytes]] = {}
        self._seen: set[psutil.Process] = set()

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
        """Return the path of a process's log."""
        return self.logs / f"{name}.log"

    def ended(self) -> Iterator[tuple[str, int]]:
        """Yield the processes that have ended by themselves, with their exit codes."""
        for name, process in self.started.items():
            if (code := process.poll()) is not None:
                yield name, code

    def forget(self, name: str) -> None:
        """Forget a process that has ended well: its number may become another's."""
        del self.started[name]

    def end(self) -> None:
        """End them with all that came of them: TERM to those started here, and KILL after a while to what is left."""
        self._look()  # before parents die, and their children are nobody's any more
        for child in self.started.values():
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        give_up = time.monotonic() + TERM_SECONDS
        while self._left() and time.monotonic() < give_up:
            time.sleep(POLL_SECONDS)
        give_up = time.monotonic() + KILL_SECONDS
        while (left := self._left()) and time.monotonic() < give_up:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            time.sleep(POLL_SECONDS)

    def _left(self) -> list[psutil.Process]:
        for child in self.started.values():
            child.poll()
        self._look()
        return [process for process in self._seen if _runs(process)]

    def _look(self) -> None:
        """Remember who is ours now: a process may yet lose its parent, and Airflow's overwrite their environment."""
        sessions = {process.pid for process in self.started.values()}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if os.getsid(process.pid) in sessions or process.environ().get(MARK) == self.mark:
                    self._seen |= {process, *process.children(recursive=True)}


def python_module(*arguments: str) -> list[str]:
    """Return the command that runs a module with this Python."""
    return [sys.executable, "-m", *arguments]


def inherited_environment() -> dict[str, str]:
    """Return this process's environment without what would send Airflow or libpq elsewhere."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("AIRFLOW", "_AIRFLOW", "PG", "DAGFACTORY_", "SIMULATOR_"))
    }
    # Airflow's tasks reach their api-server over HTTP, on this machine: by no proxy.
    direct = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1", "localhost")))
    return kept | {"NO_PROXY": direct, "no_proxy": direct}


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
