"""Other versions of PostgreSQL than the embedded one, as source, as merge store, and as both.

From the system's packages where they are, and from a container where a Docker daemon answers; what is not there is
said. DAGFACTORY_TEST_POSTGRES_IMAGE names the container's image.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psycopg2
import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres, create_database, create_role
from tests.server_folder import server_folder

SYSTEM = Path("/usr/lib/postgresql")
OLDEST = 15
IMAGE = os.environ.get("DAGFACTORY_TEST_POSTGRES_IMAGE", "postgres:16-alpine")
DOCKER_SOCKET = "/var/run/docker.sock"
PASSWORD = "pass word's"

DDL = """
CREATE TABLE "Orders" (
    "orderNo" int, "part" varchar(10), "amount" numeric(12, 2), "at" timestamptz, "note" text, "tags" text[],
    "doc" jsonb, "raw" bytea, PRIMARY KEY ("orderNo", "part"));
INSERT INTO "Orders" SELECT i, 'p' || i % 3, i * 1.10, '2026-01-01Z'::timestamptz + i * interval '1 h',
    CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'line' || chr(10) || chr(9) || i END,
    ARRAY['a', NULL, i::text], jsonb_build_object('i', i), decode(md5(i::text), 'hex') FROM generate_series(1, 200) i
"""
CHANGES = """
UPDATE "Orders" SET "note" = '' WHERE "orderNo" % 40 = 0;
DELETE FROM "Orders" WHERE "orderNo" % 50 = 7;
INSERT INTO "Orders" ("orderNo", "part", "amount") VALUES (1000, 'x', 1.00)
"""


@pytest.fixture(scope="module", params=["system", "container"])
def other(request) -> Iterator[object]:
    if request.param == "system":
        with server_folder() as directory:
            server = EmbeddedPostgres(directory / "server", options={"fsync": "off"}, binaries=system_binaries())
            with server:
                yield server
    else:
        with container() as started:
            yield started


def system_binaries() -> Path:
    """The oldest PostgreSQL of the system's packages that is supported."""
    found = {int(path.parent.parent.name): path.parent for path in SYSTEM.glob("[0-9]*/bin/initdb")}
    supported = [version for version in sorted(found) if version >= OLDEST]
    if not supported:
        pytest.skip(f"the system has no PostgreSQL {OLDEST} or newer in {SYSTEM}")
    return found[supported[0]]


def container():
    if "DOCKER_HOST" not in os.environ and not _answers(DOCKER_SOCKET):
        pytest.skip("no Docker daemon answers here: no PostgreSQL in a container")
    import docker
    from docker.errors import DockerException
    from testcontainers.community.postgres import PostgresContainer

    try:
        with closing(docker.from_env()) as daemon:
            daemon.ping()
            if not daemon.images.list(IMAGE):
                daemon.images.pull(IMAGE)
    except DockerException as error:
        pytest.skip(f"no container of {IMAGE}: {type(error).__name__} ({str(error)[:80]})")
    return _Started(PostgresContainer(IMAGE, driver=None))


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


class _Started:
    """A container with the face of EmbeddedPostgres."""

    def __init__(self, postgres) -> None:
        self._postgres = postgres

    def __enter__(self):
        self._postgres.start()
        self.host = self._postgres.get_container_host_ip()
        self.port = int(self._postgres.get_exposed_port(5432))
        return self

    def __exit__(self, *error) -> None:
        self._postgres.stop()

    def dsn(self, database: str = "postgres") -> str:
        user, word = self._postgres.username, self._postgres.password
        return f"postgresql://{user}:{word}@{self.host}:{self.port}/{database}"

    def create_role(self, name: str, password: str) -> None:
        create_role(self.dsn(), name, password)

    def create_database(self, name: str, owner: str) -> None:
        create_database(self.dsn(), name, owner)


@pytest.fixture(params=["source", "store", "both"])
def new_database(request, postgres, other):
    """Databases of which the source, the merge store or both are on the other server."""

    def make(label: str) -> SimpleNamespace:
        server = other if request.param in (label, "both") else postgres
        name = f"{label}_{request.param}_{os.urandom(3).hex()}"
        server.create_role(name, PASSWORD)
        server.create_database(name, name)
        where = {"host": server.host, "port": server.port, "dbname": name, "user": name, "password": PASSWORD}
        return SimpleNamespace(
            server=server, name=name, user=name, password=PASSWORD, connect=lambda: psycopg2.connect(**where)
        )

    return make


def test_the_laws_hold_between_versions(merging, record_property):
    case = merging(DDL)
    for side in ("source", "target"):
        [(version,)] = case.query("SHOW server_version", getattr(case, side))
        record_property(side, version)
        print(f"{side}: PostgreSQL {version}")
    case.merge_both()
    case.execute(CHANGES)
    results = case.merge_both()
    assert all(result.total.changed == 5 + 4 + 1 for result in results.values())


# What a server has if it was built with libxml and ICU, as those of the system's packages are; the embedded one is not.
OF_A_BUILD = """
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE t (id text COLLATE nocase PRIMARY KEY, doc xml, word text COLLATE nocase);
INSERT INTO t VALUES ('a', '<a/>', 'x'), ('b', '<b> &amp; </b>', 'y'), ('c', NULL, 'z'), ('d', '<d/>', 'd')
"""


def test_xml_and_texts_in_which_case_does_not_count(merging):
    case = merging("SELECT")
    try:
        case.execute(OF_A_BUILD)
    except psycopg2.errors.FeatureNotSupported as error:
        pytest.skip(f"the source's PostgreSQL lacks libxml or ICU: {str(error).strip()}")
    case.describe()
    if not has_xml(case.target):
        print("the merge store's PostgreSQL lacks libxml: xml goes into a text")
        case.datasets = tuple(
            replace(d, columns=tuple(replace(c, type="text") if c.type == "xml" else c for c in d.columns))
            for d in case.datasets
        )
    case.merge_both()
    case.execute(
        """UPDATE t SET doc = '<a></a>' WHERE id = 'a'; UPDATE t SET word = 'Y' WHERE id = 'b';
           UPDATE t SET id = 'D' WHERE id = 'd'"""
    )
    for result in case.merge_both().values():
        counts = result.datasets["t"].counts
        assert (counts.updated, counts.inserted, counts.deleted) == (2, 1, 1)


def has_xml(database) -> bool:
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        try:
            cursor.execute("SELECT '<a/>'::xml")
        except psycopg2.errors.FeatureNotSupported:
            return False
        return True
