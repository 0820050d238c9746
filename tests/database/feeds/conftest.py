"""A producer that decodes its log, and a model that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest

from airflow_plugin.demo.postgres import SUPERUSER, EmbeddedPostgres
from config_schema import names
from config_schema.model import ChangeFeed, Milestoning
from tests.conftest import binaries
from tests.database.conftest import PLATFORMS, STORE, Merging
from tests.kept_sessions import kept_session
from tests.server_folder import server_folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    options = {
        "fsync": "off",
        "max_connections": "60",
        "max_wal_size": "128MB",
        "wal_level": "logical",
        "max_prepared_transactions": "5",
        "max_replication_slots": "20",
        "wal_writer_delay": "10s",
        **({} if binaries() else {"scram_iterations": "1"}),
    }
    with (
        server_folder() as folder,
        EmbeddedPostgres(folder / "server", options=options, binaries=binaries()) as server,
    ):
        server.create_role(SUPERUSER, server.password)
        yield server
        server.stop("immediate")


@dataclass
class Feeding(Merging):
    """A case of merges by a change feed."""

    def slot(self, kind: Milestoning) -> str:
        return names.change_feed_slot(names.platform_name(PLATFORMS[kind]), STORE)

    def create_slots(self) -> None:
        for kind in Milestoning:
            self.at_server(f"SELECT pg_create_logical_replication_slot('{self.slot(kind)}', 'pgoutput')")

    def drop_slots(self) -> None:
        for kind in Milestoning:
            self.at_server(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                f" WHERE slot_name = '{self.slot(kind)}'"
            )

    def at_server(self, statement: str, commit: str = "on") -> list[tuple[Any, ...]]:
        """Run a statement at the producer's database as a superuser."""
        options = f"-c synchronous_commit={commit}"
        with closing(psycopg2.connect(self.source.superuser_dsn, options=options)) as session:
            session.autocommit = True
            with session.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []


@pytest.fixture
def feeding(new_database):
    """A producer with the tables of `ddl`, published, slots of both platforms, and a merge store: `feeding(ddl)`."""
    made = []

    def make(ddl: str, publication: str = "CREATE PUBLICATION changes FOR ALL TABLES") -> Feeding:
        case = Feeding(new_database("source"), new_database("store"), change_feed=ChangeFeed("changes"))
        made.append(case)
        case.execute(ddl)
        case.describe()
        case.at_server(publication)
        if "ALL TABLES" not in publication:
            case.at_server(f"ALTER PUBLICATION changes OWNER TO {case.source.user}")
        with kept_session(case.source.server.dsn(), autocommit=True) as cursor:
            cursor.execute(f"ALTER ROLE {case.source.user} REPLICATION")
        case.create_slots()
        return case

    yield make
    for case in made:
        case.drop_slots()
