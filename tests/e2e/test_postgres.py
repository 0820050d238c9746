"""The embedded server belongs to whom started it, and is gone with them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from airflow_plugin.demo.errors import DemoFolderRefused, DemoProgramFailed
from airflow_plugin.demo.postgres import EmbeddedPostgres

START = """
import signal
import sys
from pathlib import Path
from airflow_plugin.demo.postgres import EmbeddedPostgres
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background, it is ignored
with EmbeddedPostgres(Path(sys.argv[1])):
    sys.exit("it started, and nobody interrupted it")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="server-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made) / "server"


def test_a_port_that_somebody_takes_before_the_start_is_replaced(folder):
    with socket.socket() as other:
        server = EmbeddedPostgres(folder)
        other.bind((server.host, server.port))
        other.listen()
        taken = server.port
        with server, psycopg2.connect(server.dsn()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert server.port != taken
        connection.close()


def test_a_port_that_was_asked_for_is_not_replaced(folder):
    with socket.socket() as other:
        other.bind((EmbeddedPostgres.host, 0))
        other.listen()
        with pytest.raises(DemoProgramFailed, match="Address already in use"):
            EmbeddedPostgres(folder, port=other.getsockname()[1]).start()


def test_ctrl_c_while_it_starts_leaves_no_server(folder):
    starting = start(folder)
    log, pid_file = folder / "postgres.log", folder / "data" / "postmaster.pid"
    while not (log.exists() and log.stat().st_size and pid_file.exists()):
        assert starting.poll() is None, starting.communicate()[1]
    server = int(pid_file.read_text().partition("\n")[0])
    interrupt(starting)
    give_up = time.monotonic() + 5
    while Path(f"/proc/{server}/cmdline").exists() and Path(f"/proc/{server}/cmdline").read_bytes():
        assert time.monotonic() < give_up, "the server still runs"
        time.sleep(0.05)


def test_ctrl_c_while_its_folder_is_made_leaves_one_that_the_next_can_use(folder):
    starting = start(folder)
    while not (folder / "data" / "postmaster.pid").exists():  # initdb has a server of its own for a moment
        assert starting.poll() is None, starting.communicate()[1]
    interrupt(starting)
    with EmbeddedPostgres(folder) as server:
        psycopg2.connect(server.dsn()).close()


def start(folder: Path) -> subprocess.Popen[str]:
    """In a session of its own, so that a Ctrl+C can reach all of it, as a terminal's does."""
    command = [sys.executable, "-c", START, str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def interrupt(starting: subprocess.Popen[str]) -> None:
    os.killpg(starting.pid, signal.SIGINT)
    _, said = starting.communicate(timeout=30)
    assert said.strip().endswith("KeyboardInterrupt")
    assert "ended with" not in said


def test_a_server_that_was_left_behind_makes_way_for_the_next_and_its_data_stay(folder):
    left = EmbeddedPostgres(folder).start()
    left.create_role("somebody", "word")
    with EmbeddedPostgres(folder) as server, pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(server.dsn(user="somebody", password="wrong"))
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        psycopg2.connect(left.dsn())
    left.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_a_folder_that_the_servers_user_cannot_walk_into_is_named(tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(DemoFolderRefused, match="who may not walk into"):
        EmbeddedPostgres(tmp_path / "server")
    assert not (tmp_path / "server").exists()
