"""Batches that find what has changed by the source's log; what makes them look at the tables instead."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace

import psycopg2
import pytest

from config_schema.model import Milestoning
from config_schema.result import Counts, MergeResult
from merge_jobs.admin.erase import erase
from merge_jobs.errors import KeysRejected
from merge_jobs.run.job import run
from merge_jobs.sources.postgres import change_feed
from merge_jobs.sources.postgres.change_feed import FeedSession
from tests.database.conftest import result_of
from tests.relay import Relay
from tests.server_copy import copy_of
from tests.server_folder import server_folder

LIVE = Milestoning.LIVE
TABLES = """
CREATE TABLE t (id int, part text, word text, PRIMARY KEY (id, part));
INSERT INTO t SELECT n, 'a', 'w' FROM generate_series(1, 100) n;
CREATE TABLE u (id text PRIMARY KEY, n int); INSERT INTO u SELECT 'k' || n, n FROM generate_series(1, 10) n
"""
OF_ONE = "CREATE PUBLICATION changes FOR TABLE t, u"
SECONDS = 300  # for what another session does


def strategies(result) -> dict[str, str]:
    return {name: one.strategy for name, one in result.datasets.items()}


def positions(case) -> dict[str, dict]:
    """Of each dataset of the live platform, where the feed is."""
    return dict(case.query("SELECT dataset, guard -> 'feed' FROM yellowlive_row_maps WHERE guard ? 'feed'"))


def slot_position(case, kind=LIVE) -> int:
    where = f"WHERE slot_name = '{case.slot(kind)}'"
    query = f"SELECT (confirmed_flush_lsn - '0/0'::pg_lsn)::bigint FROM pg_replication_slots {where}"
    return case.at_server(query)[0][0]


@pytest.mark.parametrize("kind", Milestoning)
def test_changed_rows_are_found_by_the_log(feeding, kind, caplog):
    case = feeding(TABLES)
    assert strategies(case.merge(kind)) == {"t": "initial", "u": "initial"}
    case.execute(
        "UPDATE t SET word = 'x' WHERE id <= 3; DELETE FROM t WHERE id = 50; UPDATE t SET id = 1000 WHERE id = 7;"
        "INSERT INTO t VALUES (101, E'\\\\ \\t\\n\"''{,}', 'new')"
    )
    caplog.clear()
    result = case.merge(kind)
    assert strategies(result) == {"t": "change_feed", "u": "change_feed"}
    assert result.datasets["t"].counts == Counts(2, 3, 2, 95, 100)
    assert "u: copied" not in caplog.text  # a table of which the log has nothing is not read
    assert "blocks have changed" not in caplog.text


@contextmanager
def between_look_and_snapshot(monkeypatch, happens):
    """Let something happen after the batch's last own commit, before its snapshot."""
    look = FeedSession.look

    def then_it_happens(session):
        found = look(session)
        happens()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(FeedSession, "look", then_it_happens)
        yield


def test_what_the_snapshot_sees_has_been_decoded_though_its_log_was_not_written_yet(feeding, monkeypatch):
    """The fixture's WAL writer sleeps for ten seconds: a commit that did not wait is seen before it is in the log."""
    case = feeding(TABLES)
    case.merge(LIVE)
    for word in "abc":
        statement = f"UPDATE t SET word = '{word}' WHERE id IN (1, 90)"
        with between_look_and_snapshot(monkeypatch, lambda at=statement: case.at_server(at, commit="off")):
            result = case.run(LIVE).datasets["t"]
        assert (result.strategy, result.counts.updated) == ("change_feed", 2)


@pytest.mark.parametrize("is_last", [False, True])
def test_the_slot_never_advances_past_a_transaction_that_the_batch_does_not_see(feeding, monkeypatch, is_last):
    """A snapshot ends after the last transaction that is complete: one that is not may have a later number, or not."""
    case = feeding(TABLES)
    case.merge(LIVE)
    case.at_server("UPDATE t SET word = 'seen' WHERE id = 50")
    with committed_but_not_seen(case, "UPDATE t SET word = 'late' WHERE id < 5") as (begin, let_go):
        if not is_last:
            begin()
        with between_look_and_snapshot(monkeypatch, begin if is_last else lambda: None):
            result = case.run(LIVE)
        assert strategies(result)["t"] == "change_feed"
        assert result.datasets["t"].counts.updated == 1
        let_go()
    result = case.merge(LIVE)
    assert strategies(result)["t"] == "change_feed"
    assert result.datasets["t"].counts.updated == 4
    assert slot_position(case) == positions(case)["t"]["upto"]


