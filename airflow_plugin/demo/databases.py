"""The demo's databases, each with a role of its own, on the embedded server or on one of the user's."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import parse_dsn

from airflow_plugin.demo.postgres import create_database, create_role
from airflow_plugin.merge_store import connect, worded

OWNERS = {
    "customer_db": "producer",
    "datasurface_merge": "merge",
    "consumer_db": "consumer",
    "airflow": "airflow",
}
READER = "ingest"  # reads the producer's tables for the merge job, and can do nothing else


@dataclass(frozen=True)
class Databases:
    """Where the databases are, and the passwords of their roles."""

    host: str
    port: int
    passwords: dict[str, str]

    def dsn(self, database: str, role: str | None = None) -> str:
        """A libpq URL for the database's owner, or for another role."""
        user = role or OWNERS[database]
        return f"postgresql://{user}:{quote(self.passwords[user])}@{self.host}:{self.port}/{database}"

    def connect(self, database: str) -> psycopg2.extensions.connection:
        return connect(self.dsn(database), database)


def create_databases(admin_dsn: str, where: str, passwords_file: Path) -> Databases:
    """Create what is missing with a role that may. Raises StreamFactoryError: wrong password, no such server, no right.

    The passwords are kept in `passwords_file`, owner-only, for the next time.
    """
    connect(admin_dsn, where).close()
    passwords = _passwords(passwords_file)
    with worded(where):
        for role, password in passwords.items():
            create_role(admin_dsn, role, password)
        for database, owner in OWNERS.items():
            create_database(admin_dsn, database, owner)
        at = parse_dsn(admin_dsn)
        databases = Databases(at.get("host", "localhost"), int(at.get("port", "5432")), passwords)
        _let_the_reader_read(databases)
    return databases


def _let_the_reader_read(databases: Databases) -> None:
    """On the producer's tables as they are and as they will come."""
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
    passwords = {role: secrets.token_urlsafe(16) for role in (*OWNERS.values(), READER)}
    path.touch(mode=0o600)
    path.write_text(json.dumps(passwords))
    return passwords
