"""A producer's user may have fewer rights than everyone has: what is read then, and by which strategy."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from config_schema.model import Milestoning

TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' FROM generate_series(1, 20) n"


@pytest.fixture
def revoked(merging):
    """A case on whose producer nobody may ask for the server's identity; given back at the end."""
    case = merging(TABLE)
    with closing(psycopg2.connect(case.source.superuser_dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public")
        yield case
        cursor.execute("GRANT EXECUTE ON FUNCTION pg_control_system() TO public")


@pytest.mark.parametrize("kind", Milestoning)
def test_a_server_that_does_not_tell_of_itself_is_read_by_hashes(revoked, kind):
    revoked.merge(kind)
    revoked.execute("UPDATE t SET word = 'new' WHERE id = 7; DELETE FROM t WHERE id = 8; INSERT INTO t VALUES (21, '')")
    done = revoked.merge(kind).datasets["t"]
    assert (done.strategy, done.reason) == ("key_hash_diff", "the job's user may not ask for the server's state")
    assert (done.counts.inserted, done.counts.updated, done.counts.deleted) == (1, 1, 1)
