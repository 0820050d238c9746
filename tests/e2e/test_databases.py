"""The demo's databases on a server of the user's: made with few rights, made again, and nobody else's touched."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from airflow_plugin.demo.databases import OWNERS, ROLES, create_databases
from airflow_plugin.demo.errors import DemoServerRefused
from airflow_plugin.demo.postgres import EmbeddedPostgres

PASSWORD = "word"


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server whose `boss` may create roles and databases, and is no superuser."""
    with tempfile.TemporaryDirectory(prefix="users-server-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "server", options={"fsync": "off"}) as started:
            ask(started.dsn(), f"CREATE ROLE boss LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'")
            yield started


def ask(dsn: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def names_on(server: EmbeddedPostgres) -> set[object]:
    rows = ask(server.dsn(), "SELECT rolname FROM pg_roles UNION ALL SELECT datname FROM pg_database")
    return {name for (name,) in rows}


def boss(server: EmbeddedPostgres) -> str:
    return server.dsn("postgres", "boss", PASSWORD)


def test_each_database_is_for_its_owner_and_the_reader_reads_only(server, tmp_path):
    databases = create_databases(boss(server), "DAGFACTORY_DSN", tmp_path / "passwords.json")
    ask(databases.dsn("customer_db"), "CREATE TABLE customers (id int)")
    assert ask(databases.dsn("customer_db", "ingest"), "SELECT * FROM customers") == []
    for role, statement in (("ingest", "DELETE FROM customers"), ("ingest", "CREATE TABLE more (id int)")):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(databases.dsn("customer_db", role), statement)
    for database, owner in OWNERS.items():
        for role in set(ROLES) - {owner, "ingest" if database == "customer_db" else owner}:
            with pytest.raises(psycopg2.OperationalError, match="permission denied"):
                ask(databases.dsn(database, role), "SELECT 1")


def test_the_next_demo_finds_the_data_and_an_empty_airflow(server, tmp_path):
    for folder in ("one", "two"):  # of another folder, and so with other passwords
        (tmp_path / folder).mkdir()
        databases = create_databases(boss(server), "DAGFACTORY_DSN", tmp_path / folder / "passwords.json")
        for database in ("customer_db", "airflow"):
            ask(databases.dsn(database), "CREATE TABLE IF NOT EXISTS kept AS SELECT 1; INSERT INTO kept VALUES (2)")
    assert len(ask(databases.dsn("customer_db"), "SELECT * FROM kept")) == 3
    assert len(ask(databases.dsn("airflow"), "SELECT * FROM kept")) == 2


@pytest.mark.parametrize("theirs", ["CREATE DATABASE airflow", "CREATE ROLE producer LOGIN PASSWORD 'theirs'"])
def test_what_somebody_else_made_is_refused_by_name_and_nothing_is_done(server, tmp_path, theirs):
    ask(server.dsn(), theirs)
    before = names_on(server)
    with pytest.raises(DemoServerRefused) as refused:
        create_databases(boss(server), "DAGFACTORY_DSN", tmp_path / "passwords.json")
    assert " ".join(theirs.lower().split()[1:3]) in refused.value.what
    assert names_on(server) == before


def test_a_running_demo_on_the_server_is_not_disturbed(server, tmp_path):
    databases = create_databases(boss(server), "DAGFACTORY_DSN", tmp_path / "passwords.json")
    connection = psycopg2.connect(databases.dsn("airflow"))
    try:
        with pytest.raises(DemoServerRefused, match="another demo"):
            create_databases(boss(server), "DAGFACTORY_DSN", tmp_path / "other.json")
    finally:
        connection.close()
    psycopg2.connect(databases.dsn("customer_db")).close()  # its passwords still hold


@pytest.mark.parametrize("dsn", ["host=/tmp user=boss", "postgresql://boss@127.0.0.1,127.0.0.2:1,2/postgres"])
def test_a_server_without_one_host_and_port_is_refused(tmp_path, dsn):
    with pytest.raises(DemoServerRefused, match="no single host and port"):
        create_databases(dsn, "DAGFACTORY_DSN", tmp_path / "passwords.json")
