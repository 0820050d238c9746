"""The servers' tables of locks: a batch takes few entries for a dataset, and knows beforehand if they are too many."""

from __future__ import annotations

import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema.model import Milestoning
from merge_jobs.errors import DatabaseFailed
from merge_jobs.process.progress import Phase
from merge_jobs.run import ingest
from merge_jobs.sources.postgres.source import PostgresSource
from merge_jobs.stores.postgres.locks import TooManyLocks
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.strategies.selection import StrategyOption
from tests.conftest import FreshDatabase, binaries
from tests.database.conftest import Merging
from tests.server_folder import server_folder

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
TABLE = "CREATE TABLE t{0} (id text PRIMARY KEY, word text); INSERT INTO t{0} VALUES ('a', 'b'), ('c', 'd')"
# Those of the fast path too: whether a lock may go there depends on what other sessions of the server do meanwhile.
HELD = """SELECT count(DISTINCT (locktype, relation, classid, objid)::text) FROM pg_locks
          WHERE pid = pg_backend_pid()"""
INDEXES = """SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
             WHERE l.pid = pg_backend_pid() AND c.relkind = 'i' AND c.oid >= 16384"""


def tables(number, statement=TABLE):
    return "; ".join(statement.format(n) for n in range(number))


@pytest.fixture
def held(monkeypatch):
    """How many locks the session on the merge store held at the end of each transaction, and the phase then."""
    seen = []

    def counting(commit):
        def counted(store):
            with store.session.cursor() as cursor:
                cursor.execute(HELD)
                seen.append((store.progress.now.phase, cursor.fetchone()[0]))
            commit(store)

        return counted

    for name in ("commit", "commit_with_next"):
        monkeypatch.setattr(MergeStore, name, counting(getattr(MergeStore, name)))
    return seen


@pytest.mark.parametrize("strategy", [StrategyOption.VERSION_DIFF, StrategyOption.KEY_HASH_DIFF])
def test_a_dataset_without_changes_takes_one_lock_where_the_others_are_merged(merging, held, strategy):
    merged = {}
    for number in (6, 18):
        case = merging(tables(number))
        case.run(LIVE, strategy=strategy)
        held.clear()
        case.run(LIVE, strategy=strategy)
        # After the transaction that merges, one may drop what was staged.
        merged[number] = next(locks for phase, locks in held if phase is Phase.COMMITTING)
    assert merged[18] - merged[6] <= 18 - 6


def test_what_is_staged_is_committed_after_some_datasets(merging, held, monkeypatch):
    monkeypatch.setattr(ingest, "AT_ONCE", 4)
    case = merging(tables(12))
    case.run(LIVE)
    case.execute(tables(12, "UPDATE t{0} SET word = 'x' WHERE id = 'a'"))
    held.clear()
    assert case.run(LIVE).total.updated == 12
    staged = [locks for phase, locks in held if phase is not Phase.COMMITTING]
    assert len(staged) >= 3
    assert max(staged) < 7 * 18, "not 12 x 18"


def test_the_locks_on_indexes_of_the_source_are_given_back(merging, monkeypatch):
    case = merging(tables(3))
    seen = []
    close = PostgresSource.close

    def counted(source):
        seen.append(source.rows("guard.server_is_readable") and _indexes(source))
        close(source)

    monkeypatch.setattr(PostgresSource, "close", counted)
    case.merge(LIVE)
    case.execute("UPDATE t1 SET word = 'x'")
    case.merge(LIVE, strategy=StrategyOption.FULL)
    assert seen == [0] * len(seen)


def _indexes(source):
    with source._session.cursor() as cursor:
        cursor.execute(INDEXES)
        return cursor.fetchone()[0]


@pytest.fixture(scope="module")
def small_server():
    """A server with room for 300 locks."""
    with server_folder() as directory:
        options = {
            "fsync": "off",
            "max_connections": "30",
            "max_locks_per_transaction": "10",
            "max_wal_senders": "0",
            "max_worker_processes": "0",
            "autovacuum_max_workers": "1",
        }
        with EmbeddedPostgres(directory / "server", options=options, binaries=binaries()) as server:
            server.create_role("owner", "secret")
            yield server


@pytest.fixture
def on_small_server(small_server, request):
    def make(ddl, step=20):
        places = []
        for label in ("source", "store"):
            name = f"{label}_{abs(hash(request.node.name)) % 10**9}"
            small_server.create_database(name, "owner")
            places.append(FreshDatabase(small_server, name, "owner", "secret"))
        case = Merging(*places)
        for start in range(0, len(ddl), step):
            case.execute("; ".join(ddl[start : start + step]))
        case.describe()
        return case

    return make


@pytest.mark.parametrize("kind", Milestoning)
def test_a_first_load_that_the_merge_store_has_no_room_for_is_refused_before_it_reads(on_small_server, kind):
    case = on_small_server([TABLE.format(n) for n in range(120)])
    with pytest.raises(TooManyLocks) as caught:
        case.run(kind)
    error = caught.value
    assert (error.slots, error.per_transaction, error.retryable) == (300, 10, False)
    assert error.needed > error.slots
    assert error.advised * error.slots >= 2 * error.needed * error.per_transaction
    assert "120 datasets that are loaded in one transaction take about" in error.what
    assert "or split the datastore: single_dataset" in error.todo


def test_a_table_of_more_partitions_than_the_source_has_room_for_is_refused(on_small_server):
    parts = [f"CREATE TABLE p{n} PARTITION OF t FOR VALUES IN ({n})" for n in range(450)]
    case = on_small_server(["CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id)", *parts])
    with pytest.raises(TooManyLocks, match="1 datasets with 451 tables and partitions") as caught:
        case.run(LIVE)
    assert caught.value.where.startswith("source ")


def test_a_full_table_of_locks_says_what_to_raise_and_is_not_tried_again(on_small_server, monkeypatch):
    """Where other sessions have taken the room: the server's hint names the setting."""
    case = on_small_server([TABLE.format(n) for n in range(110)])
    monkeypatch.setattr(ingest, "check_first_loads", lambda *_: None)
    monkeypatch.setattr(ingest, "checking_source", lambda *_: iter(()))
    with pytest.raises(DatabaseFailed) as caught:
        case.run(FORENSIC)
    assert caught.value.sqlstate == "53200"
    assert not caught.value.retryable
    assert "raise max_locks_per_transaction on that server" in str(caught.value)
