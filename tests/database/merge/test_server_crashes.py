"""Servers that crash, disks that fill up: the last committed batch stays, and the next run reports what it should."""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psycopg2
import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema.model import Milestoning
from config_schema.result import Counts
from merge_jobs.errors import DatabaseFailed
from tests.conftest import binaries
from tests.server_folder import server_folder

# Wide rows in one table, so that a copy of it goes on for a while; a second table to commit together with it.
TABLES = """
CREATE TABLE big (id int PRIMARY KEY, word text);
ALTER TABLE big ALTER word SET STORAGE EXTERNAL;
INSERT INTO big SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 5000) n;
CREATE TABLE small (id int PRIMARY KEY, word text); INSERT INTO small SELECT n, 'w' FROM generate_series(1, 50) n
"""
CHANGES = (
    "UPDATE big SET word = 'new' WHERE id <= 30; DELETE FROM big WHERE id = 99; INSERT INTO small VALUES (77, 'x')"
)
EXPECTED = {"big": Counts(0, 30, 1, 4969, 4999), "small": Counts(1, 0, 0, 50, 51)}
WORD = "pass word's"

numbers = itertools.count()


@pytest.fixture
def servers() -> Iterator[SimpleNamespace]:
    """A server for the source and one for the merge store, to be crashed."""
    with server_folder() as folder:
        # Crash-safe: what is said to be committed must outlive the crash.
        made = {label: EmbeddedPostgres(folder / label, binaries=binaries()) for label in ("source", "store")}
        with made["source"], made["store"]:
            yield SimpleNamespace(**made)


@pytest.fixture
def new_database(servers):
    def make(label: str) -> SimpleNamespace:
        server = getattr(servers, label)
        name = f"{label}_{next(numbers)}"
        server.create_role(name, WORD)
        server.create_database(name, name)
        where = {"host": server.host, "port": server.port, "dbname": name, "user": name, "password": WORD}
        return SimpleNamespace(
            server=server, name=name, user=name, password=WORD, connect=lambda: psycopg2.connect(**where)
        )

    return make


def crash(server: EmbeddedPostgres) -> None:
    server.stop("immediate")
    server.start()


