"""A real PgBouncer before the server of the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from airflow_plugin.demo.postgres import free_port

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
UNPRIVILEGED = "nobody"  # PgBouncer does not run as root


class PooledServer:
    """The address of a pooler, in the place of its server's."""

    def __init__(self, port: int) -> None:
        self.host, self.port = "127.0.0.1", port


@pytest.fixture
def pooler(postgres) -> Iterator[Any]:
    """`pooler("transaction", database, ...)` starts a PgBouncer for the databases; gives back them as it has them."""
    if PGBOUNCER is None:
        pytest.skip("there is no pgbouncer here")
    running: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        Path(folder).chmod(0o755)

        def start(mode: str, *databases: Any, **options: Any) -> list[Any]:
            port = free_port()
            settings = {"pool_mode": mode, "listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": ""}
            settings |= {"auth_type": "scram-sha-256", "auth_file": f"{folder}/users", "default_pool_size": 5}
            settings |= options
            users = "".join(f'"{one.user}" "{one.password}"\n' for one in databases)
            (Path(folder) / "users").write_text(users)
            lines = [f"{key} = {value}" for key, value in settings.items()]
            text = "\n".join(["[databases]", f"* = host=127.0.0.1 port={postgres.port}", "[pgbouncer]", *lines])
            (Path(folder) / "pgbouncer.ini").write_text(text + "\n")
            command = [PGBOUNCER, "-q", f"{folder}/pgbouncer.ini"]
            running.append(subprocess.Popen(command, user=UNPRIVILEGED if os.geteuid() == 0 else None))
            _wait_until_it_listens(port, running[-1])
            return [replace(one, server=PooledServer(port)) for one in databases]

        yield start
        for process in running:
            process.terminate()
            process.wait(10)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, "pgbouncer has ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError("pgbouncer does not listen")


def connect(database: Any) -> psycopg2.extensions.connection:
    connection = psycopg2.connect(
        host=database.server.host,
        port=database.server.port,
        dbname=database.name,
        user=database.user,
        password=database.password,
    )
    connection.autocommit = True
    return connection
