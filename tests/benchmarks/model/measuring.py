"""What is run at each size, and the numbers that are to be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.model.world import PLATFORM, Used, World

START = "a job's start"
BY_GIT = "a job's start, by git"
MOST_BY_GIT, MOST_VIEWS = 1000, 1000  # streams: more of them take minutes, and grow as they do


@dataclass(frozen=True)
class Row:
    """The least that one thing took at one size, of so many times."""

    streams: int
    what: str
    seconds: float
    cpu_seconds: float
    rss_mb: float

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "measured", **asdict(self)}


@dataclass(frozen=True)
class Target:
    """A number to reach, at most."""

    name: str
    value: float
    limit: float

    @property
    def reached(self) -> bool:
        return self.value <= self.limit

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "target", **asdict(self), "reached": self.reached}


# What, at which size, of which number, at most.
TARGETS = (
    *((START, size, "cpu_seconds", 0.25) for size in (10, 1000, 10_000)),
    *((START, size, "rss_mb", 45.0) for size in (10, 1000, 10_000)),
    ("validate", 1000, "cpu_seconds", 0.8),
    ("sync, first", 10_000, "cpu_seconds", 15.0),
    ("sync, first", 10_000, "rss_mb", 400.0),
    ("sync, unchanged", 10_000, "cpu_seconds", 6.0),
    ("sync, unchanged", 10_000, "rss_mb", 400.0),
)


def targets(rows: Sequence[Row]) -> list[Target]:
    """Return the targets for which there is a number."""
    found = {(row.what, row.streams): row for row in rows}
    return [
        Target(f"{what}, {size:,} streams, {number}", getattr(found[what, size], number), limit)
        for what, size, number, limit in TARGETS
        if (what, size) in found
    ]


def measured(world: World, times: int, say: Callable[[str], None]) -> Iterator[Row]:
    """Yield a row for each thing; what does not change anything is run several times, and the least counts."""
    model, of_platform = str(world.model), ("--platform", PLATFORM)

    def row(what: str, run: Callable[[], Used], times: int = times, codes: Sequence[int] = (0,)) -> Row:
        used = [run() for _ in range(times)]
        for one in used:
            assert one.exit_code in codes, f"{what}: {one.said[-2000:]}"
        least = [min(getattr(one, number) for one in used) for number in ("seconds", "cpu_seconds", "rss_mb")]
        say(f"{world.streams:,} streams, {what}: {least[0]:.2f} s, CPU {least[1]:.2f} s, {least[2]:.0f} MB")
        return Row(world.streams, what, *(round(one, 3) for one in least))

    def tool(*arguments: str) -> Callable[[], Used]:
        return lambda: world.run("airflow_plugin", *arguments)

    sync = tool("sync", model, "--yes")
    yield row("validate", tool("validate", model))
    yield row("sync, first", sync, times=1)
    yield row("sync, unchanged", sync)
    world.write(width=60)
    world.commit()
    yield row("plan of one change", tool("plan", model))
    yield row("sync of one change", sync, times=1)
    assert (done := world.job("run-1")).exit_code == 0, done.said
    # A run id that has been done: the job starts, reads its model, connects, and finds that nothing is to do.
    yield row(START, lambda: world.job("run-1"), times=times + 2)
    world.give_batches()
    yield row("status", tool("status", *of_platform))
    yield row("doctor", tool("doctor", *of_platform))
    yield row("streams list", tool("streams", "list", *of_platform))
    yield row("a stream's history", tool("streams", "history", "Store0", *of_platform))
    yield row("runs status", tool("runs", "status", *of_platform, "--model", model))
    if world.streams <= MOST_VIEWS:
        world.give_merge_tables()
        views = tool("views", "reconcile", "--model", model, *of_platform)
        yield row("views reconcile, first", views, times=1)
        yield row("views reconcile, unchanged", views, times=1)
    if world.streams <= MOST_BY_GIT:
        world.forget_job_model()
        yield row(BY_GIT, lambda: world.job("run-1"))
