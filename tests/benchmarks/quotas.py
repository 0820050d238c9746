"""A scale model of machines with many cores: each server process, and each client, may use a part of a core only.

By control groups of the kernel, version 1 or 2, which root may make. A server's background processes have no limit.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD = 8000  # microseconds
LOOK_SECONDS = 0.01  # for new server processes
# What a server process is called, of those that serve a client.
BACKGROUND = ("checkpointer", "background writer", "walwriter", "autovacuum", "logical replication", "io worker")


def _folder() -> tuple[Path, bool] | None:
    """Return where groups with a limit of CPU are made, and whether by version 2; None if they cannot be."""
    for folder, is_new in ((ROOT / "cpu", False), (ROOT, True)):
        controllers = folder / "cgroup.controllers"
        has_cpu = "cpu" in controllers.read_text().split() if controllers.exists() else not is_new
        if folder.is_dir() and has_cpu:
            made = folder / "bench-load-tried"
            with contextlib.suppress(OSError):
                made.mkdir(exist_ok=True)
                there = (made / ("cpu.max" if is_new else "cpu.cfs_quota_us")).exists()
                made.rmdir()
                if there:
                    return folder, is_new
    return None


@dataclass
class Quotas:
    """Groups, each with its quota of a core; `of_server` gives each of a server's processes one of its own."""

    quota: float
    made: list[Path] = field(default_factory=list)
    _place: tuple[Path, bool] | None = field(default_factory=_folder)

    @property
    def works(self) -> bool:
        """Whether there is a quota, and this machine can keep it."""
        return self.quota > 0 and self._place is not None

    def limit(self, pid: int, cores: float) -> None:
        """Put a process with its threads, and those that it starts, into a group of its own."""
        if not self.works:
            return
        assert self._place is not None
        folder, is_new = self._place
        group = folder / f"bench-load-{pid}"
        with contextlib.suppress(OSError):  # it may have ended
            group.mkdir(exist_ok=True)
            self.made.append(group)
            if is_new:
                (group / "cpu.max").write_text(f"{max(int(PERIOD * cores), 1000)} {PERIOD}")
            else:
                (group / "cpu.cfs_period_us").write_text(str(PERIOD))
                (group / "cpu.cfs_quota_us").write_text(str(max(int(PERIOD * cores), 1000)))
            (group / "cgroup.procs").write_text(str(pid))

    @contextlib.contextmanager
    def of_server(self, postmaster: int) -> Iterator[None]:
        """Limit each process that the server has for a client, or for a part of a query, meanwhile."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(postmaster, over), daemon=True)
        if self.works:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if self.works:
                thread.join()
            self.remove()

    def remove(self) -> None:
        """Remove the groups whose processes have ended, also those that processes made for themselves."""
        self.made.clear()
        for group in self._place[0].glob("bench-load-*") if self._place else ():
            with contextlib.suppress(OSError):
                group.rmdir()

    def _watch(self, postmaster: int, over: threading.Event) -> None:
        known: set[int] = set()
        while not over.wait(LOOK_SECONDS):
            for pid in _children(postmaster) - known:
                title = _title(pid)
                if title.startswith("postgres: "):
                    known.add(pid)
                    if not any(word in title for word in BACKGROUND):
                        self.limit(pid, self.quota)


def _children(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return set()


def _title(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""
