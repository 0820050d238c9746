"""What befalls a producer's server: restarts, crashes, backups and standbys make the next batch full, once."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psycopg2
import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema.model import Milestoning

TABLE = "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT n, 'w' FROM generate_series(1, 400) n"
CHANGE = "UPDATE t SET word = word || '.' WHERE id = 7; DELETE FROM t WHERE id = 8; INSERT INTO t VALUES (8, 'again')"
LIVE = Milestoning.LIVE
WORD = "pass word's"

numbers = itertools.count()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="stream-factory-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def servers(folder, postgres) -> Iterator[SimpleNamespace]:
    """A server of the test's own for the source, which survives a crash, and the session's for the merge store."""
    with EmbeddedPostgres(folder / "source") as source:
        yield SimpleNamespace(source=source, store=postgres)


@pytest.fixture
def new_database(servers):
    def make(label: str) -> SimpleNamespace:
        server = getattr(servers, label)
        name = f"guard_{label}_{next(numbers)}"
        server.create_role(name, WORD)
        server.create_database(name, name)

        made = SimpleNamespace(server=server, name=name, user=name, password=WORD)
        made.connect = lambda: psycopg2.connect(made.server.dsn(name, name, WORD))
        return made

    return make


@pytest.fixture
def case(merging):
    made = merging(TABLE)
    made.merge(LIVE)
    made.execute(CHANGE)
    assert strategy_of(made) == ("version_diff", "row versions tell what has changed")
    return made


def test_a_restart(case, servers):
    servers.source.stop()
    servers.source.start()
    case.execute(CHANGE)
    assert strategy_of(case) == ("full", "the source was restarted since batch 2")
    check_that_versions_are_trusted_again(case)


def test_an_immediate_shutdown(case, servers):
    servers.source.stop("immediate")
    servers.source.start()
    case.execute(CHANGE)
    assert strategy_of(case) == ("full", "the source was restarted since batch 2")
    check_that_versions_are_trusted_again(case)


def test_a_killed_backend_restarts_the_server_which_keeps_its_start_time(case):
    """Under synchronous_commit=off a commit that a batch has seen may be lost by it."""
    started, counted = case.query("SELECT pg_postmaster_start_time()", case.source), statistics_since(case)
    with closing(case.source.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off; UPDATE t SET word = 'soon lost' WHERE id = 9")
        connection.commit()
        os.kill(connection.info.backend_pid, signal.SIGKILL)
    wait_for(lambda: statistics_since(case) not in (None, counted))
    assert case.query("SELECT pg_postmaster_start_time()", case.source) == started
    assert strategy_of(case) == ("full", "the source has crashed, or its statistics were reset since batch 2")
    check_that_versions_are_trusted_again(case)


def test_a_restored_copy_of_its_files(case, servers, folder):
    """The server is the same by its identity, and what was merged since the copy is lost."""
    source = servers.source
    source.stop()
    shutil.copytree(source._data, folder / "backup")
    source.start()
    case.execute(CHANGE)
    case.merge(LIVE)
    case.execute("UPDATE t SET word = 'to be lost' WHERE id < 5")
    case.merge(LIVE)
    source.stop()
    shutil.rmtree(source._data)
    shutil.copytree(folder / "backup", source._data)
    for path in (source._data, *source._data.rglob("*")):
        source._own(path)
    source.start()
    case.execute(CHANGE)
    strategy, reason = strategy_of(case)
    assert (strategy, reason) == ("full", "the source was restarted since batch 4")
    check_that_versions_are_trusted_again(case)


def test_a_promoted_standby(case, servers, folder):
    """Read as a standby, and once more after its promotion: each is another server than the one before."""
    standby = standby_of(servers.source, folder)
    try:
        standby.start()
        case.source.server, primary = standby, case.source.server
        assert strategy_of(case)[0] == "full"
        with closing(psycopg2.connect(primary.dsn(case.source.name))) as connection, connection.cursor() as cursor:
            cursor.execute(CHANGE)
            cursor.execute("SELECT pg_current_wal_lsn()")
            connection.commit()
            cursor.execute("SELECT pg_current_wal_lsn()")
            ((position,),) = cursor.fetchall()
        wait_for(lambda: case.query(f"SELECT pg_last_wal_replay_lsn() >= '{position}'", case.source) == [(True,)])
        assert strategy_of(case)[0] == "version_diff", "a standby's rows are mapped like any other's"
        standby._run("pg_ctl", "-D", str(standby._data), "-w", "promote")
        case.execute(CHANGE)
        strategy, reason = strategy_of(case)
        assert strategy == "full"
        assert reason.startswith("the source was promoted or restored since batch")
        check_that_versions_are_trusted_again(case)
    finally:
        standby.stop("immediate")


def standby_of(source: EmbeddedPostgres, folder: Path) -> EmbeddedPostgres:
    """A standby of `source`, not yet started."""
    standby = EmbeddedPostgres(folder / "standby")
    standby.directory.mkdir()
    standby._data.mkdir(mode=0o700)
    shutil.copy(source._password_file, standby._password_file)
    standby._log.touch()
    for path in (standby.directory, standby._data, standby._password_file, standby._log):
        standby._own(path)
    program = source._binaries / "pg_basebackup"
    if not program.exists():
        pytest.skip("there is no pg_basebackup beside the server")
    flags = ["-D", str(standby._data), "-d", source.dsn(), "-R", "-c", "fast", "-X", "stream"]
    done = subprocess.run([str(program), *flags], user=source._user, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return standby


def strategy_of(case) -> tuple[str, str]:
    done = case.merge(LIVE).datasets["t"]
    return done.strategy, done.reason


def check_that_versions_are_trusted_again(case) -> None:
    case.execute("UPDATE t SET word = 'later' WHERE id = 3")
    assert strategy_of(case)[0] == "version_diff"


def statistics_since(case) -> object:
    """Since when the source has counted; None while it does not answer."""
    try:
        return case.query("SELECT stats_reset FROM pg_stat_archiver", case.source)[0][0]
    except psycopg2.OperationalError:
        return None


def wait_for(happened) -> None:
    give_up = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.02)
