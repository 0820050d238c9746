"""Makes changes one after another, each in its own transaction, also after lost connections, until it is stopped."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from threading import Event
from time import sleep
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from config_schema.errors import StreamFactoryError
from merge_jobs.database_errors import database_failed
from merge_jobs.errors import ConnectFailed
from merge_jobs.simulator.change import ChangeKind, CustomerChange, FreeIds, Insert, next_change
from merge_jobs.simulator.producer import (
    RowsMoved,
    apply,
    begin_change,
    household_at,
    last_numbers,
    transaction_status,
)

log = logging.getLogger(__name__)

WHERE = "the producer"
FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0  # seconds between attempts to connect
MOST_COLLISIONS = 20  # in a row
READ_ONLY = "25006"
OTHER_TABLES = ("42P01", "42703", "42804")  # no such table, no such column, another type

Connect = Callable[[], Connection]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pause:
    """Seconds between two changes, uniformly distributed."""

    shortest: float = 0.0
    longest: float = 0.0


@dataclass
class Summary:
    """What a run has done so far."""

    seed: int
    counts: Counter[ChangeKind] = field(default_factory=Counter)
    reconnects: int = 0

    @property
    def changes(self) -> int:
        """The number of changes."""
        return self.counts.total()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data: the number of changes, in all and of each kind."""
        kinds = {kind.value: self.counts[kind] for kind in ChangeKind}
        return {"changes": self.changes, **kinds, "reconnects": self.reconnects, "seed": self.seed}

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind.value} {self.counts[kind]}" for kind in ChangeKind)
        return f"{self.changes} change{'' if self.changes == 1 else 's'}: {kinds} (seed {self.seed})"


def run_changes(
    connect: Connect,
    seed: int,
    max_changes: int | None = None,
    pause: Pause | None = None,
    stop: Event | None = None,
    on_change: Callable[[CustomerChange], None] | None = None,
    say: Say = log.warning,
) -> Summary:
    """Make changes until there are `max_changes` or `stop` is set; call `on_change` for each committed one.

    Only the seed and the data at the start decide on the changes. Raises StreamFactoryError if the first connection
    fails, or if the tables are not the producer's; a connection that is lost later is opened again, however long
    that takes.
    """
    stop, pause = stop or Event(), pause or Pause()
    pauses = Random()  # not the seeded one: the pace must not decide on the changes
    simulator = Simulator(connect, seed, stop, say)
    summary = Summary(seed)
    try:
        while summary.changes != max_changes and (change := simulator.change()):
            summary.counts[change.kind] += 1
            if on_change is not None:
                on_change(change)
            if summary.changes != max_changes:
                stop.wait(pauses.uniform(pause.shortest, pause.longest))
    finally:
        simulator.close()
    summary.reconnects = simulator.reconnects
    return summary


class Simulator:
    """Holds the connection, the state of the random generator, and the last ids given out."""

    def __init__(self, connect: Connect, seed: int, stop: Event, say: Say = log.warning) -> None:
        self.reconnects = 0
        self._connect, self._stop, self._say = connect, stop, say
        self._random = Random(seed)
        self._numbers = (0, 0)  # kept, so that the id of a deleted row is not given out again
        self._numbers_known = False
        self._committing: tuple[int, CustomerChange] | None = None
        self._connection = connect()

    def change(self) -> CustomerChange | None:
        """Commit the next change and return it; None if stopped before. Raises StreamFactoryError."""
        collisions = 0
        while not self._stop.is_set():
            drawn = self._random.getstate()
            try:
                return self._attempt()
            except (RowsMoved, psycopg2.IntegrityError) as error:
                # Somebody else changes the tables too. The next draw is another one.
                self._roll_back()
                self._numbers_known = False
                collisions += 1
                if collisions == MOST_COLLISIONS:
                    raise TooManyCollisions(MOST_COLLISIONS) from error
            except psycopg2.Error as error:
                if self._connection.closed:
                    if committed := self._reconnect():
                        return committed
                else:
                    self._roll_back()
                    self._wait_or_raise(error)
                self._random.setstate(drawn)
        return None

    def close(self) -> None:
        """Roll back what is not committed, and disconnect."""
        self._connection.close()

    def _attempt(self) -> CustomerChange:
        self._committing = None
        with self._connection.cursor() as cursor:
            transaction = begin_change(cursor)
            household = household_at(cursor, self._random.random())
            change = next_change(self._random, household, self._free_ids(cursor))
            apply(cursor, change)
        self._committing = (transaction, change)
        self._connection.commit()
        self._count_ids(change)
        return change

    def _free_ids(self, cursor: Cursor) -> FreeIds:
        if not self._numbers_known:
            customer, address = last_numbers(cursor)
            self._numbers = (max(customer, self._numbers[0]), max(address, self._numbers[1]))
            self._numbers_known = True
        return FreeIds(f"CUST{self._numbers[0] + 1:03d}", f"ADDR{self._numbers[1] + 1:03d}")

    def _count_ids(self, change: CustomerChange) -> None:
        used = {row.table for row in change.rows if isinstance(row, Insert)}
        self._numbers = (self._numbers[0] + ("customers" in used), self._numbers[1] + ("addresses" in used))

    def _roll_back(self) -> None:
        with suppress(psycopg2.Error):  # a lost connection is met by the next attempt
            self._connection.rollback()

    def _wait_or_raise(self, error: psycopg2.Error) -> None:
        failure = database_failed(error, WHERE)
        if failure.sqlstate in OTHER_TABLES:
            failure.todo = "Run it with --create-tables, in a database without other tables of these names"
        if not failure.retryable or failure.sqlstate == READ_ONLY:
            raise failure from error
        self._stop.wait(FIRST_DELAY)

    def _reconnect(self) -> CustomerChange | None:
        """Connect again, however long it takes; return the lost change if its COMMIT had arrived."""
        self._say("The connection to the producer was lost; trying again until it is back")
        delay = FIRST_DELAY
        while not self._stop.wait(delay):
            delay = min(2 * delay, LONGEST_DELAY)
            try:
                self._connection = self._connect()
                committed = self._committed_after_all()
            except (ConnectFailed, psycopg2.Error):
                continue
            self.reconnects += 1
            self._say("Connected to the producer again")
            return committed
        return None

    def _committed_after_all(self) -> CustomerChange | None:
        if self._committing is None:
            return None
        transaction, change = self._committing
        try:
            with self._connection.cursor() as cursor:
                # The lost session may still be at its COMMIT.
                while (status := transaction_status(cursor, transaction)) == "in progress":
                    sleep(FIRST_DELAY)
        except psycopg2.errors.InvalidParameterValue:
            status = "forgotten"  # the server crashed before it had written anything of that transaction
        self._connection.rollback()
        if status != "committed":
            return None
        self._count_ids(change)
        return change


class TooManyCollisions(StreamFactoryError):
    """The simulator's changes keep failing: the tables are not its own, or others change the same rows.

    Let --create-tables make the tables in an empty database, or run fewer simulators.
    """

    code = "DF5401"

    def __init__(self, changes: int) -> None:
        self.changes = changes
        what = f"{changes} changes in a row broke a constraint or met rows that others had changed"
        todo = "Let --create-tables make the tables in an empty database, or run fewer simulators"
        super().__init__(WHERE, what, todo)
