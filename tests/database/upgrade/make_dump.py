"""Make the dumps of an installation of an earlier commit, with that commit's own sync and jobs.

`git worktree add --detach FOLDER COMMIT`, then `python -m tests.database.upgrade.make_dump FOLDER BINARIES`.
BINARIES is the bin folder of the oldest PostgreSQL that is supported, so that each one can read the dumps.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg2

from airflow_plugin.demo.postgres import EmbeddedPostgres
from airflow_plugin.sync.apply import author
from tests.database.tools.conftest import wait_until
from tests.database.upgrade.installation import HERE, PLATFORMS, SOURCE, STORE, job_command, model, write_model

PRODUCER = """
CREATE TABLE customers (id int PRIMARY KEY, name varchar(40) NOT NULL, email text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, amount numeric(10,2));
CREATE TABLE products (code text PRIMARY KEY, title text);
CREATE TABLE events (id int, word text);
CREATE TABLE sensors (id int PRIMARY KEY, seen timestamptz);
INSERT INTO customers SELECT i, 'customer ' || i, 'c' || i || '@example.com' FROM generate_series(1, 40) i;
INSERT INTO orders SELECT i, 1 + i % 40, i * 1.25 FROM generate_series(1, 60) i;
INSERT INTO products SELECT 'p' || i, 'product ' || i FROM generate_series(1, 10) i;
INSERT INTO events SELECT i, 'event ' || i FROM generate_series(1, 20) i;
INSERT INTO sensors SELECT i, '2026-01-01 00:00Z'::timestamptz + i * interval '1 hour' FROM generate_series(1, 10) i;
"""
ROUNDS = (
    "UPDATE customers SET email = NULL WHERE id % 10 = 0; DELETE FROM orders WHERE id <= 5;"
    "INSERT INTO events VALUES (21, 'event 21')",
    "INSERT INTO customers VALUES (41, 'customer 41', 'c41@example.com'); UPDATE orders SET amount = 0 WHERE id = 10;"
    "UPDATE customers SET email = 'back@example.com' WHERE id = 10; DELETE FROM sensors WHERE id = 3",
)


class Old:
    """The programs of an earlier commit, on a server with both databases."""

    def __init__(self, code: Path, server: EmbeddedPostgres, folder: Path) -> None:
        self.code, self.server, self.folder = code, server, folder
        self.synced, self.for_jobs = folder / "synced", folder / "for_jobs"
        login = {"POSTGRES": STORE, "PRODUCER": SOURCE}
        self.secrets = {f"{key}_{part}": name for key, name in login.items() for part in ("USERNAME", "PASSWORD")}
        dsns = {f"DAGFACTORY_{name.upper()}_DSN": server.dsn(STORE, STORE, STORE) for name in PLATFORMS}
        home = {"AIRFLOW_HOME": str(folder / "airflow"), "DAGFACTORY_SETTINGS_DIR": str(folder / "files" / "settings")}
        self.environment = os.environ | self.secrets | dsns | home

    def run(self, *command: str, fails: bool = False) -> str:
        """Run `python -m COMMAND` of that commit."""
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.code, env=self.environment, capture_output=True, text=True
        )
        if (done.returncode != 0) is not fails:
            raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def commit(self, *stores: str, gone: str = "") -> None:
        """Sync a model with these datastores, and let jobs find the same one with today's addresses."""
        wanted = model(stores=stores)
        write_model(self.synced, wanted)
        git = ["git", "-C", str(self.synced)]
        if not gone:
            subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
        subprocess.run([*git, *author, "commit", "-q", "-m", "The model"], check=True)
        write_model(self.for_jobs, model(self.server.host, self.server.port, stores=stores))
        flags = ["--allow-incompatible", gone] if gone else []
        self.run("airflow_plugin", "sync", str(self.synced), "--yes", *flags)

    def source(self, statements: str) -> None:
        """Change the producer."""
        with closing(psycopg2.connect(self.server.dsn(SOURCE, SOURCE, SOURCE))) as connection, connection:
            connection.cursor().execute(statements)

    def merge(self, run_id: str, *stores: str, fails: bool = False) -> None:
        """Run the jobs of both platforms; a store may have a dataset, as a stream's key has it."""
        for platform in PLATFORMS:
            for store in stores:
                command = job_command(platform, store, self.for_jobs, f"{run_id}-{platform}-{store}")
                self.run("merge_jobs", *command, fails=fails)

    def leave_ingested(self, platform: str, store: str, run_id: str) -> None:
        """Kill a job while it waits for the lock of its last statement."""
        table = f"{platform.lower()}_batch_counter"
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'merge-job%'"
        with closing(psycopg2.connect(self.server.dsn(STORE))) as other, other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
            command = [sys.executable, "-m", "merge_jobs", *job_command(platform, store, self.for_jobs, run_id)]
            child = subprocess.Popen(command, cwd=self.code, env=self.environment)
            with closing(psycopg2.connect(self.server.dsn(STORE))) as watching:
                watching.autocommit = True
                with watching.cursor() as looking:
                    wait_until(lambda: looking.execute(waiting) or looking.rowcount)
            child.kill()
            child.wait()


def main(code: Path, binaries: Path) -> None:
    """Write store.sql and source.sql beside this module."""
    with tempfile.TemporaryDirectory(prefix="stream-factory-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder / "server", binaries=binaries) as server:
            for name in (STORE, SOURCE):
                server.create_role(name, name)
                server.create_database(name, name)
            fill(Old(code, server, folder))
            for name in (STORE, SOURCE):
                (HERE / f"{name}.sql").write_text(dump(server, binaries, name), "utf-8")
            server.stop("immediate")


def fill(old: Old) -> None:
    """Do what an installation does in its life: live, forensic, retired, changed by hand, failed, and left open."""
    old.source(PRODUCER)
    old.commit("Store1", "Store2", "Store3")
    old.run("airflow_plugin", "bootstrap", "--model", str(old.synced), "--out", str(old.folder / "files"))
    streams = ("Store1", "Store2", "Store3#events", "Store3#sensors")
    old.merge("first", *streams)
    for number, change in enumerate(ROUNDS):
        old.source(change)
        old.merge(f"round-{number}", *streams)
    old.run("airflow_plugin", "streams", "pause", "Store3#sensors", "--platform", "YellowLive")
    old.run("airflow_plugin", "streams", "set", "Store1", "retries=5", "--platform", "YellowForensic")
    old.commit("Store1", "Store3", gone="Store2.products")
    old.source("INSERT INTO events VALUES (21, 'twice')")
    old.merge("failing", "Store3#events", fails=True)
    old.source("UPDATE customers SET name = 'late' WHERE id = 7; DELETE FROM customers WHERE id = 8")
    old.leave_ingested("YellowForensic", "Store1", "killed")


def dump(server: EmbeddedPostgres, binaries: Path, name: str) -> str:
    """Return a database as plain SQL, without what no server of another version needs."""
    command = [binaries / "pg_dump", "--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=20", "-d"]
    said = subprocess.run([*command, server.dsn(name)], check=True, capture_output=True, text=True).stdout
    said = said.replace(author(), "ann@host")
    # Functions come before the tables that they read.
    left_out = re.compile(r"--|SET (?!check_function_bodies)|SELECT pg_catalog.set_config|\\|$")
    kept = (line for line in said.splitlines() if not left_out.match(line))
    return "\n".join(kept) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
