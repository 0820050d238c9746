"""Maps and staging tables are disposable: a batch without them reads all rows, and operators' tools say so."""

from __future__ import annotations

import contextlib
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from config_schema.model import Milestoning
from merge_jobs.admin.repair import repair_tables
from merge_jobs.admin.status import platform_status
from merge_jobs.errors import DatabaseFailed, MapWrong
from merge_jobs.run import ingest
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables

LIVE = Milestoning.LIVE
ROWS = """CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 300) n;
          CREATE VIEW v AS SELECT * FROM t"""
STRATEGIES = {"t": "version_diff", "v": "key_hash_diff"}


@pytest.fixture(params=STRATEGIES)
def case(request, merging):
    made = merging(ROWS)
    made.datasets = (replace(made.datasets[0], name=request.param),)
    made.strategy = STRATEGIES[request.param]
    made.run(LIVE)
    assert only(made.run(LIVE)).strategy == made.strategy
    return made


def only(result):
    (of,) = result.datasets.values()
    return of


def on_tables(case, do):
    job = case.job(LIVE)
    with MergeStore(job.store, job.stream, "test") as store:
        do(DatasetTables(store, job.stream.datasets[0]))
        store.commit()


def test_a_map_that_was_dropped_makes_the_batch_full(case):
    on_tables(case, lambda of: case.execute(f'DROP TABLE "{of.map_name}"', case.target))
    case.execute("UPDATE t SET v = 'new' WHERE id = 1; DELETE FROM t WHERE id = 2")
    done = only(case.run(LIVE))
    assert (done.strategy, done.reason) == ("full", "the map of its rows is gone")
    assert (done.counts.updated, done.counts.deleted) == (1, 1)
    assert only(case.merge(LIVE)).strategy == case.strategy


@pytest.mark.parametrize("left", ["", "WHERE id > 2", "WHERE false"])
def test_a_map_that_was_emptied_is_not_believed(case, left):
    """As after a restore of a dump that has the tables of maps without their rows."""
    on_tables(case, lambda of: case.execute(f'TRUNCATE "{of.map_name}"', case.target))
    case.execute(f"CREATE TABLE rest AS SELECT * FROM t {left}; TRUNCATE t; INSERT INTO t SELECT * FROM rest")
    with contextlib.suppress(MapWrong):  # retryable: a retry is enough
        case.run(LIVE, max_delete_fraction=1.0)
    case.run(LIVE, max_delete_fraction=1.0)
    (of,) = case.datasets
    assert case.open_rows(LIVE, of) == case.source_rows(of)
    assert only(case.merge(LIVE)).strategy in ("full", case.strategy)


@pytest.mark.parametrize("name", ["staging_name", "staged_map_name", "map_name"])
def test_a_batch_left_ingested_is_begun_anew_without_what_it_left(case, monkeypatch, name):
    case.execute("UPDATE t SET v = 'new' WHERE id = 1; DELETE FROM t WHERE id = 2")
    monkeypatch.setattr("merge_jobs.run.job.merge_datasets", interrupted)
    with pytest.raises(KeyboardInterrupt):
        case.run(LIVE, "first")
    monkeypatch.undo()
    on_tables(case, lambda of: case.execute(f'DROP TABLE "{getattr(of, name)}"', case.target))
    done = only(case.run(LIVE, "second"))
    assert (done.counts.updated, done.counts.deleted) == (1, 1)
    assert only(case.merge(LIVE)).strategy == case.strategy


def interrupted(*_):
    raise KeyboardInterrupt


def test_operators_see_that_a_map_is_gone(case):
    (of,) = case.datasets
    job = case.job(LIVE)

    def lost():
        (stream,) = platform_status(job.store, "YellowLive", ("Store1",)).streams
        return stream.lost_maps

    assert lost() == ()
    on_tables(case, lambda of: case.execute(f'DROP TABLE "{of.map_name}"', case.target))
    assert lost() == (of.name,)
    for dry_run in (True, False):
        (kept,) = repair_tables(job.store, case.ecosystem, "YellowLive", ["Store1"], dry_run=dry_run)
        assert (kept.lost_maps, kept.repaired) == ((of.name,), ())
    assert lost() == (), "a map that is forgotten is missed no more"
    (kept,) = repair_tables(job.store, case.ecosystem, "YellowLive", ["Store1"])
    assert kept.lost_maps == ()
    done = only(case.run(LIVE))
    assert (done.strategy, done.reason) == ("full", "there is no map of its rows")


def test_a_map_that_is_dropped_while_a_batch_runs_fails_it_so_that_a_retry_helps(case, monkeypatch):
    case.execute("UPDATE t SET v = 'new' WHERE id = 1")
    stage = ingest._staged

    def after_a_drop(ingesting, some):
        ((reading, _),) = some
        with closing(psycopg2.connect(case.target.dsn)) as other, other, other.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
            cursor.execute(f'DROP TABLE "{reading.tables.map_name}"')
        return stage(ingesting, some)

    monkeypatch.setattr(ingest, "_staged", after_a_drop)
    with pytest.raises(DatabaseFailed, match="A table was dropped while the batch ran") as caught:
        case.run(LIVE)
    assert caught.value.retryable
    monkeypatch.undo()
    assert only(case.run(LIVE)).counts.updated == 1
