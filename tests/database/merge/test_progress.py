"""A long copy tells how far it is; a short one does not."""

from __future__ import annotations

import re
import threading

import psycopg2
import pytest

from config_schema.model import Column, Dataset, Milestoning
from merge_jobs.stores.postgres import progress
from merge_jobs.strategies import row_hashes, version_diff
from merge_jobs.strategies.selection import StrategyOption

# A view that takes a second to read; its rows are only known where ANALYZE has counted them.
SLOW = """
CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 20000) n; ANALYZE t;
CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE sql VOLATILE AS
    'SELECT CASE WHEN n % 1000 = 0 THEN (SELECT n FROM pg_sleep(0.05)) ELSE n END';
CREATE VIEW v AS SELECT slowly(id) AS id FROM t;
CREATE TABLE part (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (100) TO (200);
INSERT INTO part SELECT n FROM generate_series(1, 150) n; ANALYZE part
"""
LINE = re.compile(r"YellowLive Store1 v: (\d+) rows in \d+ s, \d+ rows/s")


@pytest.fixture
def case(merging):
    made = merging(SLOW)
    made.datasets = (Dataset("v", (Column("id", "integer"),), ("id",)),)
    return made


def test_a_copy_that_takes_long_tells_its_rows(case, caplog, monkeypatch):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr(progress, "WRITE_SECONDS", 0.1)
    case.merge(Milestoning.LIVE)
    reported = [int(found[1]) for found in map(LINE.search, caplog.messages) if found]
    assert reported
    assert reported == sorted(reported)
    assert reported[-1] < 20000


def test_a_part_is_reported_where_the_source_knows_about_how_many_rows_it_has(case, monkeypatch, caplog):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr(progress, "WRITE_SECONDS", 0.1)
    monkeypatch.setattr("merge_jobs.sources.postgres.source.PostgresSource.estimated_rows", lambda *_: 40000)
    case.merge(Milestoning.LIVE)
    parts = [int(found[1]) for found in (re.search(r"\((\d+) % of about 40000\)", m) for m in caplog.messages) if found]
    assert parts
    assert max(parts) <= 50


def test_a_short_copy_tells_nothing_of_the_kind(case, caplog):
    case.merge(Milestoning.LIVE)
    assert not any(map(LINE.search, caplog.messages))


def test_estimates_are_those_of_all_partitions(case):
    from merge_jobs.database.connections import place_of
    from merge_jobs.sources.postgres.source import PostgresSource

    place = place_of(case.ecosystem.datastore("Store1").source, None, case.secrets)
    with PostgresSource(place, "test") as source:
        estimates = {name: source.estimated_rows(Dataset(name, (), ())) for name in ("t", "part", "v")}
    assert estimates == {"t": 20000, "part": 150, "v": None}


def parts_reported(caplog, kind: str) -> list[int]:
    """The percentages that the log says about a kind of work."""
    line = re.compile(rf"^YellowLive Store1 t: \d+ of \d+ {kind} \((\d+) %\) in \d+ s$")
    return [int(found[1]) for found in map(line.match, caplog.messages) if found]


@pytest.fixture
def in_pieces(merging, monkeypatch):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0)
    monkeypatch.setattr(version_diff, "BLOCKS_AT_ONCE", 2)
    monkeypatch.setattr(version_diff, "VERSIONS_AT_ONCE", 20)
    monkeypatch.setattr(row_hashes, "HASHES_AT_ONCE", 20)
    return merging("CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT generate_series(1, 2000)")


def test_version_diff_tells_its_part_of_blocks_and_rows(in_pieces, caplog):
    in_pieces.run(Milestoning.LIVE)
    in_pieces.execute("UPDATE t SET word = 'new' WHERE id <= 100")
    in_pieces.run(Milestoning.LIVE)
    for kind in ("blocks mapped", "blocks compared", "blocks gone through", "new rows"):
        parts = parts_reported(caplog, kind)
        assert len(parts) > 2, kind
        assert parts == sorted(parts), kind
        assert parts[-1] == 100, kind


def test_key_hash_diff_tells_its_part_of_the_rows(in_pieces, caplog):
    in_pieces.run(Milestoning.LIVE, strategy=StrategyOption.KEY_HASH_DIFF)
    in_pieces.execute("UPDATE t SET word = 'new' WHERE id <= 100")
    in_pieces.run(Milestoning.LIVE, strategy=StrategyOption.KEY_HASH_DIFF)
    parts = parts_reported(caplog, "new rows")
    assert len(parts) > 2
    assert parts[-1] == 100


def test_hashing_all_rows_tells_how_many(case, caplog, monkeypatch):
    case.run(Milestoning.LIVE)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr(progress, "WRITE_SECONDS", 0.1)
    caplog.clear()
    assert case.run(Milestoning.LIVE).datasets["v"].strategy == "key_hash_diff"
    assert any(re.search(r"v: \d+ rows hashed in \d+ s", line) for line in caplog.messages)


def test_a_session_that_hangs_holds_no_batch_up(case, monkeypatch):
    release, hanging = threading.Event(), []

    def hang(*_):
        hanging.append(True)
        release.wait(60)
        hanging.pop()
        raise psycopg2.OperationalError

    monkeypatch.setattr(progress, "WRITE_SECONDS", 0)
    monkeypatch.setattr(progress, "connect", hang)
    case.run(Milestoning.LIVE)
    assert hanging
    release.set()
