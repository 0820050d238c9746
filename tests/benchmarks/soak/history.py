"""What the simulator wrote down: each committed change in order, and so every state that the source ever had."""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from airflow_plugin.demo.truth import TABLES, Row
from merge_jobs.simulator.change import CustomerChange, Delete, Insert, RowChange, Update

State = dict[str, dict[str, Row]]  # rows by table and key
DIGEST_BYTES = 16


@dataclass
class History:
    """`before` is the source before the first change; `known` when each change was known to be committed."""

    before: State
    changes: list[CustomerChange] = field(default_factory=list)
    known: list[float] = field(default_factory=list)

    def add(self, change: CustomerChange) -> None:
        """The change has been committed, and the next one has not begun."""
        self.changes.append(change)
        self.known.append(time.time())

    def states(self) -> Iterator[State]:
        """The source before the first change, after it, and so on. It is one State, which changes."""
        state = {table: dict(rows) for table, rows in self.before.items()}
        yield state
        for change in self.changes:
            for row in change.rows:
                _apply(state, row)
            yield state

    def last(self) -> State:
        *_, state = self.states()
        return state

    def at(self, number: int) -> State:
        """The source after `number` changes."""
        return next(state for done, state in enumerate(self.states()) if done == number)

    def digests(self) -> list[int]:
        """Of each state, in order."""
        state = {table: dict(rows) for table, rows in self.before.items()}
        found = [digest(state)]
        for change in self.changes:
            now = found[-1]
            for row in change.rows:
                before, after = _apply(state, row)
                now += after - before
            found.append(now)
        return found

    def between(self, began: float, ended: float) -> range:
        """How many changes a snapshot can have seen that was taken between these times."""
        # A change may be committed as soon as the one before it is known to be.
        return range(bisect_right(self.known, began), bisect_right(self.known, ended) + 2)


def digest(state: Mapping[str, Mapping[str, Row]]) -> int:
    """The same for the same rows in any order."""
    return digest_of((table, row) for table, rows in state.items() for row in rows.values())


def digest_of(rows: Iterable[tuple[str, Row]]) -> int:
    """Of tables' rows: a sum, so that a row which is given twice counts twice."""
    return sum(_of_row(table, row) for table, row in rows)


def _apply(state: State, change: RowChange) -> tuple[int, int]:
    """Change the row; the digests of what it was and of what it is, 0 where it is not there."""
    rows, table = state[change.table], change.table
    match change:
        case Insert():
            row = tuple(change.values.get(column) for column in TABLES[table])
            rows[row[0]] = row
            return 0, _of_row(table, row)
        case Update():
            before = rows[change.id]
            pairs = zip(TABLES[table], before, strict=True)
            rows[change.id] = tuple(change.values.get(column, value) for column, value in pairs)
            return _of_row(table, before), _of_row(table, rows[change.id])
        case Delete():
            return _of_row(table, rows.pop(change.id)), 0
    assert_never(change)


def _of_row(table: str, row: Row) -> int:
    return int.from_bytes(hashlib.blake2b(repr((table, row)).encode(), digest_size=DIGEST_BYTES).digest(), "big")
