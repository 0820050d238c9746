"""The keys that are read out of what the server sends, whatever it sends them with."""

from __future__ import annotations

import io
from contextlib import closing

import psycopg2
import pytest

from config_schema.model import Milestoning
from merge_jobs.sources.postgres.pgoutput import HEADER, Keys, MessageReader

TABLES = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE t (word text, id int, part text, mood mood, PRIMARY KEY (part, id));
CREATE TABLE whole (id int PRIMARY KEY, part text, word text); ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE other (id int PRIMARY KEY)
"""
KEYS = {"t": ("part", "id"), "whole": ("id",)}
LONG = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 500) n)"


@pytest.fixture
def sent(feeding):
    """What the server sends after some statements: `sent(statements)` gives the bytes and a reader's tables."""
    case = feeding(TABLES)

    def send(*statements: str, options: str = ""):
        for statement in statements:
            case.at_server(statement)
        slot = case.slot(Milestoning.LIVE)
        query = f"""COPY (SELECT data FROM pg_logical_slot_get_binary_changes('{slot}', NULL, NULL,
            'proto_version', '1', 'publication_names', 'changes'{options})) TO STDOUT (FORMAT binary)"""
        with closing(psycopg2.connect(case.source.superuser_dsn)) as session, session.cursor() as cursor:
            cursor.copy_expert(query, found := io.BytesIO())
            cursor.execute("SELECT relname, oid::bigint FROM pg_class WHERE relname = ANY(%s)", (list(KEYS),))
            oids = dict(cursor.fetchall())
        return found.getvalue(), oids

    return send


def read(data: bytes, oids: dict[str, int], size: int) -> tuple[MessageReader, dict[str, Keys]]:
    tables = {oids[name]: Keys(key, 1 << 20) for name, key in KEYS.items()}
    reader = MessageReader(tables)
    for start in range(0, len(data), size):
        assert reader.write(data[start : start + size]) == len(data[start : start + size])
    return reader, {name: tables[oid] for name, oid in oids.items()}


@pytest.mark.parametrize("size", [1, 13, 1 << 20])
def test_keys_are_those_of_all_rows_before_and_after(sent, size):
    data, oids = sent(
        "INSERT INTO t VALUES ('x', 1, 'a', 'glad'), (NULL, 2, E'ä\\n\"', NULL)",
        f"UPDATE t SET word = {LONG} WHERE id = 1",
        "UPDATE t SET mood = 'sad' WHERE id = 1",
        "UPDATE t SET id = 3 WHERE id = 2",
        "DELETE FROM t WHERE id = 3",
        f"INSERT INTO whole VALUES (-7, 'x', {LONG}); UPDATE whole SET part = 'y'; DELETE FROM whole",
        "INSERT INTO other VALUES (99)",
        "BEGIN; INSERT INTO t VALUES ('x', 5, 'undone', NULL); ROLLBACK",
        "BEGIN; SAVEPOINT s; INSERT INTO t VALUES ('x', 6, 'undone', NULL); ROLLBACK TO s;"
        " INSERT INTO t VALUES ('x', 6, 'done', NULL); COMMIT",
        "SELECT pg_logical_emit_message(true, 'x', 'y')",
    )
    reader, keys = read(data, oids, size)
    assert (reader.wrong, keys["t"].doubt, keys["whole"].doubt) == (None, None, None)
    assert keys["t"].found == {("a", "1"), ('ä\n"', "2"), ('ä\n"', "3"), ("done", "6")}
    assert keys["whole"].found == {("-7",)}
    assert [one.commit < one.end for one in reader.transactions] == [True] * len(reader.transactions)
    assert len(reader.transactions) == 8


def test_a_key_too_long_to_be_sent_again_is_that_of_the_old_row(sent):
    data, oids = sent(
        "ALTER TABLE t ALTER part SET STORAGE EXTERNAL; ALTER TABLE t ALTER word SET STORAGE PLAIN",
        "INSERT INTO t VALUES ('x', 1, repeat('long', 600), NULL)",
        "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t REPLICA IDENTITY FULL",
        "UPDATE t SET word = 'y'",
    )
    reader, keys = read(data, oids, 1 << 20)
    assert (reader.wrong, keys["t"].doubt) == (None, None)
    assert keys["t"].found == {("long" * 600, "1")}


def test_truncate_and_keys_that_are_not_sent_are_doubts(sent):
    data, oids = sent(
        "INSERT INTO t VALUES ('x', 1, 'a', NULL); TRUNCATE t, other",
        "CREATE UNIQUE INDEX i ON whole (part); ALTER TABLE whole ALTER part SET NOT NULL",
        "ALTER TABLE whole REPLICA IDENTITY USING INDEX i; INSERT INTO whole VALUES (1, 'a')",
    )
    reader, keys = read(data, oids, 1 << 20)
    assert reader.wrong is None
    assert keys["t"].doubt == "the table was truncated"
    assert keys["whole"].doubt == "id of the key is not in the table's replica identity"


def test_a_prepared_transaction_comes_when_it_is_committed(sent):
    sent()
    data, oids = sent("BEGIN; INSERT INTO t VALUES ('x', 1, 'a', NULL); PREPARE TRANSACTION 'p'")
    assert read(data, oids, 1 << 20)[1]["t"].found == set()
    data, oids = sent("COMMIT PREPARED 'p'")
    assert read(data, oids, 1 << 20)[1]["t"].found == {("a", "1")}


def test_what_is_not_known_is_said_and_nothing_after_it_is_taken(sent):
    data, oids = sent(
        "SELECT pg_logical_emit_message(true, 'x', 'y')",
        "INSERT INTO t VALUES ('x', 1, 'a', NULL)",
        options=", 'messages', 'true'",
    )
    reader, keys = read(data, oids, 1 << 20)
    assert reader.wrong == "the log has a message of kind b'M'"
    assert keys["t"].found == set()


def test_messages_that_are_cut_or_changed_are_never_an_error_of_the_program(sent):
    data, oids = sent("INSERT INTO t VALUES ('x', 1, 'a', NULL); UPDATE t SET id = 2; DELETE FROM t; TRUNCATE t")
    for place in range(HEADER, len(data)):
        for changed in (data[:place] + b"\xff" + data[place + 1 :], data[:place] + b"\0" + data[place + 1 :]):
            read(changed, oids, 1 << 20)
