"""A SQLite file that is exchanged between the check of its path and its opening is not read."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from config_schema.model import SourceKind
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.errors import ConnectFailed
from merge_jobs.sources.sql import sqlite_file
from merge_jobs.sources.sql.engine import source_engine, take_snapshot


def made(folder, value: str):
    """Write a file with a log, as a producer has it that is killed: nobody in this process has it open."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "written.db", isolation_level=None)) as session:
        session.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (v TEXT)")
        session.execute("INSERT INTO t VALUES (?)", (value,))
        for ending in ("", "-wal"):
            shutil.copy(folder / f"written.db{ending}", folder / f"shop.db{ending}")
    return folder


@pytest.fixture
def folders(tmp_path):
    """The producer's folder, and that of another producer."""
    return made(tmp_path / "ours", "ours"), made(tmp_path / "theirs", "theirs")


def by_link(ours, theirs):
    (ours / "shop.db").unlink()
    (ours / "shop.db").symlink_to(theirs / "shop.db")


def by_name(ours, theirs):
    os.replace(theirs / "shop.db", ours / "shop.db")


def by_folder(ours, theirs):
    ours.rename(ours.with_name("away"))
    ours.symlink_to(theirs)


@pytest.mark.parametrize("exchange", [by_link, by_name, by_folder])
def test_a_file_that_is_exchanged_while_it_is_opened_is_not_read(folders, monkeypatch, exchange):
    connect = sqlite3.connect

    def connecting(*arguments, **options):
        exchange(*folders)
        return connect(*arguments, **options)

    monkeypatch.setattr(sqlite3, "connect", connecting)
    with pytest.raises(ConnectFailed, match="has come into the place of the file") as caught:
        sqlite_file.open_file(str(folders[0] / "shop.db"), "here")
    assert caught.value.retryable


@pytest.mark.parametrize("exchange", [by_link, by_folder])
def test_a_link_that_has_come_before_is_not_followed(folders, exchange):
    exchange(*folders)
    with pytest.raises(ConnectFailed, match="has come into the place of the file"):
        sqlite_file.open_file(str(folders[0] / "shop.db"), "here")


def test_the_log_of_another_file_is_not_read(folders):
    ours, theirs = folders
    place = ConnectionInfo("h", 1, str(ours / "shop.db"), "public", "", "", SourceKind.SQLITE)
    engine = source_engine(place, "here")
    with engine.connect() as session:
        by_folder(ours, theirs)
        with pytest.raises(ConnectFailed, match="or of its log"):
            take_snapshot(session, place, "here")
    ours.unlink()
    ours.with_name("away").rename(ours)
    with engine.connect() as session, engine.connect() as beside:
        for one in (session, beside):
            take_snapshot(one, place, "here")
            assert one.execute(sa.text("SELECT v FROM t")).scalars().all() == ["ours"]


def test_opening_ends_no_lock_of_another_session(folders):
    ours, _ = folders
    held = sqlite_file.open_file(str(ours / "shop.db"), "here")
    with closing(held):
        held.execute("BEGIN")
        held.execute("SELECT count(*) FROM t").fetchall()
        sqlite_file.open_file(str(ours / "shop.db"), "here").close()
        with closing(sqlite3.connect(ours / "shop.db", timeout=0)) as writer, pytest.raises(sqlite3.OperationalError):
            writer.execute("PRAGMA journal_mode = DELETE").fetchall()
