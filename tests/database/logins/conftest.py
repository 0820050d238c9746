"""A merge store with the logins of its components, on the embedded PostgreSQL and on the system's older one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
import yaml
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.component_logins import Duty
from tests.conftest import FreshDatabase, drop_databases
from tests.server_folder import server_folder

OLD = Path("/usr/lib/postgresql/15/bin")
NUMBERS = itertools.count()
PASSWORD = "pass word's"
PLATFORMS = ("yellowlive", "yellowforensic")


@pytest.fixture(scope="module", params=["embedded", "PostgreSQL 15"])
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    if request.param == "embedded":
        yield request.getfixturevalue("postgres")
        return
    if not (OLD / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {OLD}, whose rules for CREATEROLE are other ones")
    with (
        server_folder() as folder,
        EmbeddedPostgres(folder / "server", options={"fsync": "off"}, binaries=OLD) as started,
    ):
        yield started
        started.stop("immediate")


@dataclass
class Done:
    """How a command ended, and what it printed; the program prints an error so."""

    exit_code: int
    output: str


@dataclass
class Store:
    """A merge store of both platforms of the example model, and the folder that bootstrap writes into."""

    server: EmbeddedPostgres
    name: str
    folder: Path

    @property
    def owner(self) -> str:
        return self.server.dsn(self.name, self.name, PASSWORD)

    @property
    def database(self) -> FreshDatabase:
        return FreshDatabase(self.server, self.name, self.name, PASSWORD)

    @property
    def owners_login(self) -> dict[str, str]:
        return {names.dsn_variable(platform): self.owner for platform in PLATFORMS}

    def bootstrap(self, *flags: str, env: dict[str, str] | None = None, model: Path | None = None) -> Done:
        """Run `dagfactory bootstrap --roles` by the owner, or with another environment."""
        source = [] if "--settings" in flags else ["--model", str(model or self.folder / "model")]
        command = ["bootstrap", "--roles", *source, "--out", str(self.folder), *flags]
        done = CliRunner().invoke(app, command, env=self.owners_login if env is None else env)
        if isinstance(done.exception, StreamFactoryError):
            return Done(1, done.output + str(done.exception))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.output)

    def lines(self, component: str) -> dict[str, str]:
        text = (self.folder / "logins" / f"{component}.env").read_text()
        return dict(line.split("=", 1) for line in text.splitlines())

    def dsn(self, duty: Duty, platform: str = "yellowlive") -> str:
        components = {"reader": "dag-processor", "worker": "worker", "pages": "api-server", "sync": "sync"}
        variable = names.web_dsn_variable(platform) if duty is Duty.PAGES else names.dsn_variable(platform)
        return self.lines(components[duty.value])[variable]

    def run(self, dsn: str, statement: str) -> list[tuple]:
        with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def rights(self) -> list[tuple]:
        """All rights on tables of this database, and the roles of its components with their passwords' verifiers."""
        on_tables = self.run(
            self.server.dsn(self.name),
            """SELECT c.relname, a.grantee::regrole::text, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
               WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner ORDER BY 1, 2, 3""",
        )
        roles = "SELECT rolname, rolpassword, rolcanlogin FROM pg_authid WHERE starts_with(rolname, %s) ORDER BY 1"
        with closing(psycopg2.connect(self.server.dsn(self.name))) as connection, connection.cursor() as cursor:
            cursor.execute(roles, (f"{self.name}_yellow",))
            return on_tables + cursor.fetchall()


@pytest.fixture(scope="module")
def make_store(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory):
    """Make a merge store whose owner may create roles, or may not: `make_store("plain", may_create_roles=False)`."""
    made: list[str] = []

    def make(label: str, *, may_create_roles: bool = True) -> Store:
        # Never the same again: the roles of an earlier store of that name would be taken for this one's.
        name = f"{label}_{os.getpid()}_{next(NUMBERS)}"
        server.create_role(name, PASSWORD)
        server.create_database(name, name)
        made.append(name)
        store = Store(server, name, tmp_path_factory.mktemp(label))
        if may_create_roles:
            store.run(server.dsn(), f'ALTER ROLE "{name}" CREATEROLE')
        write_model(store)
        return store

    yield make
    drop_databases(server, made)


def write_model(store: Store) -> None:
    """The example model, its merge stores in this database."""
    examples = Path(config_schema.__file__).parent / "examples"
    (store.folder / "model").mkdir()
    model = yaml.safe_load((examples / "ecosystem.yaml").read_text())
    for platform in model["platforms"]:
        platform["merge_store"] |= {"host": store.server.host, "port": store.server.port, "database": store.name}
        platform["merge_store"]["tls"] = "disable"  # the test's servers are built without
    (store.folder / "model" / "ecosystem.yaml").write_text(yaml.safe_dump(model))
    mapping = "dsg_platform_mapping.json"
    (store.folder / "model" / mapping).write_text((examples / mapping).read_text())
