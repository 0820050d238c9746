"""Clocks of source and merge store that are hours off, and set back: valid times, as-of, audits and freshness hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema.model import Milestoning
from tests.conftest import FreshDatabase, binaries
from tests.server_folder import server_folder

FORENSIC, LIVE = Milestoning.FORENSIC, Milestoning.LIVE
AS_OF = "yellowforensic_Store1_t_merge_as_of"
TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' FROM generate_series(1, 5) n"
AHEAD, BACK, RIGHT, LITTLE = "+3h", "-3h", "+0", "-5"  # as libfaketime writes them
SPANS = """
    SELECT i.source_snapshot_time, o.source_snapshot_time FROM "yellowforensic_Store1_t_merge" m
    JOIN yellowforensic_batch_metrics i ON i.batch_id = m.ds_batch_in
    JOIN yellowforensic_batch_metrics o ON o.batch_id = m.ds_batch_out
"""
TIMES = "SELECT source_snapshot_time FROM yellowforensic_batch_metrics ORDER BY batch_id"


class OddServer:
    """A server whose clock can be set."""

    def __init__(self, server: EmbeddedPostgres, clock: Path) -> None:
        self.server, self._clock, self._made = server, clock, 0

    def set(self, offset: str) -> None:
        self._clock.write_text(offset + "\n")

    def database(self, label: str) -> FreshDatabase:
        self._made += 1
        name = f"{label}_{self._made}"
        self.server.create_role(name, "word")
        self.server.create_database(name, name)
        return FreshDatabase(self.server, name, name, "word")


@pytest.fixture(scope="module")
def started() -> Iterator[OddServer]:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        pytest.skip("there is no libfaketime on this machine (the package faketime)")
    with server_folder() as folder:
        clock = folder / "clock"
        clock.write_text(RIGHT + "\n")
        environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }
        options = {"fsync": "off", "autovacuum": "off"}
        server = EmbeddedPostgres(folder / "odd", options=options, binaries=binaries(), environment=environment)
        with server:
            yield OddServer(server, clock)


@pytest.fixture
def odd(started) -> OddServer:
    started.set(RIGHT)
    return started


@pytest.fixture
def case(merging):
    return merging(TABLE)


def of_odd_source(case, odd):
    case.source = odd.database("source")
    case.execute(TABLE)
    return case


def of_odd_store(case, odd):
    case.target = odd.database("store")
    return case


def clock(case) -> datetime:
    return case.query("SELECT clock_timestamp()")[0][0]


def now_is_newest(case) -> bool:
    """Ask in the first statement of a transaction and in a later one, for now and for times after it."""
    truth = sorted(case.query("SELECT * FROM t", on=case.source))
    with closing(case.target.connect()) as connection, connection.cursor() as cursor:
        for at in ("now()", "now()", "clock_timestamp()", "now() + interval '4 hours'", "'infinity'"):
            cursor.execute(f'SELECT * FROM "{AS_OF}"(({at})::timestamptz)')
            if sorted(cursor.fetchall()) != truth:
                return False
    return True


@pytest.mark.parametrize(
    "offsets",
    [(RIGHT, LITTLE, LITTLE), (AHEAD, RIGHT, AHEAD), (BACK, RIGHT, BACK), (RIGHT, BACK, BACK)],
    ids=["a little back", "ahead and right again", "behind and right again", "back and not right again"],
)
def test_a_source_whose_clock_is_off_gives_valid_times_in_order_and_none_in_the_future(case, odd, offsets):
    of_odd_source(case, odd)
    for number, offset in enumerate(offsets):
        odd.set(offset)
        before = clock(case)
        case.execute(f"UPDATE t SET word = 'w{number}' WHERE id <= 2")
        case.run(FORENSIC)
        assert now_is_newest(case)
        *earlier, (valid_from,) = case.query(TIMES)
        assert valid_from <= clock(case)
        assert earlier == sorted(earlier)
        assert not earlier or earlier[-1][0] <= valid_from
        if number and offset == BACK:  # nor does valid time stand still until such a clock has come so far
            assert valid_from >= before
    assert all(start <= end for start, end in case.query(SPANS))


def test_a_clock_of_the_merge_store_that_was_ahead_keeps_the_order_and_now_is_the_newest_batch(case, odd):
    of_odd_store(case, odd)
    odd.set(AHEAD)
    case.run(FORENSIC)
    for offset, word in ((RIGHT, "a"), (RIGHT, "b"), (BACK, "c"), (RIGHT, "d")):
        odd.set(offset)
        case.execute(f"UPDATE t SET word = '{word}' WHERE id = 1; DELETE FROM t WHERE id = (SELECT max(id) FROM t)")
        case.run(FORENSIC)
        assert now_is_newest(case)
    times = case.query(TIMES)
    assert times == sorted(times)
    assert all(start <= end for start, end in case.query(SPANS))


def test_an_installation_whose_last_valid_time_lies_in_the_future_goes_on(case):
    case.run(FORENSIC)
    case.execute("UPDATE t SET word = 'second' WHERE id = 1")
    case.run(FORENSIC)
    case.execute(
        "UPDATE yellowforensic_batch_metrics SET source_snapshot_time = source_snapshot_time + interval '3 hours'",
        case.target,
    )
    then = clock(case)
    assert now_is_newest(case)
    case.execute("UPDATE t SET word = 'third' WHERE id = 1")
    case.run(FORENSIC)
    assert now_is_newest(case)
    assert all(start <= end for start, end in case.query(SPANS))
    assert case.query(f"SELECT word FROM \"{AS_OF}\"('{then}'::timestamptz) WHERE id = 1") == [("second",)]


def test_now_stays_the_same_batch_within_a_transaction(case):
    case.run(FORENSIC)
    with closing(case.target.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        case.execute("UPDATE t SET word = 'later' WHERE id = 1")
        case.run(FORENSIC)
        cursor.execute(f'SELECT word FROM "{AS_OF}"(now()) WHERE id = 1')
        assert cursor.fetchall() == [("w",)]


def test_an_audit_that_lies_ahead_of_the_clock_does_not_put_off_the_next(case, odd):
    of_odd_store(case, odd)
    odd.set("+40h")
    case.run(LIVE)
    odd.set(RIGHT)
    assert case.run(LIVE).datasets["t"].reason.startswith("an audit")
    assert case.run(LIVE).datasets["t"].strategy == "version_diff"


def test_audits_are_not_counted_by_the_clock_of_the_source(case, odd):
    of_odd_source(case, odd)
    case.run(LIVE)
    for offset in ("+40h", "-40h", RIGHT):
        odd.set(offset)
        assert case.run(LIVE).datasets["t"].strategy == "version_diff"


def test_source_and_merge_store_an_hour_apart_are_a_warning(case, odd, caplog):
    of_odd_source(case, odd)
    odd.set(AHEAD)
    result = case.run(LIVE)
    assert "the source's clock says" in caplog.text
    assert datetime.fromisoformat(result.source_snapshot_time) < clock(case) + timedelta(minutes=1)
