"""The last-good snapshot: what it keeps of streams, and which files it does not believe."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_plugin.health.streams import snapshot_problems
from airflow_plugin.rows import stream_loader
from airflow_plugin.rows.last_good import (
    KnownStream,
    LastGood,
    Row,
    merged,
    updated_streams,
)
from airflow_plugin.rows.last_good_file import (
    LastGoodMissing,
    LastGoodUnusable,
    StreamNotGone,
    forget_streams,
    read_snapshot,
    still_there,
    write_snapshot,
    writing,
)
from airflow_plugin.rows.reading import StreamTableRows, TableRow
from airflow_plugin.rows.stream_loader import Known, keep
from airflow_plugin.settings import PlatformSettings

GOOD, BAD = Row("active", '{"good": "é\u2028"}'), Row("paused", "{")
STREAMS = {
    stream.stream_key: stream
    for stream in (
        KnownStream("A", GOOD, GOOD),
        KnownStream("B", BAD, GOOD),
        KnownStream("C", None, GOOD),
        KnownStream("D#x", BAD),
    )
}
SNAPSHOT = LastGood("4:17", STREAMS, settings='{"a": "settings file"}')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshots" / "yellowlive.snapshot"


def write(path: Path, snapshot: LastGood = SNAPSHOT) -> None:
    with writing(path):
        write_snapshot(path, "yellowlive", snapshot)


def test_what_is_written_is_read_again_and_belongs_to_its_owner_only(path):
    assert read_snapshot(path, "yellowlive") is None
    write(path)
    found = read_snapshot(path, "yellowlive")
    assert (found.token, found.streams, found.settings) == (SNAPSHOT.token, STREAMS, SNAPSHOT.settings)
    assert 0 <= found.age < 60
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir() if file.suffix == ".part"] == []


rows = st.builds(Row, st.text(), st.text())
streams = st.builds(KnownStream, st.text(), st.none() | rows, st.none() | rows)


@given(st.lists(streams, unique_by=lambda stream: stream.stream_key))
def test_any_text_survives_the_file(tmp_path_factory, listed):
    path = tmp_path_factory.mktemp("any") / "any.snapshot"
    wanted = {stream.stream_key: stream for stream in listed}
    write_snapshot(path, "yellowlive", LastGood("token", wanted))
    assert read_snapshot(path, "yellowlive").streams == wanted


def spoiled(content: bytes) -> dict[str, bytes]:
    head, body = content.split(b"\n", 1)
    return {
        "changed settings": content.replace(b"settings file", b"evil file"),
        "a changed config": head + b"\n" + body.replace(b"good", b"evil"),
        "a lost line": head + b"\n" + body.split(b"\n", 1)[1],
        "half a file": content[: len(content) // 2],
        "no file": b"",
        "another file": b"[1, 2, 3]\n[]",
        "no text": b"\xff\xfe" + content,
        "another platform": content.replace(b"yellowlive", b"bluelive"),
        "another version": head.replace(b'"version": 1', b'"version": 2') + b"\n" + body,
    }


@pytest.mark.parametrize("what", spoiled(b"{}\n[]\n"))
def test_a_file_that_is_not_whole_or_not_ours_is_refused_with_what_to_do(path, what):
    write(path)
    path.write_bytes(spoiled(path.read_bytes())[what])
    with pytest.raises(LastGoodUnusable) as caught:
        read_snapshot(path, "yellowlive")
    assert caught.value.path == path


def test_a_file_that_others_can_write_is_refused(path):
    write(path)
    path.chmod(0o664)
    with pytest.raises(LastGoodUnusable, match="others than Airflow's user"):
        read_snapshot(path, "yellowlive")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_neither_believed_nor_overwritten(path):
    write(path)
    os.chown(path, 12345, 12345)
    before = path.read_bytes()
    with pytest.raises(LastGoodUnusable, match="others than Airflow's user"):
        read_snapshot(path, "yellowlive")
    with pytest.raises(PermissionError, match="belongs to another user"):
        write(path)
    assert path.read_bytes() == before


def test_a_row_that_is_gone_keeps_its_stream_and_a_retired_one_does_not():
    table = [
        TableRow("A", "retired", ""),
        TableRow("B", "active", "new"),
        TableRow("E", "active", "new"),
        TableRow("F", "retired", ""),
    ]
    assert updated_streams(STREAMS, table) == {
        "B": KnownStream("B", Row("active", "new"), GOOD),
        "C": KnownStream("C", None, GOOD),
        "D#x": KnownStream("D#x", None, BAD),  # another shard's, perhaps: nobody here knows whether it is good
        "E": KnownStream("E", Row("active", "new")),
    }
    assert updated_streams(STREAMS, []).keys() == STREAMS.keys()


def test_each_shard_keeps_what_it_found_good_and_what_the_others_did():
    seen = LastGood("t", {key: KnownStream(key, GOOD) for key in "ABC"})
    first = merged(None, seen, {"A": KnownStream("A", GOOD, GOOD)})
    second = merged(first, seen, {"B": KnownStream("B", GOOD, GOOD)})
    assert [stream.good for stream in second.streams.values()] == [GOOD, GOOD, None]


def test_accept_forgets_only_streams_whose_rows_are_gone(path):
    write(path)
    os.utime(path, (1000, 1000))
    with pytest.raises(StreamNotGone) as raised:
        forget_streams("yellowlive", path, frozenset("AC"))
    assert raised.value.stream_key == "A"
    assert read_snapshot(path, "yellowlive").streams == STREAMS
    assert forget_streams("yellowlive", path) == ["C"]
    left = read_snapshot(path, "yellowlive")
    assert left.streams.keys() == {"A", "B", "D#x"}
    assert left.confirmed_at == 1000  # the table has not been seen by this
    assert forget_streams("yellowlive", path) == []


def test_what_another_shard_has_kept_meanwhile_is_not_lost(path, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(path.parent))
    settings = PlatformSettings(original_platform_name="YellowLive")
    write(path, LastGood("t", {key: KnownStream(key, GOOD) for key in "AB"}))
    before = read_snapshot(path, "yellowlive")
    assert still_there(path, before)
    keep(settings, Known(before, before), {"A": KnownStream("A", GOOD, GOOD)})
    assert not still_there(path, before)
    keep(settings, Known(before, before), {"B": KnownStream("B", GOOD, GOOD)})
    assert [stream.good for stream in read_snapshot(path, "yellowlive").streams.values()] == [GOOD, GOOD]
    assert not still_there(path.with_name("none"), before)


def test_what_is_kept_while_the_table_is_away_does_not_look_younger(path, monkeypatch):
    write(path)
    os.utime(path, (1000, 1000))
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(path.parent))
    before = read_snapshot(path, "yellowlive")
    settings = PlatformSettings(original_platform_name="YellowLive")
    keep(settings, Known(before, before), {"D#x": KnownStream("D#x", BAD, GOOD)})
    after = read_snapshot(path, "yellowlive")
    assert after.streams["D#x"].good == GOOD
    assert after.settings == settings.to_json()
    assert (after.confirmed_at, Known(after, before).age > 1e9) == (1000, True)
    keep(settings, Known(replace(after, confirmed_at=2000.0), after), {})
    assert read_snapshot(path, "yellowlive").confirmed_at == 2000


def test_without_a_snapshot_accept_says_where_to_run_it(path):
    with pytest.raises(LastGoodMissing):
        forget_streams("yellowlive", path)
    assert not path.parent.exists()


def test_two_writers_take_turns_and_one_that_is_stuck_is_not_waited_for_long(path, monkeypatch):
    monkeypatch.setattr("airflow_plugin.rows.last_good_file.LOCK_SECONDS", 0.1)
    program = f"""
