"""Whether what was merged is what the simulator wrote down, version by version. Pure: it judges what evidence.py read.

A batch need not have seen every change: two changes of a row between two batches leave one version. But each batch
must hold, in all its tables together, exactly what the source was after some number of changes; that number must be
possible at the time when the batch took its snapshot, and never become less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from airflow_plugin.demo.truth import OPEN, TABLES, Row
from tests.benchmarks.soak.history import History, State, digest_of

Version = tuple[Row, int, int]  # a row, the batch that it came in, and the one that it went out


@dataclass(frozen=True)
class Batch:
    """A committed batch, as its row tells; the counts are inserted, updated, deleted, total."""

    id: int
    taken: datetime
    ended: datetime
    counts: tuple[int, int, int, int]
    strategy: str = ""


@dataclass(frozen=True)
class Look:
    """What a consumer's one transaction saw of all live views, by the digest; `began` and `ended` around it."""

    began: float
    ended: float
    digest: int


@dataclass
class Evidence:
    """All that is judged. `current` are tables and views that must be as the source at the end, by what they are."""

    history: History
    source: State
    current: Mapping[str, State]
    versions: Mapping[str, Sequence[Version]]
    batches: Sequence[Batch]
    looks: Sequence[Look] = ()
    digests: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.digests = self.history.digests()


def findings(evidence: Evidence) -> list[str]:
    """What is lost, and what is there that should not be; empty if nothing. No values and no keys."""
    last = evidence.history.last()
    found = [f"the source: {what}" for what in _unequal(evidence.source, last)]
    for name, state in evidence.current.items():
        found += [f"{name}: {what}" for what in _unequal(state, last)]
    found += _wrong_versions(evidence)
    found += _wrong_batches(evidence)
    found += _wrong_looks(evidence)
    return found


def _unequal(state: State, wanted: State) -> Iterator[str]:
    for table in TABLES:
        have, want = state[table], wanted[table]
        if have != want:
            differ = sum(have[key] != want[key] for key in have.keys() & want.keys())
            reported = (
                f"{len(want.keys() - have.keys())} rows lost, {len(have.keys() - want.keys())} extra, {differ} differ"
            )
            yield f"{table}: {reported}"


def _wrong_versions(evidence: Evidence) -> Iterator[str]:
    """Versions without their batches, that overlap, or that follow on an equal one."""
    known = {batch.id for batch in evidence.batches}
    for table, versions in evidence.versions.items():
        for _, came, went in versions:
            if came not in known or went not in known | {OPEN} or came >= went:
                yield f"{table}: a version from batch {came} to {went}, which no batch made"
        ordered = sorted(versions, key=lambda version: (version[0][0], version[1]))
        for (row, _, went), (later, came, _) in pairwise(ordered):
            if row[0] != later[0]:
                continue
            if came < went:
                yield f"{table}: two versions of a key in batch {came}"
            elif came == went and row == later:
                yield f"{table}: batch {came} made a version that is as the one before"


def _wrong_batches(evidence: Evidence) -> Iterator[str]:
    changes, before = 0, State({table: {} for table in TABLES})
    for batch in evidence.batches:
        window = evidence.history.between(batch.taken.timestamp(), batch.ended.timestamp())
        possible = range(max(changes, window.start), min(window.stop, len(evidence.digests)))
        held = _at(evidence, batch.id)
        seen = _first(possible, evidence.digests, digest_of(held))
        if seen is None:
            yield f"batch {batch.id}: {_nearest(evidence, held, possible)}"
        else:
            changes = seen
        now = _state(held)
        if batch.counts != (counted := _counts(before, now)):
            yield f"batch {batch.id}: it reports {batch.counts} as inserted, updated, deleted, total, and did {counted}"
        before = now


def _wrong_looks(evidence: Evidence) -> Iterator[str]:
    changes = 0
    for look in evidence.looks:
        # What a look sees was in the source before it, however long before.
        last = evidence.history.between(look.began, look.ended).stop
        seen = _first(range(changes, min(last, len(evidence.digests))), evidence.digests, look.digest)
        if seen is None:
            yield "a consumer's look at the live views saw what the source never was, or was before an earlier look"
        else:
            changes = seen


def _first(possible: range, digests: Sequence[int], wanted: int) -> int | None:
    return next((number for number in possible if digests[number] == wanted), None)


def _at(evidence: Evidence, batch: int) -> list[tuple[str, Row]]:
    return [
        (table, row)
        for table, versions in evidence.versions.items()
        for row, came, went in versions
        if came <= batch < went
    ]


def _nearest(evidence: Evidence, held: list[tuple[str, Row]], possible: range) -> str:
    if not possible:
        return "its snapshot is older than that of the batch before it"
    span = f"it held what the source never was between its changes {possible.start} and {possible.stop - 1}"
    wanted = evidence.history.at(possible.start)
    want = Counter((table, row) for table, rows in wanted.items() for row in rows.values())
    have = Counter(held)
    return f"{span}; against the first {(want - have).total()} rows are missing and {(have - want).total()} are extra"


def _state(rows: Sequence[tuple[str, Row]]) -> State:
    state: State = {table: {} for table in TABLES}
    for table, row in rows:
        state[table][row[0]] = row
    return state


def _counts(before: State, now: State) -> tuple[int, int, int, int]:
    inserted = updated = deleted = total = 0
    for table in TABLES:
        old, new = before[table], now[table]
        inserted += len(new.keys() - old.keys())
        deleted += len(old.keys() - new.keys())
        updated += sum(old[key] != new[key] for key in old.keys() & new.keys())
        total += len(new)
    return inserted, updated, deleted, total
