"""A limit of the job's memory below its container's, so that a row that does not fit is an error, not a killed pod.

No row passes through Python, but the driver holds one whole row at a time, up to three times. The kernel kills a
container that exceeds its limit, and nobody learns which table it was. So the process may grow only as far as its
container: a larger allocation fails.
"""

from __future__ import annotations

import logging
import resource
from pathlib import Path

log = logging.getLogger(__name__)

# Of what is left in the container. Stacks and the like count here though they are never used: a small rest is let be.
PART = 0.9
LEAST = 96 << 20
CGROUP_2 = ("memory.max", "memory.current", "inactive_file")
CGROUP_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
NO_LIMIT = 1 << 60  # version 1 writes a number of about 2^63


def limit_memory(cgroup: Path = Path("/sys/fs/cgroup"), process: Path = Path("/proc/self")) -> int | None:
    """Let the process grow by that many bytes at most, by its container's limit; None without a limit."""
    rest = _rest(cgroup, process)
    if rest is None:
        return None
    growth = max(int(rest * PART), LEAST)
    limit = _data_bytes(process) + growth
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft != resource.RLIM_INFINITY and soft <= limit:
        return None
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    log.debug("the job's memory may grow by %d MB", growth >> 20)
    return growth


def _rest(cgroup: Path, process: Path) -> int | None:
    """Return the bytes that the container has left: the least of all control groups of the process."""
    found = [_rest_of(folder, files) for folder, files in _groups(cgroup, process)]
    return min((rest for rest in found if rest is not None), default=None)


def _groups(cgroup: Path, process: Path) -> list[tuple[Path, tuple[str, str, str]]]:
    """Return the control groups of the process and those above it; in a container its own is mounted as the root."""
    groups = []
    for line in _lines(process / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            root = cgroup / "memory" if controllers else cgroup
            parts = Path(path.lstrip("/")).parts
            folders = (root.joinpath(*parts[:number]) for number in range(len(parts) + 1))
            groups += [(folder, CGROUP_1 if controllers else CGROUP_2) for folder in folders]
    return groups


def _rest_of(folder: Path, files: tuple[str, str, str]) -> int | None:
    limit, used, reclaimable = files
    try:
        most = int((folder / limit).read_text())
        cached = [int(line.split()[1]) for line in _lines(folder / "memory.stat") if line.split()[0] == reclaimable]
        return most - int((folder / used).read_text()) + sum(cached) if most < NO_LIMIT else None
    except (OSError, ValueError):  # no such group here, or `max`
        return None


def _data_bytes(process: Path) -> int:
    """Return how many bytes count towards the limit now."""
    return next(int(line.split()[1]) << 10 for line in _lines(process / "status") if line.startswith("VmData:"))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
