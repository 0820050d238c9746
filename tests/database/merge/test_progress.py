"""A long copy tells how far it is; a short one does not."""

from __future__ import annotations

import re

import pytest

from config_schema.model import Column, Dataset, Milestoning
from merge_jobs import progress

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
    case.merge(Milestoning.LIVE)
    told = [int(found[1]) for found in map(LINE.search, caplog.messages) if found]
    assert told
    assert told == sorted(told)
    assert told[-1] < 20000


def test_a_part_is_told_where_the_source_knows_about_how_many_rows_it_has(case, monkeypatch, caplog):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr("merge_jobs.sources.postgres.PostgresSource.estimated_rows", lambda *_: 40000)
    case.merge(Milestoning.LIVE)
    parts = [int(found[1]) for found in (re.search(r"\((\d+) % of about 40000\)", m) for m in caplog.messages) if found]
    assert parts
    assert max(parts) <= 50


def test_a_short_copy_tells_nothing_of_the_kind(case, caplog):
    case.merge(Milestoning.LIVE)
    assert not any(map(LINE.search, caplog.messages))


def test_estimates_are_those_of_all_partitions(case):
    from merge_jobs.database import place_of
    from merge_jobs.sources.postgres import PostgresSource

    place = place_of(case.ecosystem.datastore("Store1").source, None, case.secrets)
    with PostgresSource(place, "test") as source:
        estimates = {name: source.estimated_rows(Dataset(name, (), ())) for name in ("t", "part", "v")}
    assert estimates == {"t": 20000, "part": 150, "v": None}
