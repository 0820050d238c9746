"""The platform that the tests of its own DAGs work on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from config_schema import names
from tests.airflow.platform_world import PLATFORMS, TOKEN, PlatformWorld
from tests.kubernetes.git_server import GitServer


@pytest.fixture
def world(airflow_here, new_database, tmp_path, monkeypatch) -> Iterator[PlatformWorld]:
    """A model that is pushed but not synced, its settings files, and ten customers."""
    (served := tmp_path / "served").mkdir()
    git = GitServer(served, TOKEN)
    made = PlatformWorld(new_database("source"), new_database("merge"), git, tmp_path)
    with closing(psycopg2.connect(made.store.server.dsn())) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {made.store.user} CREATEROLE")
    made.produce("CREATE TABLE customers (id integer PRIMARY KEY, name text)")
    made.produce("INSERT INTO customers SELECT i, 'name ' || i FROM generate_series(1, 10) i")
    given = {
        "DAGFACTORY_SETTINGS_DIR": str(tmp_path),
        "DAGFACTORY_SNAPSHOT_DIR": str(tmp_path / "snapshots"),
        "GIT_TOKEN": TOKEN,
        **{names.dsn_variable(names.platform_name(one)): made.store.dsn for one in PLATFORMS},
        "POSTGRES_USERNAME": made.store.user,
        "POSTGRES_PASSWORD": made.store.password,
        "CUSTOMER_DB_USERNAME": made.source.user,
        "CUSTOMER_DB_PASSWORD": made.source.password,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    made.bootstrap()
    made.push()
    yield made
    git.close()
