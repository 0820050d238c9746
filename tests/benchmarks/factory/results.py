"""What was measured, as rows for JSON, and what was to be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.factory.dag_files import Kind
from tests.benchmarks.factory.full_pass import Pass
from tests.benchmarks.factory.parsing import Costs, Parsed
from tests.benchmarks.factory.standing import Measured, Way, p95

PHASES = ("read", "build", "serialise")  # what a parse is, one after the other
TARGET_STREAMS = 1000
MANY, FEW = 10_000, 10


@dataclass(frozen=True)
class Result:
    """One way of having so many streams; `pass_again` finds nothing changed. None: not measured."""

    streams: int
    kind: Kind
    files: int
    costs: Costs
    first_pass: Pass | None = None
    pass_again: Pass | None = None

    @property
    def stored(self) -> bool:
        """Whether a pass left every DAG in Airflow."""
        return self.first_pass is not None and self.first_pass.stored == self.streams

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each phase."""
        which = {"streams": self.streams, "kind": self.kind.value, "files": self.files}
        for suffix, parsed in (("", self.costs.first), ("_again", self.costs.again)):
            for phase, seconds in parsed.seconds.items() if parsed else ():
                yield {**which, "phase": phase + suffix, "seconds": seconds, "cpu_seconds": parsed.cpu_seconds[phase]}
        yield {**which, "phase": "memory", "rss_mb": self.costs.first.rss_mb}
        for phase, worked in (("worker", self.costs.worker), ("worker_of_bundle", self.costs.bundle_worker)):
            if worked is not None:
                yield {**which, "phase": phase, "seconds": worked[0], "cpu_seconds": worked[1]}
        for phase, done in (("pass", self.first_pass), ("pass_again", self.pass_again)):
            if done is not None:
                yield {**which, "phase": phase, **vars(done)}


@dataclass(frozen=True)
class Target:
    """A number to reach; `limit` is the least, or where `at_most` the most. `cpu_value`: the same by CPU seconds."""

    name: str
    streams: int
    value: float
    limit: float
    at_most: bool = False
    cpu_value: float | None = None

    @property
    def reached(self) -> bool:
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def row(self) -> dict[str, Any]:
        return {"kind": "target", "phase": self.name, **vars(self), "reached": self.reached}


def seconds_of(parsed: Parsed, phases: Sequence[str] = PHASES) -> tuple[float, float]:
    """What the phases take together, in wall and CPU seconds."""
    return sum(parsed.seconds[phase] for phase in phases), sum(parsed.cpu_seconds[phase] for phase in phases)


def targets(results: Sequence[Result]) -> list[Target]:
    """Those for which enough was measured."""
    found = {(result.kind, result.streams): result for result in results}
    return [*_shares(found), *_beside_dag_factory(found), *_at_scale(found)]


IDLE = {1000: 0.05, 10_000: 0.10}  # cores
STORED = {1000: 2.0, 10_000: 3.0}  # seconds, for 95 of 100 changes
HUNDRED_OF_A_FILE, HUNDRED_SCATTERED = 5.0, 20.0


def standing_targets(measured: Sequence[Measured]) -> list[Target]:
    """Those of the bundle, for which enough was measured."""
    return [target for one in measured if one.way is Way.BUNDLE for target in _of_standing(one)]


def _of_standing(one: Measured) -> Iterator[Target]:
    if one.streams in IDLE:
        yield Target(
            "bundle: cores while nothing changes", one.streams, one.idle_cores, IDLE[one.streams], at_most=True
        )
        yield Target("bundle: p95 of change -> stored", one.streams, p95(one.one), STORED[one.streams], at_most=True)
    if one.busy:
        name = f"bundle: files killed in the first pass on {one.busy} busy cores"
        yield Target(name, one.streams, one.killed, 0, at_most=True)
    if one.streams == TARGET_STREAMS:
        for name, seconds, limit in (
            ("a hundred of a file", one.hundred_of_a_file, HUNDRED_OF_A_FILE),
            ("a hundred scattered", one.hundred_scattered, HUNDRED_SCATTERED),
        ):
            if seconds:
                yield Target(f"bundle: {name}, change -> stored", one.streams, max(seconds), limit, at_most=True)


def _shares(found: Mapping[tuple[Kind, int], Result]) -> Iterator[Target]:
    for kind in (Kind.OURS, Kind.OURS_SAME_OPERATORS):
        if result := found.get((kind, TARGET_STREAMS)):
            first = result.costs.first
            share, cpu = _ratios(seconds_of(first, ["own"]), seconds_of(first))
            yield Target(f"{kind.value}: own share", TARGET_STREAMS, share, 0.05, at_most=True, cpu_value=cpu)


def _beside_dag_factory(found: Mapping[tuple[Kind, int], Result]) -> Iterator[Target]:
    peer = found.get((Kind.DAG_FACTORY, TARGET_STREAMS))
    for kind in (Kind.OURS_SAME_OPERATORS, Kind.OURS):
        result = found.get((kind, TARGET_STREAMS))
        for phases in (PHASES, PHASES[1:]) if peer and result else ():
            ratio, cpu = _ratios(seconds_of(peer.costs.first, phases), seconds_of(result.costs.first, phases))
            name = f"{kind.value}: x faster than dag-factory, {' + '.join(phases)}"
            yield Target(name, TARGET_STREAMS, ratio, 1.8, cpu_value=cpu)


def _ratios(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] / other[0], one[1] / other[1]


def _at_scale(found: Mapping[tuple[Kind, int], Result]) -> Iterator[Target]:
    few, many = found.get((Kind.OURS, FEW)), found.get((Kind.OURS, MANY))
    for size in (TARGET_STREAMS, MANY):
        if (ours := found.get((Kind.OURS, size))) and ours.costs.bundle_worker:
            wall, cpu = (of / by for of, by in zip(ours.costs.bundle_worker, ours.costs.worker, strict=True))
            name = "bundle: a worker's time, as a part of that from a factory file"
            yield Target(name, size, wall, 1.1, at_most=True, cpu_value=cpu)
    if few and many:
        wall, cpu = (later - before for later, before in zip(many.costs.worker, few.costs.worker, strict=True))
        name = f"ours: seconds that a worker takes longer than at {FEW}"
        yield Target(name, MANY, wall, 0.03, at_most=True, cpu_value=cpu)
    if many and many.first_pass:
        yield Target("ours: DAGs stored with Airflow's own timeouts", MANY, many.first_pass.stored, MANY)
