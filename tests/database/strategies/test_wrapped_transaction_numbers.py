"""Transactions' numbers that have wrapped: rows carry 32 bits of them, and a row map keeps 64.

Driven on a server of its own: everything is frozen, the server is stopped, pg_resetwal sets the next number close to
the end of the 32 bits (with the segment of pg_xact that it falls into, and an epoch where that is needed), and it goes
on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema.model import Milestoning
from tests.conftest import FreshDatabase, binaries
from tests.server_folder import server_folder

TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' || n FROM generate_series(1, 300) n"
)
WRAP = 1 << 32
PER_SEGMENT = 1 << 20  # transactions in a file of pg_xact
NEXT = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


@pytest.fixture
def source() -> Iterator[EmbeddedPostgres]:
    with server_folder() as folder:
        options = {"autovacuum": "off", "fsync": "off"}
        with EmbeddedPostgres(folder / "source", options=options, binaries=binaries()) as server:
            yield server


@pytest.fixture
def case(merging, source):
    source.create_role("producer", "word")
    source.create_database("shop", "producer")
    made = merging("SELECT")
    made.source = FreshDatabase(source, "shop", "producer", "word")
    made.execute(TABLE)
    made.describe()
    return made


def go_on_from(server: EmbeddedPostgres, number: int) -> None:
    """Stop the server, and start it with the transaction of this number, of 64 bits, to come next."""
    for database in ("postgres", "shop", "template1"):
        with closing(psycopg2.connect(server.dsn(database))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("VACUUM (FREEZE)")
    server.stop()
    data = server.directory / "data"
    epoch, lower = divmod(number, WRAP)
    segment = data / "pg_xact" / f"{lower // PER_SEGMENT:04X}"
    if not segment.exists():
        segment.write_bytes(bytes(PER_SEGMENT // 4))
        segment.chmod(0o600)
        server._own(segment)
    server._run("pg_resetwal", "-f", "-e", str(epoch), "-x", str(lower), "-u", str(lower), "-D", str(data))
    server.start()


@pytest.mark.parametrize("kind", Milestoning)
def test_batches_go_on_over_the_wrap(case, source, kind):
    case.merge(kind)
    go_on_from(source, WRAP - 8)
    case.execute("UPDATE t SET word = 'before' WHERE id < 5")
    assert case.merge(kind).datasets["t"].strategy == "full"
    before = case.query(NEXT, on=case.source)[0][0]
    assert WRAP - 8 < before < WRAP
    while case.query(NEXT, on=case.source)[0][0] <= WRAP + 3:
        case.execute(
            "UPDATE t SET word = word || '.' WHERE id = 7; DELETE FROM t WHERE id = 8; INSERT INTO t VALUES (8)"
        )
        assert case.merge(kind).datasets["t"].strategy == "version_diff"
    case.execute("UPDATE t SET word = 'after' WHERE id < 9")
    done = case.merge(kind).datasets["t"]
    assert (done.strategy, done.counts.updated) == ("version_diff", 8)


def test_a_map_keeps_the_number_that_the_transaction_had(case, source):
    case.merge(Milestoning.LIVE)
    go_on_from(source, 3 * WRAP + 1000)
    with closing(case.source.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (500, 'x') RETURNING pg_current_xact_id()::text::bigint")
        (number,) = cursor.fetchone()
    assert number > 3 * WRAP
    case.merge(Milestoning.LIVE)
    kept = case.query(
        """SELECT v.xid FROM "yellowlive_Store1_t_map" m CROSS JOIN LATERAL unnest(m.xids, m.key_1) v (xid, key)
           WHERE v.key = 500"""
    )
    assert kept == [(number,)]
