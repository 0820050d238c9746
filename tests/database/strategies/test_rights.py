"""A producer's user may have fewer rights than everyone has: what is read then, and by which strategy."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from config_schema.model import Milestoning

TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' FROM generate_series(1, 20) n"


RIGHTS = {
    "system": "EXECUTE ON FUNCTION pg_control_system()",
    "position": "EXECUTE ON FUNCTION pg_current_wal_lsn()",
    "position of a standby": "EXECUTE ON FUNCTION pg_last_wal_replay_lsn()",
    "timeline": "EXECUTE ON FUNCTION pg_walfile_name(pg_lsn)",
    "crashes": "SELECT ON pg_stat_archiver",
}


@pytest.mark.parametrize("right", RIGHTS.values(), ids=RIGHTS.keys())
def test_a_server_that_does_not_tell_of_itself_is_read_by_hashes(merging, right):
    revoked = merging(TABLE)
    with (
        closing(psycopg2.connect(revoked.source.superuser_dsn)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"REVOKE {right} FROM public")  # of this database alone
    revoked.merge(Milestoning.FORENSIC)
    revoked.execute("UPDATE t SET word = 'new' WHERE id = 7; DELETE FROM t WHERE id = 8; INSERT INTO t VALUES (21, '')")
    done = revoked.merge(Milestoning.FORENSIC).datasets["t"]
    assert (done.strategy, done.reason) == ("key_hash_diff", "the job's user may not ask for the server's state")
    assert (done.counts.inserted, done.counts.updated, done.counts.deleted) == (1, 1, 1)