def test_a_commit_before_the_slot_that_is_not_seen_yet_is_waited_for(feeding, monkeypatch):
    """The first batch that trusts a slot's position must see all that stands in the log before it."""
    monkeypatch.setattr(change_feed, "SETTLE_SECONDS", 0.01)
    case = feeding(TABLES)
    case.merge(LIVE)
    with committed_but_not_seen(case, "UPDATE t SET word = 'late' WHERE id < 5") as (begin, let_go):
        begin()
        case.at_server(
            f"SELECT pg_replication_slot_advance('{case.slot(LIVE)}', pg_current_wal_flush_lsn())", commit="local"
        )
        for _ in range(3):
            assert strategies(case.run(LIVE))["t"] == "version_diff"
        let_go()
    result = case.merge(LIVE).datasets["t"]
    assert (result.strategy, result.counts.updated) == ("version_diff", 4)
    case.execute("DELETE FROM t WHERE id = 7")
    assert strategies(case.merge(LIVE))["t"] == "change_feed"


def test_a_slot_that_somebody_advances_while_a_batch_looks_is_not_trusted(feeding, monkeypatch):
    case = feeding(TABLES)
    case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id = 7")
    advance = f"SELECT pg_replication_slot_advance('{case.slot(LIVE)}', pg_current_wal_flush_lsn())"
    with between_look_and_snapshot(monkeypatch, lambda: case.at_server(advance)):
        result = case.run(LIVE).datasets["t"]
    assert "somebody else has advanced the slot meanwhile" in result.reason
    assert result.counts.deleted == 1
    case.merge(LIVE)


def test_the_log_of_another_server_than_the_batchs_is_not_believed(feeding, monkeypatch, postgres):
    """A name or a balancer may lead two sessions to two servers, of which one has what the other has not."""
    case = feeding(TABLES)
    with server_folder() as folder, copy_of(postgres, folder / "other", {"fsync": "off"}) as other:
        relay, look = Relay(other.port), FeedSession.look

        def elsewhere(session):
            relay.target = postgres.port
            return look(session)

        def merged() -> MergeResult:
            job = case.job(LIVE)
            relay.target = other.port
            return run(replace(job, source=replace(job.source, port=relay.port)))

        monkeypatch.setattr(FeedSession, "look", elsewhere)
        with closing(relay):
            with closing(psycopg2.connect(other.dsn(case.source.name))) as session, session.cursor() as cursor:
                session.autocommit = True
                for _ in range(50):  # it is the one at which people work
                    cursor.execute("SELECT pg_current_xact_id()")
                for strategy in ("initial", "version_diff"):
                    assert strategies(merged())["t"] == strategy
                cursor.execute("UPDATE t SET word = 'there' WHERE id < 4")
            result = merged().datasets["t"]
    assert (result.strategy, result.counts.updated) == ("version_diff", 3)
    assert "the batch reads another server than the slot's" in result.reason
    assert positions(case) == {}


def test_the_session_of_the_feed_counts_as_a_connection_of_the_job(feeding, caplog):
    case = feeding(TABLES)
    case.execute("INSERT INTO t SELECT n, repeat('p', 90), 'w' FROM generate_series(1000, 2000) n")
    job = case.job(LIVE, load_connections=8)
    limited = replace(job.stream.store, max_source_connections=4)
    run(replace(job, stream=replace(job.stream, store=limited)))
    assert "t: copied 1101 rows" in caplog.text
    assert "by 2 connections" in caplog.text  # beside that of the batch and that of the feed