from pathlib import Path
from airflow_plugin.rows.last_good_file import writing
with writing(Path({str(path)!r})):
    print("locked", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(BlockingIOError):
            write(path)
        other.communicate("\n")
    write(path)


def test_a_crash_while_writing_leaves_the_file_as_it_was(path):
    write(path)
    program = f"""
import os
from pathlib import Path
from airflow_plugin.rows import last_good_file
os.fsync = lambda handle: os._exit(9)
path = Path({str(path)!r})
found = last_good_file.read_snapshot(path, "yellowlive")
with last_good_file.writing(path):
    last_good_file.write_snapshot(path, "yellowlive", found)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    assert read_snapshot(path, "yellowlive").streams == STREAMS
    write(path, replace(SNAPSHOT, token="next"))
    assert read_snapshot(path, "yellowlive").token == "next"


def test_the_file_is_lines_of_json(path):
    write(path)
    head, settings, *lines = path.read_text().splitlines()
    assert json.loads(settings) == SNAPSHOT.settings
    assert json.loads(head)["platform"] == "yellowlive"
    assert [json.loads(line)[0] for line in lines] == list(STREAMS)


def test_a_snapshot_stamped_ahead_of_the_clock_does_not_stop_the_reading_of_the_table(path, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(path.parent))
    monkeypatch.setattr(stream_loader, "read_table", lambda settings, token: StreamTableRows("new", ()))
    settings = PlatformSettings(original_platform_name="YellowLive", cache_ttl=60)
    for stamp, read in ((time.time() - 10, False), (time.time() - 70, True), (time.time() + 3600, True)):
        write(path)
        os.utime(path, (stamp, stamp))
        found = stream_loader.all_streams(settings)
        assert (found.now.token == "new") is read
    keep(settings, found, {})
    assert read_snapshot(path, "yellowlive").ahead == 0
    assert not stream_loader.all_streams(settings).now.ahead


def test_a_snapshot_that_stays_ahead_of_the_clock_is_a_problem(path, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_SNAPSHOT_DIR", str(path.parent))
    write(path)
    settings = PlatformSettings(original_platform_name="YellowLive")
    for stamp, said in (
        (time.time() + 7200, "7[12]..? s ahead of this machine's clock"),
        (1000, "was last seen"),
        (time.time(), None),
    ):
        os.utime(path, (stamp, stamp))
        problems = [problem.what for problem in snapshot_problems(settings, read_snapshot(path, "yellowlive"))]
        assert len(problems) == (said is not None)
        assert said is None or re.search(said, problems[0])
