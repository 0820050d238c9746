"""How often a batch waits for an answer of a server: producers and stores may stand in other zones and regions.

A relay counts on both connections. What logs a session in is counted apart: it depends on how a server asks for
passwords, and not on the batch.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.errors import DatabaseFailed
from merge_jobs.run.job import run
from tests.counting_relay import CountingRelay

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
# Messages of a batch, and of each dataset: at most so many.
NOTHING = {LIVE: (25, 0), FORENSIC: (25, 0)}
ONE_ROW_EACH = {LIVE: (31, 7), FORENSIC: (31, 8)}


@pytest.fixture
def relay(postgres):
    with closing(CountingRelay(postgres.port)) as made:
        yield made


def tables(number: int) -> str:
    return "".join(
        f"""CREATE TABLE t{one} (id int PRIMARY KEY, word text, at timestamptz);
            INSERT INTO t{one} SELECT n, 'word ' || n, '2026-01-01' FROM generate_series(1, 1000) n;"""
        for one in range(number)
    )


def run_through(relay, case, kind):
    """Run a batch through the relay; return its result, its queries and ends of COPY, and its logins.

    The thread that reports progress is left out: on a slow machine it has a session of its own.
    """
    job = case.job(kind)
    relay.trips.clear()
    result = run(replace(job, source=replace(job.source, port=relay.port), store=replace(job.store, port=relay.port)))
    trips = [trip for trip in relay.trips if trip.session != "merge-job progress"]
    messages = [trip for trip in trips if trip.kind in ("query", "end of COPY")]
    return result, messages, [trip for trip in trips if trip.kind == "start"]


@pytest.mark.parametrize("kind", [LIVE, FORENSIC])
@pytest.mark.parametrize("number", [1, 2, 20])
def test_a_batch_waits_for_few_answers_however_many_datasets_it_has(merging, relay, number, kind):
    def most(limits):
        of_batch, of_dataset = limits[kind]
        return of_batch + of_dataset * number

    case = merging(tables(number))
    case.run(kind)
    result, messages, logins = run_through(relay, case, kind)
    assert result.total == Counts(unchanged=1000 * number, total=1000 * number)
    assert (len(logins), [trip.text for trip in messages[most(NOTHING) :]]) == (2, [])

    case.execute("".join(f"UPDATE t{one} SET word = 'new' WHERE id = 7;" for one in range(number)))
    result, messages, logins = run_through(relay, case, kind)
    assert result.total == Counts(updated=number, unchanged=999 * number, total=1000 * number)
    assert (len(logins), [trip.text for trip in messages[most(ONE_ROW_EACH) :]]) == (2, [])
    assert all(case.open_rows(kind, dataset) == case.source_rows(dataset) for dataset in case.datasets)


def test_an_error_in_what_is_sent_for_all_datasets_names_its_dataset(merging):
    case = merging(tables(3))
    case.run(LIVE)
    change = "".join(f"UPDATE t{one} SET word = 'new' WHERE id = 7;" for one in range(3))
    case.execute(change)
    case.execute('ALTER TABLE "yellowlive_Store1_t1_map" RENAME COLUMN key_1 TO other', case.target)
    with pytest.raises(DatabaseFailed, match="key_1 does not exist") as caught:
        case.run(LIVE)
    assert caught.value.where.endswith(": dataset t1")
    case.execute('ALTER TABLE "yellowlive_Store1_t1_map" RENAME COLUMN other TO key_1', case.target)
    assert case.run(LIVE).total.updated == 3