@pytest.mark.parametrize("kind", Milestoning)
def test_a_merge_store_that_crashes_in_the_merge_keeps_the_last_batch(merging, servers, tmp_path, caplog, kind):
    case = merging(TABLES)
    case.merge(kind)
    case.execute(CHANGES)
    before = {dataset.name: sorted(case.versions(kind, dataset)) for dataset in case.datasets}
    platform = "yellowlive" if kind is Milestoning.LIVE else "yellowforensic"
    with closing(case.target.connect()) as other, other.cursor() as cursor:
        cursor.execute(f'LOCK TABLE "{platform}_Store1_small_merge" IN SHARE MODE')
        child = case.start_child(kind, tmp_path, "crashed", "--strategy=full")
        wait_for(lambda: case.query("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)])
        assert case.batch_rows(kind)[-1] == (2, "ingested", "crashed")
        crash(servers.store)
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 1
    assert '"retryable":true' in said
    assert {dataset.name: sorted(case.versions(kind, dataset)) for dataset in case.datasets} == before

    result = case.merge(kind, lock_wait=30)
    assert "begun again, because" in caplog.text  # unlogged staging is empty after a crash
    assert {name: of.counts for name, of in result.datasets.items()} == EXPECTED


def test_a_merge_store_that_was_a_standby_for_a_while_goes_on_from_no_emptied_table(merging, servers, tmp_path, caplog):
    """Unlogged tables are empty then, and the statistics, which tell of a crash, are as they were."""
    kind = Milestoning.LIVE
    case = merging(TABLES)
    case.merge(kind)
    case.execute("DELETE FROM big WHERE id = 99")  # stages no row, only a change of the map
    with closing(case.target.connect()) as other, other.cursor() as cursor:
        cursor.execute('LOCK TABLE "yellowlive_Store1_small_merge" IN SHARE MODE')
        cursor.execute('LOCK TABLE "yellowlive_Store1_big_merge" IN SHARE MODE')
        child = case.start_child(kind, tmp_path, "killed")
        wait_for(lambda: case.query("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)])
        child.kill()
        child.communicate(timeout=60)
    assert case.batch_rows(kind)[-1] == (2, "ingested", "killed")
    since = case.query("SELECT stats_reset FROM pg_stat_archiver")
    servers.store.stop()
    (servers.store.directory / "data" / "standby.signal").touch()
    servers.store.start()
    with closing(psycopg2.connect(servers.store.dsn())) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_promote()")
    assert case.query("SELECT stats_reset FROM pg_stat_archiver") == since
    result = case.merge(kind, lock_wait=30)
    assert "begun again, because the staged map of big has other rows" in caplog.text
    assert result.datasets["big"].counts.deleted == 1


@pytest.mark.parametrize("kind", Milestoning)
def test_a_source_that_crashes_while_it_is_read_fails_the_batch_for_a_retry(merging, servers, tmp_path, kind):
    case = merging(TABLES)
    case.merge(kind)
    case.execute(CHANGES)
    with closing(case.source.connect()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE small IN ACCESS EXCLUSIVE MODE")
        child = case.start_child(kind, tmp_path, "crashed")
        wait_for(lambda: case.query("SELECT count(*) FROM pg_locks WHERE NOT granted", case.source) == [(1,)])
        crash(servers.source)
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 1
    assert '"retryable":true' in said
    assert case.batch_rows(kind)[-1][:2] == (2, "failed")
    result = case.merge(kind)
    assert {name: of.counts for name, of in result.datasets.items()} == EXPECTED


def test_a_source_that_goes_away_in_the_middle_of_a_copy_never_counts_as_its_end(merging, servers, monkeypatch):
    from merge_jobs.sources.postgres.source import PostgresSource

    case = merging(TABLES)
    case.merge(Milestoning.LIVE)
    copy_out = PostgresSource.copy_out

    def cut(self, dataset, types, binary, into, *part):
        """Crash the source once some of its rows have arrived."""
        first = threading.Event()

        class Tap:
            def write(self, data):
                if not first.is_set():
                    first.set()
                    crash(servers.source)
                return into.write(data)

        return copy_out(self, dataset, types, binary, Tap(), *part)

    monkeypatch.setattr(PostgresSource, "copy_out", cut)
    with pytest.raises(DatabaseFailed) as caught:
        case.run(Milestoning.LIVE, strategy=full())
    assert caught.value.retryable
    monkeypatch.undo()
    case.execute(CHANGES)
    result = case.merge(Milestoning.LIVE)
    assert {name: of.counts for name, of in result.datasets.items()} == EXPECTED


def full():
    from merge_jobs.strategies.selection import StrategyOption

    return StrategyOption.FULL


@pytest.fixture
def small_disk(servers) -> Iterator[Path]:
    """A folder on a file system of 24 MB, for a tablespace of the merge store."""
    if os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root only")
    with tempfile.TemporaryDirectory(prefix="stream-factory-disk-") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "tmpfs", folder], capture_output=True, text=True
        )
        if mounted.returncode != 0:
            pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
        try:
            space = Path(folder) / "space"
            space.mkdir()
            os.chown(space, servers.store._data.stat().st_uid, -1)
            yield space
        finally:
            servers.store.stop("immediate")
            subprocess.run(["umount", folder], check=True)


def test_a_full_disk_fails_the_batch_and_loses_nothing(merging, servers, small_disk):
    case = merging(TABLES)
    with closing(psycopg2.connect(servers.store.dsn())) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute("CREATE TABLESPACE small LOCATION %s", (str(small_disk),))
            cursor.execute("GRANT CREATE ON TABLESPACE small TO PUBLIC")
            cursor.execute(f"ALTER ROLE {case.target.name} SET default_tablespace = small")
    case.merge(Milestoning.LIVE)
    before = {dataset.name: case.open_rows(Milestoning.LIVE, dataset) for dataset in case.datasets}
    case.execute(
        "INSERT INTO big SELECT n, repeat(md5(n::text), 30) FROM generate_series(5001, 40000) n"
    )  # 5 MB fit, 40 do not
    with pytest.raises(DatabaseFailed, match="disk_full") as caught:
        case.run(Milestoning.LIVE)
    assert caught.value.retryable
    assert {dataset.name: case.open_rows(Milestoning.LIVE, dataset) for dataset in case.datasets} == before
    assert case.batch_rows(Milestoning.LIVE)[-1][1] == "failed"
    case.execute("DELETE FROM big WHERE id > 5100")
    assert case.merge(Milestoning.LIVE).datasets["big"].counts == Counts(100, 0, 0, 5000, 5100)


def wait_for(happened) -> None:
    give_up = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.05)
