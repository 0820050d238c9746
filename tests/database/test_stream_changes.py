"""What the dag-processor sees of changed rows: each once, whatever the order of commits, restores and outages."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from airflow_plugin.control.connection import fetch_on, open_within
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_changes import (
    Looked,
    all_query,
    changed_keys,
    changes_query,
    trigger_statement,
    with_all,
    with_changes,
)
from airflow_plugin.control.stream_table import StreamTable
from airflow_plugin.rows.reading import read_table
from airflow_plugin.settings import PlatformSettings
from config_schema import names

TABLE = "yellowlive_airflow_dsg"


class Looking:
    """Looks as the dag-processor does, on a connection that stays."""

    def __init__(self, database: Any) -> None:
        self.database = database
        self.connection = open_within(database.dsn, "test", seconds=5)
        self.known: Looked | None = None

    def all(self) -> set[str]:
        return self._now(with_all(self.known, self._fetch(all_query("yellowlive", "public", self.known))))

    def changes(self) -> set[str] | None:
        assert self.known is not None
        after = with_changes(self.known, self._fetch(changes_query("yellowlive", "public", self.known)))
        return None if after is None else self._now(after)

    def _now(self, after: Looked) -> set[str]:
        before, self.known = self.known, after
        return set(after.streams) if before is None else changed_keys(before, after)

    def _fetch(self, query: tuple[sql.Composable, dict[str, Any]]) -> list[tuple[Any, ...]]:
        return fetch_on(self.connection, "test", *query, seconds=10)


@pytest.fixture
def store(new_database):
    database = new_database("merge")
    with closing(database.connect()) as connection, connection:
        StreamTable(ControlSession(connection, "yellowlive")).create_tables()
    execute(database, insert("a", "b", "c"))
    return database


@pytest.fixture
def looking(store):
    looking = Looking(store)
    yield looking
    looking.connection.close()


def execute(database: Any, statement: str) -> None:
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def insert(*keys: str) -> str:
    values = ", ".join(f"('{key}', '{{}}', 'active')" for key in keys)
    return f"INSERT INTO {TABLE} (stream_key, config_json, status) VALUES {values}"


def update(key: str, config: str = "{1}") -> str:
    return f"UPDATE {TABLE} SET config_json = '{config}' WHERE stream_key = '{key}'"


def test_new_changed_retired_and_deleted_rows_are_seen_once(store, looking):
    assert looking.all() == {"a", "b", "c"}
    assert looking.known.has_revisions
    assert looking.changes() == set()
    execute(store, update("a"))
    assert looking.changes() == {"a"}
    assert looking.changes() == set()
    execute(store, f"UPDATE {TABLE} SET status = 'retired' WHERE stream_key = 'b'; {insert('d')}")
    assert looking.changes() == {"b", "d"}
    assert looking.known.streams["b"].retired
    assert looking.known.counting == 4  # retired today
    execute(store, f"DELETE FROM {TABLE} WHERE stream_key = 'c'")
    assert looking.changes() == {"c"}
    execute(store, f"UPDATE {TABLE} SET stream_key = 'e' WHERE stream_key = 'd'")
    assert looking.changes() == {"d", "e"}
    assert looking.known.streams.keys() == {"a", "b", "e"}


def test_the_token_is_that_of_the_factorys_own_reading(store, looking, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", store.dsn)
    looking.all()
    execute(store, f"{update('a')}; DELETE FROM {TABLE} WHERE stream_key = 'c'")
    looking.changes()
    assert looking.known.token == read_table(PlatformSettings(original_platform_name="YellowLive")).token
    before = looking.known.streams
    assert looking.all() == set()
    assert looking.known.streams is before  # nothing was sent


def test_a_row_written_again_as_it_was_is_no_change(store, looking):
    looking.all()
    execute(store, f"UPDATE {TABLE} SET updated_at = now()")
    assert looking.changes() == set()


def test_a_transaction_that_begins_first_and_commits_last_is_seen(store, looking):
    looking.all()
    with closing(store.connect()) as slow, slow.cursor() as cursor:
        cursor.execute(update("a"))
        execute(store, update("b"))
        assert looking.changes() == {"b"}
        assert looking.changes() == set()
        execute(store, update("b", "{2}"))
        slow.commit()
        assert looking.changes() == {"a", "b"}
        assert looking.changes() == set()


def test_what_is_rolled_back_is_not_seen(store, looking):
    looking.all()
    with closing(store.connect()) as sync, sync.cursor() as cursor:
        cursor.execute(f"{update('a')}; SAVEPOINT one; {update('b')}")
        assert looking.changes() == set()
        sync.rollback()
    assert looking.changes() == set()


def test_what_a_savepoint_wrote_is_seen(store, looking):
    looking.all()
    execute(store, f"SAVEPOINT one; {update('a')}; RELEASE one; SAVEPOINT two; {update('b')}; ROLLBACK TO two")
    assert looking.changes() == {"a"}


@pytest.mark.parametrize("how", ["TRUNCATE", "other table"])
def test_a_table_that_was_replaced_is_looked_at_as_a_whole(store, looking, how):
    looking.all()
    if how == "TRUNCATE":
        execute(store, f"ALTER TABLE {TABLE} DISABLE TRIGGER ALL; TRUNCATE {TABLE}; {insert('a', 'x')}")
    else:
        execute(
            store,
            f"CREATE TABLE other (LIKE {TABLE} INCLUDING ALL); DROP TABLE {TABLE};"
            f"ALTER TABLE other RENAME TO {TABLE}; {insert('a', 'x')}",
        )
    assert looking.changes() is None
    assert looking.all() == {"b", "c", "x"}


def test_changes_that_no_trigger_saw_are_seen_by_a_look_at_all(store, looking):
    looking.all()
    execute(store, f"ALTER TABLE {TABLE} DISABLE TRIGGER ALL; {update('a')}")
    assert looking.changes() == set()
    assert looking.all() == {"a"}
    assert not looking.known.has_revisions  # until the trigger is enabled again all rows are looked at


def test_revisions_of_transactions_that_are_yet_to_come_are_no_changes(store, looking):
    """As they stand there after a restore into a new server; until then they would be seen at each look."""
    execute(store, f"UPDATE {TABLE}_revision SET changed_in = '4000000000'")
    looking.all()
    assert looking._fetch(changes_query("yellowlive", "public", looking.known))[0][2] is None
    execute(store, update("a"))
    assert looking.changes() == {"a"}


def test_changes_are_read_by_the_index(store, looking):
    execute(
        store, f"INSERT INTO {TABLE} (stream_key, config_json) SELECT 'k' || i, '{{}}' FROM generate_series(1, 5000) i;"
    )
    execute(store, "ANALYZE")
    looking.all()
    execute(store, update("a"))
    query, values = changes_query("yellowlive", "public", looking.known)
    plan = str(looking._fetch((sql.SQL("EXPLAIN ") + query, values)))
    assert names.stream_revision_index("yellowlive") in plan
    assert "Seq Scan" not in plan


def test_without_revisions_or_the_right_to_read_them_all_is_looked_at(store, looking, postgres):
    execute(store, f"DROP TABLE {TABLE}_revision CASCADE")
    assert looking.all() == {"a", "b", "c"}
    assert not looking.known.has_revisions
    with closing(store.connect()) as connection, connection:
        StreamTable(ControlSession(connection, "yellowlive")).create_tables()
    assert looking.all() == set()
    assert looking.known.has_revisions


def test_on_a_stream_table_of_another_owner_changes_are_seen_without_the_trigger_too(new_database, postgres):
    database = new_database("merge")
    postgres.create_role("elsewhere", "word")
    execute(
        database,
        f"GRANT CREATE, USAGE ON SCHEMA public TO elsewhere; GRANT CONNECT ON DATABASE {database.name} TO elsewhere",
    )
    with closing(psycopg2.connect(postgres.dsn(database.name))) as admin, admin:  # one whom the login may trust
        admin.cursor().execute(f'GRANT "{database.user}" TO elsewhere')
    with closing(psycopg2.connect(postgres.dsn(database.name, "elsewhere", "word"))) as owner, owner:
        owner.cursor().execute(
            f"CREATE TABLE {TABLE} (stream_key varchar(255) PRIMARY KEY, config_json text, status varchar(20), "
            "created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()); "
            f'GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO "{database.user}"'
        )
    with closing(database.connect()) as connection, connection:
        StreamTable(ControlSession(connection, "yellowlive")).create_tables()
    execute(database, insert("a", "b"))
    looking = Looking(database)
    try:
        assert looking.all() == {"a", "b"}
        assert not looking.known.has_revisions
        execute(database, update("a"))
        assert looking.all() == {"a"}
        with closing(psycopg2.connect(postgres.dsn(database.name, "elsewhere", "word"))) as owner, owner:
            owner.cursor().execute(trigger_statement("yellowlive", "public"))
        looking.all()
        assert looking.known.has_revisions
        execute(database, update("b"))
        assert looking.changes() == {"b"}
    finally:
        looking.connection.close()


def test_who_may_write_rows_needs_no_right_on_the_revisions(store, looking, postgres):
    looking.all()
    postgres.create_role("writer", "writer")
    execute(
        store, f"GRANT CONNECT ON DATABASE {store.name} TO writer; GRANT SELECT, INSERT, UPDATE ON {TABLE} TO writer"
    )
    with closing(psycopg2.connect(postgres.dsn(store.name, "writer", "writer"))) as writer, writer:
        writer.cursor().execute(update("a"))
    assert looking.changes() == {"a"}
