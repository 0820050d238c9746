"""How many entries of the servers' tables of locks a batch takes for each of its datasets."""

from __future__ import annotations

import pytest

from config_schema.model import Milestoning
from merge_jobs.sources.postgres import PostgresSource
from merge_jobs.store import MergeStore
from merge_jobs.strategies.choosing import Wanted

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
DATASETS = 10
HELD = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND NOT fastpath"
KINDS = "SELECT mode, locktype, coalesce(relation::regclass::text, classid::regclass::text) FROM pg_locks WHERE pid = pg_backend_pid() AND NOT fastpath ORDER BY 3"


@pytest.fixture
def most_held(monkeypatch):
    """The most locks that the job's sessions held at the end of a transaction, on each side."""
    most = {"store": 0, "source": 0}

    def note(side, session):
        with session.cursor() as cursor:
            cursor.execute(HELD)
            n = cursor.fetchone()[0]
            if n > most[side]:
                most[side] = n
                cursor.execute(KINDS)
                most[side + "_kinds"] = cursor.fetchall()

    commit, close = MergeStore.commit, PostgresSource.close

    def counted_commit(store):
        if store.session.info.transaction_status == 2:
            note("store", store.session)
        commit(store)

    def counted_close(source):
        if source._session.info.transaction_status == 2:
            note("source", source._session)
        close(source)

    monkeypatch.setattr(MergeStore, "commit", counted_commit)
    monkeypatch.setattr(PostgresSource, "close", counted_close)
    return most


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("strategy", [Wanted.FULL, Wanted.VERSION_DIFF, Wanted.KEY_HASH_DIFF])
def test_locks(merging, most_held, strategy, kind):
    tables = [f"CREATE TABLE t{n} (id text PRIMARY KEY, word text); INSERT INTO t{n} VALUES ('a', 'b'), ('c', 'd')" for n in range(DATASETS)]
    case = merging("; ".join(tables))
    case.run(kind, strategy=strategy)
    print("initial", {k: most_held.get(k) for k in ("store", "source")})
    if strategy is Wanted.FULL:
        print([k for k in most_held["store_kinds"] if "t0" in str(k) or "temp" in str(k)], [k for k in most_held["source_kinds"] if "t0" in str(k)])
    most_held["store"] = most_held["source"] = 0
    case.run(kind, strategy=strategy)
    print("nothing", {k: most_held.get(k) for k in ("store", "source")})
    case.execute("; ".join(f"UPDATE t{n} SET word = 'x' WHERE id = 'a'; DELETE FROM t{n} WHERE id = 'c'" for n in range(DATASETS)))
    most_held["store"] = most_held["source"] = 0
    case.run(kind, strategy=strategy)
    print(strategy, kind, {k: most_held.get(k) for k in ("store", "source")})
    print([k for k in most_held["store_kinds"] if "t0" in str(k) or "temp" in str(k)])
    print(len(most_held["store_kinds"]), [k for k in most_held["store_kinds"] if "t" not in str(k[2])][:12])