@contextmanager
def committed_but_not_seen(case, statement):
    """A transaction whose commit is in the log, and that waits for a standby before others see it."""

    def configure(how):
        case.at_server(f"ALTER SYSTEM {how}", commit="local")
        case.at_server("SELECT pg_reload_conf()")
        now = "nobody" if how.startswith("SET") else ""
        wait_for(case, f"SELECT current_setting('synchronous_standby_names') = '{now}'")

    for role in (case.source.user, case.target.user):
        case.at_server(f"ALTER ROLE {role} SET synchronous_commit = local", commit="local")
    waiting = threading.Thread(target=case.at_server, args=(statement,))
    configure("SET synchronous_standby_names = 'nobody'")
    released = []

    def let_go():
        if not released:
            released.append(True)
            configure("RESET synchronous_standby_names")
            waiting.join(SECONDS)

    def begin():
        waiting.start()
        wait_for(case, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

    try:
        yield begin, let_go
    finally:
        let_go()


def wait_for(case, question) -> None:
    end = time.monotonic() + SECONDS
    while not case.at_server(question)[0][0]:
        assert time.monotonic() < end, question


def test_a_feed_begins_once_all_transactions_that_ran_when_its_slot_was_looked_at_have_ended(feeding, monkeypatch):
    monkeypatch.setattr(change_feed, "SETTLE_SECONDS", 0.01)
    case = feeding(TABLES)
    with closing(case.source.connect()) as session, session.cursor() as cursor:
        cursor.execute("UPDATE t SET word = 'open' WHERE id = 1")
        case.merge(LIVE)
        case.execute("UPDATE t SET word = 'x' WHERE id = 2")
        result = case.merge(LIVE)
        assert "no batch has recorded its position yet" in result.datasets["t"].reason
        session.commit()
    assert strategies(case.merge(LIVE)) == {"t": "version_diff", "u": "version_diff"}
    case.execute("UPDATE t SET word = 'y' WHERE id = 3")
    assert strategies(case.merge(LIVE)) == {"t": "change_feed", "u": "change_feed"}


DOUBTS = {
    "ALTER PUBLICATION changes DROP TABLE t": "does not contain the table",
    "ALTER PUBLICATION changes SET TABLE t WHERE (id > 5), u": "has a row filter",
    "ALTER PUBLICATION changes SET (publish = 'insert, update')": "leaves out inserts, updates or deletes",
    "ALTER PUBLICATION changes DROP TABLE t; ALTER PUBLICATION changes ADD TABLE t": "was changed",
    "ALTER PUBLICATION changes SET TABLE t (id), u": "leaves out columns of the key",
    "ALTER PUBLICATION changes SET TABLE t (id, part), u": "was changed",
    "ALTER PUBLICATION changes RENAME TO other": "there is no publication 'changes'",
    "ALTER TABLE t REPLICA IDENTITY FULL": "was changed",
    "ALTER TABLE t REPLICA IDENTITY NOTHING": "has no replica identity",
    "CREATE TABLE child () INHERITS (t)": None,
    "TRUNCATE t": None,
    "VACUUM FULL t": None,
    "ALTER TABLE t REPLICA IDENTITY NOTHING; ALTER TABLE t REPLICA IDENTITY DEFAULT": "was changed",
    "ALTER TABLE t SET SCHEMA s; ALTER TABLE s.t SET SCHEMA public": "was changed",
    "ANALYZE t; CREATE INDEX ON t (word); VACUUM t": "the source's log tells",
}


@pytest.mark.parametrize("statement", DOUBTS, ids=lambda text: text[:50])
def test_a_doubt_lets_the_batch_look_at_the_table_and_say_why(feeding, statement):
    case = feeding(f"{TABLES}; CREATE SCHEMA s", OF_ONE)
    case.run(LIVE)
    case.execute("UPDATE t SET word = 'x' WHERE id = 2")
    assert strategies(case.run(LIVE))["t"] == "change_feed"
    for one in ["DELETE FROM t WHERE id = 11", *statement.split("; "), "INSERT INTO t VALUES (12, 'b', 'x')"]:
        case.at_server(one)
    result = case.merge(LIVE).datasets["t"]
    assert (DOUBTS[statement] or "") in result.reason
    assert (result.strategy == "change_feed") is (DOUBTS[statement] == "the source's log tells")
    case.execute("INSERT INTO t VALUES (13, 'b', 'x')")
    case.merge(LIVE)


def test_a_slot_that_somebody_else_has_advanced_is_noticed(feeding):
    case = feeding(TABLES)
    case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id = 3")
    case.at_server(f"SELECT pg_replication_slot_advance('{case.slot(LIVE)}', pg_current_wal_lsn())")
    result = case.merge(LIVE)
    assert "somebody else has advanced the slot" in result.datasets["t"].reason
    case.execute("DELETE FROM t WHERE id = 4")
    assert strategies(case.merge(LIVE))["t"] == "change_feed"


def test_a_slot_that_is_lost_or_used_by_another_session_ends_no_batch(feeding):
    case = feeding(TABLES)
    case.merge(LIVE)
    slot = case.slot(LIVE)
    case.at_server(f"SELECT pg_drop_replication_slot('{slot}')")
    case.execute("DELETE FROM t WHERE id = 3")
    assert "there is no slot" in case.merge(LIVE).datasets["t"].reason
    case.execute("DELETE FROM t WHERE id = 4")
    case.at_server(f"SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')")
    assert "another plugin" in case.merge(LIVE).datasets["t"].reason
    case.at_server(f"SELECT pg_drop_replication_slot('{slot}')")
    case.at_server(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    case.execute("DELETE FROM t WHERE id = 5")
    case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id = 6")
    assert strategies(case.merge(LIVE))["t"] == "change_feed"


def test_a_slot_that_holds_back_more_than_it_may_is_dropped(feeding, monkeypatch, caplog):
    monkeypatch.setattr(change_feed, "MEGABYTE", 1 << 10)
    case = feeding(TABLES)
    case.change_feed = change_feed.ChangeFeed("changes", max_wal=1500)
    case.merge(LIVE)
    case.execute("INSERT INTO u SELECT repeat('w', 100) || n, n FROM generate_series(1, 10000) n")
    result = case.merge(LIVE)
    assert "more than max_wal, and was dropped" in result.datasets["t"].reason
    assert case.at_server(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{case.slot(LIVE)}'") == [(0,)]


@pytest.mark.parametrize("kind", Milestoning)
@pytest.mark.parametrize("vacuum", [False, True])
def test_a_key_that_the_map_never_knew_is_gone_though_no_block_has_changed(feeding, kind, vacuum):
    case = feeding(TABLES)
    case.merge(kind)
    case.execute("INSERT INTO t VALUES (200, 'b', 'only the log said')")
    assert strategies(case.merge(kind))["t"] == "change_feed"
    case.execute("DELETE FROM t WHERE id = 200")
    case.drop_slots()
    if vacuum:
        case.at_server("VACUUM t")
    result = case.merge(kind)
    assert (result.datasets["t"].strategy, result.datasets["t"].counts) == ("version_diff", Counts(0, 0, 1, 100, 100))


def test_an_audit_does_not_take_what_the_log_has_told_for_changes_that_were_missed(feeding, caplog):
    case = feeding(TABLES)
    case.merge(LIVE)
    case.execute("INSERT INTO t VALUES (200, 'b', 'only the log said'); UPDATE t SET word = 'x' WHERE id = 1")
    assert strategies(case.merge(LIVE))["t"] == "change_feed"
    case.execute("DELETE FROM t WHERE id = 200; UPDATE t SET word = 'y' WHERE id = 2")
    case.execute("UPDATE yellowlive_row_maps SET full_at = full_at - interval '2 days'", on=case.target)
    result = case.merge(LIVE)
    assert "an audit" in result.datasets["t"].reason
    assert "the audit found nothing" in caplog.text
    assert case.query("SELECT count(*) FROM yellowlive_row_maps WHERE distrusted IS NOT NULL") == [(0,)]
    case.execute("DELETE FROM t WHERE id = 3")
    assert strategies(case.merge(LIVE))["t"] == "change_feed"


def test_an_older_program_sees_no_map_where_it_is_behind(feeding):
    case = feeding(TABLES)
    case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id = 3")
    case.merge(LIVE)
    kinds = "SELECT dataset, kind, guard ->> 'behind', guard -> 'map' ->> 'kind' FROM yellowlive_row_maps ORDER BY 1"
    assert case.query(kinds) == [("t", None, "version_diff", None), ("u", "version_diff", None, None)]


def test_a_key_that_is_null_is_refused_by_the_table_as_ever(feeding):
    table = "CREATE TABLE t (id int UNIQUE, word text); ALTER TABLE t REPLICA IDENTITY FULL"
    case = feeding(f"{table}; INSERT INTO t VALUES (1)")
    [dataset] = case.datasets
    case.datasets = (type(dataset)(dataset.name, dataset.columns, ("id",)),)
    case.merge(LIVE)
    case.execute("INSERT INTO t VALUES (NULL, 'x')")
    with pytest.raises(KeysRejected):
        case.run(LIVE)


def test_a_key_that_is_written_otherwise_is_the_same_key(feeding):
    case = feeding("CREATE TABLE t (n numeric PRIMARY KEY, word text); INSERT INTO t VALUES (1.0, 'x'), (2, 'y')")
    case.run(LIVE)
    case.execute("UPDATE t SET n = 1.00 WHERE n = 1; UPDATE t SET n = 2.0 WHERE n = 2; DELETE FROM t WHERE n = 2")
    result = case.run(LIVE).datasets["t"]
    assert (result.strategy, result.counts) == ("change_feed", Counts(0, 1, 1, 0, 1))
    assert case.open_rows(LIVE, case.datasets[0]) == {("1.00",): ("1.00", "x")}


@pytest.mark.parametrize("kind", Milestoning)
def test_an_erased_key_stays_away_whatever_the_log_says_of_it(feeding, kind):
    """Where the map is behind, its rows are not the merge table's: erasing a key lets the next batch read all rows."""
    case = feeding(TABLES)
    case.run(kind)
    case.execute("INSERT INTO u VALUES ('new', 1); UPDATE u SET n = 7 WHERE id = 'k3'")
    assert strategies(case.run(kind))["u"] == "change_feed"
    job = case.job(kind)
    for key, left in (("new", 10), ("k3", 9)):
        erase(job.store, job.stream, job.stream.datasets[1], [[key]])
        assert case.run(kind).datasets["u"].counts.total == left
    case.execute("UPDATE u SET n = n + 1 WHERE id IN ('new', 'k3', 'k4'); DELETE FROM u WHERE id = 'new'")
    result = case.run(kind).datasets["u"]
    assert (result.strategy, result.counts) == ("change_feed", Counts(0, 1, 0, 8, 9))
    assert {("new",), ("k3",)}.isdisjoint(case.open_rows(kind, case.datasets[1]))


@pytest.mark.parametrize(
    ("theirs", "ours", "is_followed"),
    [
        ("varchar(20)", "varchar(20)", True),
        ("int", "int", True),
        ("numeric(10, 2)", "decimal(10,2)", True),
        ("timestamptz(3)", "timestamptz(3)", True),
        ("int", "bigint", False),
        ("varchar(20)", "text", False),
    ],
)
def test_a_key_has_one_type_however_the_model_writes_it(feeding, theirs, ours, is_followed):
    case = feeding(f"CREATE TABLE t (id {theirs} PRIMARY KEY, word text)")
    key, *others = case.datasets[0].columns
    case.datasets = (replace(case.datasets[0], columns=(replace(key, type=ours), *others)),)
    case.run(LIVE)
    value = "'2026-01-01'" if "time" in theirs else "'1'"
    case.execute(f"INSERT INTO t VALUES ({value}, 'x')")
    result = case.run(LIVE).datasets["t"]
    assert (result.strategy == "change_feed", result.counts.inserted) == (is_followed, 1)
    assert is_followed or "another type" in result.reason


def test_an_idle_stream_lets_the_source_forget_what_others_have_written(feeding, monkeypatch):
    case = feeding(TABLES + "; CREATE TABLE other (word text)", OF_ONE)
    case.datasets = case.datasets[1:]
    case.merge(LIVE)
    before = slot_position(case)
    case.merge(LIVE)
    assert slot_position(case) == before
    monkeypatch.setattr("merge_jobs.run.feed.LEFT_BEHIND", 1 << 10)
    case.execute("INSERT INTO other SELECT repeat('w', 100) FROM generate_series(1, 100)")
    case.merge(LIVE)
    assert slot_position(case) > before
    assert {one["upto"] for one in positions(case).values()} == {slot_position(case)}


def test_what_sends_more_keys_than_fit_is_read_by_row_versions(feeding, monkeypatch):
    case = feeding(TABLES)
    case.merge(LIVE)
    monkeypatch.setattr("merge_jobs.sources.postgres.change_feed.MOST_KEY_BYTES", 5000)
    case.execute("UPDATE t SET word = 'x'")
    result = case.merge(LIVE)
    assert "too many keys have changed" in result.datasets["t"].reason
    case.execute("UPDATE t SET word = 'y' WHERE id = 7")
    assert strategies(case.merge(LIVE))["t"] == "change_feed"


def test_more_changes_than_a_batch_reads_are_read_by_the_next_ones(feeding, monkeypatch):
    case = feeding(TABLES)
    case.merge(LIVE)
    monkeypatch.setattr("merge_jobs.sources.postgres.change_feed.MOST_MESSAGES", 40)
    for number in range(10):
        case.execute(f"UPDATE t SET word = 'x' WHERE id BETWEEN {number * 10 + 1} AND {number * 10 + 10}")
    result = case.merge(LIVE)
    assert "more than 40 changes" in result.datasets["t"].reason
    while slot_position(case) < positions(case)["t"]["upto"]:
        case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id = 7")
    case.run(LIVE), case.run(LIVE), case.run(LIVE)
    case.execute("DELETE FROM t WHERE id = 8")
    assert strategies(case.merge(LIVE))["t"] == "change_feed"


def test_a_role_without_replication_reads_as_before(feeding):
    case = feeding(TABLES)
    case.at_server(f"ALTER ROLE {case.source.user} NOREPLICATION")
    case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id = 7")
    assert "has no REPLICATION" in case.merge(LIVE).datasets["t"].reason


def test_a_dry_run_leaves_the_slot_where_it_is(feeding):
    case = feeding(TABLES)
    case.merge(LIVE)
    case.execute("DELETE FROM t WHERE id = 7")
    before = slot_position(case)
    assert strategies(case.run(LIVE, dry_run=True))["t"] == "change_feed"
    assert slot_position(case) == before
    assert case.merge(LIVE).datasets["t"].counts.deleted == 1


def test_writers_that_never_stop_leave_no_torn_transaction_in_any_batch(feeding):
    """Each transaction moves an amount between two rows, most without waiting for the log: the sum stays."""
    table = "CREATE TABLE t (id int PRIMARY KEY, n int)"
    case = feeding(f"{table}; INSERT INTO t SELECT n, 100 FROM generate_series(1, 40) n")
    case.merge(Milestoning.FORENSIC)
    ended, failed = threading.Event(), []

    def move(first):
        try:
            with closing(psycopg2.connect(case.source.dsn)) as session, session.cursor() as cursor:
                cursor.execute("SET synchronous_commit = off")
                session.commit()
                number = first
                while not ended.is_set():
                    number += 1
                    a, b = sorted({number % 20, (number * 7) % 20, 20})[:2]
                    for key, by in ((a, 1), (b, -1)):
                        cursor.execute("UPDATE t SET n = n + %s WHERE id = %s", (by, first + key))
                    session.commit()
        except psycopg2.Error as error:
            failed.append(error)

    writers = [threading.Thread(target=move, args=(first,)) for first in (1, 20)]
    for one in writers:
        one.start()
    try:
        found = [case.run(Milestoning.FORENSIC) for _ in range(12)]
    finally:
        ended.set()
        for one in writers:
            one.join(SECONDS)
    assert failed == []
    by_feed = sum(result.datasets["t"].strategy == "change_feed" for result in found)
    assert by_feed > 3
    last = case.merge(Milestoning.FORENSIC).batch_id
    for batch in range(1, last + 1):
        table = '"yellowforensic_Store1_t_merge"'
        total = f"SELECT sum(n), count(*) FROM {table} WHERE ds_batch_in <= {batch} AND ds_batch_out > {batch}"
        assert case.query(total) == [(4000, 40)], batch


def test_in_a_time_slice_the_job_waits_for_the_log_and_asks_no_table_meanwhile(feeding, tmp_path):
    case = feeding(TABLES)
    case.merge(LIVE)
    child = case.start_child(LIVE, tmp_path, "slice", "--time-slice-seconds=600")
    merged = '"yellowlive_Store1_t_merge"'
    try:
        for word in ("one", "two", "three"):
            case.at_server(f"UPDATE t SET word = '{word}' WHERE id = 1")
            end = time.monotonic() + SECONDS
            while case.query(f"SELECT word FROM {merged} WHERE id = 1") != [(word,)]:
                assert time.monotonic() < end
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=SECONDS)
    finally:
        child.kill()
    result = result_of(output)  # also of a job that the signal has met in its last look
    assert (result.batches, result.datasets["t"].strategy) == (3, "change_feed")
