"""The demo's databases, each with a role of its own, on the embedded server or on one of the user's.

On a server of the user's, roles and databases of these names that the demo did not make are never touched.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql
from psycopg2.errors import ObjectInUse
from psycopg2.extensions import cursor as Cursor

from airflow_plugin.control.connection import connect, identity, translate_db_errors
from airflow_plugin.demo.errors import DemoServerRefused
from airflow_plugin.demo.postgres import create_database, create_role

OWNERS = {
    "customer_db": "producer",
    "datasurface_merge": "merge",
    "consumer_db": "consumer",
    "airflow": "airflow",
}
METADATA = "airflow"
READER = "ingest"  # reads the producer's tables for the merge job, and can do nothing else
ROLES = (*OWNERS.values(), READER)
MARK = "made by dagfactory demo"  # the comment on each role and database that is the demo's

STRANGERS = """
    SELECT 'role ' || rolname FROM pg_roles
    WHERE rolname = ANY (%(roles)s) AND shobj_description(oid, 'pg_authid') IS DISTINCT FROM %(mark)s
    UNION ALL
    SELECT 'database ' || datname FROM pg_database
    WHERE datname = ANY (%(databases)s) AND shobj_description(oid, 'pg_database') IS DISTINCT FROM %(mark)s
    ORDER BY 1
"""


@dataclass(frozen=True)
class Databases:
    """Where the databases are, and the passwords of their roles."""

    host: str
    port: int
    passwords: dict[str, str]

    def dsn(self, database: str, role: str | None = None) -> str:
        """Return a libpq URL for the database's owner, or for another role."""
        user = role or OWNERS[database]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{user}:{quote(self.passwords[user])}@{host}:{self.port}/{database}"

    def connect(self, database: str) -> psycopg2.extensions.connection:
        """Connect to a database as its owner."""
        return connect(self.dsn(database), database)


def create_databases(admin_dsn: str, where: str, passwords_file: Path) -> Databases:
    """Create what is missing with a role that may; Airflow's metadata begins empty each time.

    Raises StreamFactoryError: wrong password, no such server, no right, a name that is somebody else's. The passwords
    are kept in `passwords_file`, owner-only, for the next time.
    """
    host, port = _address(admin_dsn, where)
    admin = connect(admin_dsn, where)
    admin.autocommit = True  # DROP DATABASE cannot run in a transaction
    try:
        with translate_db_errors(where), admin.cursor() as cursor:
            _check_rights(cursor, where)
            _refuse_strangers(cursor, where)
            databases = Databases(host, port, _passwords(passwords_file))
            _create_all(admin_dsn, cursor, databases.passwords, where)
            _let_the_reader_read(databases)
    finally:
        admin.close()
    return databases


def _address(admin_dsn: str, where: str) -> tuple[str, int]:
    host, port, *_ = identity(admin_dsn, where)
    if not host or host.startswith("/") or not port.isdecimal():
        what = "it names no single host and port, where the merge jobs could connect with a password"
        raise DemoServerRefused(where, what, "Write postgresql://user:password@host:5432/postgres")
    return host, int(port)


def _check_rights(cursor: Cursor, where: str) -> None:
    cursor.execute("SELECT rolsuper OR rolcreaterole AND rolcreatedb FROM pg_roles WHERE rolname = current_user")
    if cursor.fetchone() != (True,):
        what = "its user may not create roles and databases"
        raise DemoServerRefused(where, what, "ALTER ROLE ... CREATEROLE CREATEDB, or name another user")


def _refuse_strangers(cursor: Cursor, where: str) -> None:
    cursor.execute(STRANGERS, {"roles": list(ROLES), "databases": list(OWNERS), "mark": MARK})
    if strangers := ", ".join(name for (name,) in cursor.fetchall()):
        what = f"on this server there are already, and not made by the demo: {strangers}"
        raise DemoServerRefused(where, what, "Rename them, or give the demo another server")


def _create_all(admin_dsn: str, cursor: Cursor, passwords: dict[str, str], where: str) -> None:
    _drop_metadata(cursor, where)
    for role in ROLES:
        create_role(admin_dsn, role, passwords[role])
        _mark(cursor, "ROLE", role)
    # It keeps consumers' views, and makes the roles that read them.
    cursor.execute(sql.SQL("ALTER ROLE {} CREATEROLE").format(sql.Identifier(OWNERS["datasurface_merge"])))
    for database, owner in OWNERS.items():
        create_database(admin_dsn, database, owner)
        _mark(cursor, "DATABASE", database)


def _drop_metadata(cursor: Cursor, where: str) -> None:
    """Drop the last demo's metadata: its DAGs would run on schedule before they are parsed again."""
    try:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(METADATA)))
    except ObjectInUse as error:
        what = f"somebody is connected to the database {METADATA}, perhaps another demo"
        raise DemoServerRefused(where, what, "End it first") from error


def _mark(cursor: Cursor, kind: str, name: str) -> None:
    statement = sql.SQL("COMMENT ON " + kind + " {} IS {}")
    cursor.execute(statement.format(sql.Identifier(name), sql.Literal(MARK)))


def _let_the_reader_read(databases: Databases) -> None:
    """Let the reader read the producer's tables, present and future."""
    reader = sql.Identifier(READER)
    statements = (
        "GRANT CONNECT ON DATABASE customer_db TO {}",
        "GRANT USAGE ON SCHEMA public TO {}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {}",
    )
    producer = databases.connect("customer_db")
    try:
        with producer, producer.cursor() as cursor:
            for statement in statements:
                cursor.execute(sql.SQL(statement).format(reader))
    finally:
        producer.close()


def _passwords(path: Path) -> dict[str, str]:
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    passwords = {role: secrets.token_urlsafe(16) for role in ROLES}
    path.touch(mode=0o600)
    path.write_text(json.dumps(passwords))
    return passwords
