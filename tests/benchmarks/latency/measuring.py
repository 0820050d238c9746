"""What is measured of one variant: when a consumer saw each change, and when the platforms looked at the source."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from random import Random
from threading import Event

import psycopg2
from psycopg2 import sql

from airflow_plugin.demo.consumer import CONSUMER
from airflow_plugin.demo.rounds import PLATFORMS, STORE, DemoPlatform
from config_schema import names
from merge_jobs.simulator.run import Pause, run_changes
from tests.benchmarks.latency.stamps import NEWEST, Stamps
from tests.benchmarks.product.installation import MERGE_STORE, Installation

POLL_SECONDS = 0.1
LOOKS = """
    SELECT last_run_id, (last_result_json ->> 'source_snapshot_time')::timestamptz FROM {} WHERE key = %(key)s
"""


@dataclass
class Seen:
    """What one platform's consumer saw, and when the platform looked; times are of this machine's clock."""

    platform: DemoPlatform
    newest: list[tuple[float, int]] = field(default_factory=list)  # when a change was seen first, and its number
    looks: list[tuple[str, datetime]] = field(default_factory=list)  # the run, and when it took its snapshot

    def up_to(self) -> int:
        """The newest change that was seen; -1 if none."""
        return self.newest[-1][1] if self.newest else -1

    def latencies(self, made_at: list[float]) -> list[float]:
        """Seconds from each change until it, or a later one, was seen; of those that were seen."""
        seen = iter(self.newest)
        at, number = next(seen, (0.0, -1))
        found = []
        for change, made in enumerate(made_at):
            while number < change:
                after = next(seen, None)
                if after is None:
                    return found
                at, number = after
            found.append(at - made)
        return found

    def gaps(self) -> list[float]:
        """Seconds from the last snapshot of each run to the first one of the next."""
        return [(at - before).total_seconds() for (run, before), (after, at) in pairwise(self.looks) if run != after]


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]


def measured(
    made: Installation, seconds: float, mean_seconds: float, random: Random, longest: float
) -> tuple[list[float], list[Seen]]:
    """When changes were made, and what each platform's consumer saw of them; `longest` is waited for the last one."""
    stamps = Stamps(made.producer, random, mean_seconds)
    seen = [Seen(platform) for platform in PLATFORMS]
    changing, watching = Event(), Event()
    with ThreadPoolExecutor() as pool:
        changes = [pool.submit(stamps.run_until, changing), pool.submit(_simulate, made, random.random(), changing)]
        watches = [pool.submit(_watch_view, made, of, stamps.asked, watching) for of in seen]
        watches += [pool.submit(_watch_looks, made, of, watching) for of in seen]
        with _set_at_the_end(changing, watching):
            wait([*changes, *watches], seconds, return_when="FIRST_EXCEPTION")
            changing.set()
            wait(changes)
            give_up = time.monotonic() + longest
            while min(of.up_to() for of in seen) < len(stamps.at) - 1 and time.monotonic() < give_up:
                wait(watches, POLL_SECONDS, return_when="FIRST_EXCEPTION")
        for one in [*changes, *watches]:
            one.result()
    return stamps.at, seen


@contextmanager
def _set_at_the_end(*events: Event) -> Iterator[None]:
    try:
        yield
    finally:
        for event in events:
            event.set()


def _simulate(made: Installation, seed: float, stop: Event) -> None:
    run_changes(made.producer, int(seed * 10**6), pause=Pause(1, 5), stop=stop, say=lambda text: None)


def _watch_view(made: Installation, seen: Seen, asked: dict[str, str], stop: Event) -> None:
    query = sql.SQL(NEWEST).format(view=made.view(seen.platform, "customers"))

    def see(row: tuple[int | None, ...]) -> None:
        if row[0] is not None and row[0] > seen.up_to():
            seen.newest.append((time.time(), row[0]))

    _ask(made.databases.dsn(MERGE_STORE, CONSUMER), query, asked, see, stop)


def _watch_looks(made: Installation, seen: Seen, stop: Event) -> None:
    counter = sql.Identifier("public", names.batch_counter_table(seen.platform.name))

    def see(row: tuple[str, datetime]) -> None:
        if not seen.looks or row != seen.looks[-1]:
            seen.looks.append(row)

    _ask(made.databases.dsn(MERGE_STORE), sql.SQL(LOOKS).format(counter), {"key": STORE}, see, stop)


def _ask(dsn: str, query: sql.Composable, values: dict[str, str], see: Callable[..., None], stop: Event) -> None:
    """Run the query again and again in a session of its own; `see` gets its one row."""
    with closing(psycopg2.connect(dsn)) as session, session.cursor() as cursor:
        session.autocommit = True
        while not stop.wait(POLL_SECONDS):
            cursor.execute(query, values)
            for row in cursor.fetchall():
                see(row)
