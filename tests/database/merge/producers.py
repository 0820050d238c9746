"""Producers that are not PostgreSQL, for tests: a file of SQLite, and a MariaDB of our own where the machine has it."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_plugin.demo.postgres import free_port
from config_schema.model import Database, Dataset, Ecosystem, SourceKind
from tests.database.conftest import Merging


class SqliteProducer:
    kind = SourceKind.SQLITE

    def __init__(self, folder: Path) -> None:
        self.path = folder / "producer.db"

    def connect(self) -> Any:
        return sqlite3.connect(self.path)

    def database(self) -> Database:
        return Database("localhost", str(self.path), "none", kind=self.kind)


class MariaProducer:
    kind = SourceKind.MYSQL

    def __init__(self, port: int, name: str) -> None:
        self.port, self.name = port, name

    def connect(self, user: str = "producer", password: str = "geheim", database: str | None = None) -> Any:
        import pymysql

        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=user, password=password, database=database or self.name
        )

    def database(self) -> Database:
        return Database("127.0.0.1", self.name, "producer", self.port, kind=self.kind)


@pytest.fixture(scope="session")
def maria() -> Iterator[int]:
    """The port of a MariaDB of our own."""
    with mariadb() as port:
        yield port


@contextmanager
def mariadb(*options: str, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """Start a MariaDB with these options, and in TLS with this certificate and its key; its port."""
    server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if server is None or install is None:
        pytest.skip("there is no MariaDB on this machine (mariadbd, mariadb-install-db)")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="maria-", ignore_cleanup_errors=True) as folder:
        user = "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        shutil.chown(folder, user)
        Path(folder).chmod(0o755)
        # Its temporary files too: a TMPDIR of the user who runs the tests may be closed to it.
        common = ["--no-defaults", f"--user={user}", f"--datadir={folder}/data", f"--tmpdir={folder}"]
        setup = [install, *common, "--auth-root-authentication-method=socket", "--skip-test-db"]
        subprocess.run(setup, check=True, capture_output=True)
        init = Path(folder) / "init.sql"
        # By address: an anonymous user of localhost would come before one of any host.
        user_here = "producer@'127.0.0.1'"
        init.write_text(
            f"CREATE USER {user_here} IDENTIFIED BY 'geheim';\nGRANT ALL ON *.* TO {user_here} WITH GRANT OPTION;\n"
        )
        init.chmod(0o644)
        places = [
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            f"--socket={folder}/s",
            f"--pid-file={folder}/p",
            *options,
        ]
        if certificate is not None:
            shown, key = (shutil.copy(file, folder) for file in certificate)
            shutil.chown(key, user)
            places += [f"--ssl-cert={shown}", f"--ssl-key={key}"]
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen([server, *common, *places, f"--init-file={init}"], stdout=log, stderr=log)
        try:
            wait_until_it_answers(port)
            yield port
        finally:
            process.terminate()
            process.wait(30)


def wait_until_it_answers(port: int) -> None:
    import pymysql

    give_up = time.monotonic() + 60
    while True:
        try:
            MariaProducer(port, "mysql").connect().close()
            return
        except pymysql.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def execute(producer, statements: str) -> None:
    with closing(producer.connect()) as connection:
        cursor = connection.cursor()
        for statement in statements.split(";"):
            text = statement if producer.kind is SourceKind.MYSQL else statement.replace("\\\\", "\\")
            cursor.execute(text)
        connection.commit()


@pytest.fixture(params=["sqlite", "mariadb"])
def producer(request, tmp_path):
    if request.param == "sqlite":
        return SqliteProducer(tmp_path)
    made = MariaProducer(request.getfixturevalue("maria"), f"producer_{os.urandom(3).hex()}")
    with closing(made.connect(database="mysql")) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {made.name} CHARACTER SET utf8mb4")
    return made


def with_written_truth(case: Merging, beside: Merging) -> None:
    """Let the case's truth be the rows in its list `truth`, as PostgreSQL has them in the producer of `beside`."""
    case.truth = []  # type: ignore[attr-defined]

    def source_rows(of: Dataset) -> Any:
        types = ", ".join(f'"{column.name}" {column.type}' for column in of.columns)
        beside.execute(f"DROP TABLE IF EXISTS truth; CREATE TABLE truth ({types})")
        marks = ", ".join("%s" for _ in of.columns)
        with closing(beside.source.connect()) as session, session, session.cursor() as cursor:
            for row in case.truth:  # type: ignore[attr-defined]
                cursor.execute(f"INSERT INTO truth VALUES ({marks})", row)
        return {key: row for key, row, _ in beside._rows(beside.source, "public", "truth", of)}

    case.source_rows = source_rows  # type: ignore[method-assign]


def read_from(made: Merging, producer: SqliteProducer | MariaProducer) -> None:
    """Put the producer into the place of PostgreSQL's in the harness of merges."""
    of_postgres, of_secrets = type(made).ecosystem.fget, type(made).secrets.fget
    login = {"PRODUCER_USERNAME": "producer", "PRODUCER_PASSWORD": "geheim"}

    def ecosystem(self: Merging) -> Ecosystem:
        built = of_postgres(self)
        return replace(built, datastores=(replace(built.datastores[0], source=producer.database()),))

    more = {"ecosystem": property(ecosystem), "secrets": property(lambda self: {**of_secrets(self), **login})}
    made.__class__ = type("OtherMerging", (type(made),), more)


def compare_with(truth: Merging, made: Merging, producer: SqliteProducer | MariaProducer) -> None:
    """Let the laws compare with what the producer's driver reads, written down as PostgreSQL has it in `truth`."""

    def source_rows(dataset: Dataset) -> Any:
        names = ", ".join(f"`{column.name}`" for column in dataset.columns)
        types = ", ".join(f'"{column.name}" {column.type}' for column in dataset.columns)
        truth.execute(f'DROP TABLE IF EXISTS "{dataset.name}"; CREATE TABLE "{dataset.name}" ({types})')
        with closing(producer.connect()) as theirs, closing(truth.source.connect()) as ours:
            cursor = theirs.cursor()
            cursor.execute(f"SELECT {names} FROM {dataset.name}")
            marks = ", ".join("%s" for _ in dataset.columns)
            with ours, ours.cursor() as writer:
                for row in cursor.fetchall():
                    writer.execute(f'INSERT INTO "{dataset.name}" VALUES ({marks})', row)
        return {key: row for key, row, _ in truth._rows(truth.source, "public", dataset.name, dataset)}

    made.source_rows = source_rows  # type: ignore[method-assign]
