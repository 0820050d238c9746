"""The demo as a person runs it: from an empty folder to counts that are checked, and nothing left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from airflow_plugin.demo.model import EXAMPLES
from airflow_plugin.demo.postgres import free_port

DEMO = [sys.executable, "-m", "airflow_plugin", "demo"]


@pytest.fixture(scope="module")
def kept_folder() -> Iterator[Path]:
    """A folder for --dir that more than one test uses, as people do."""
    # Not tmp_path: as root PostgreSQL runs as another user, who cannot walk into pytest's folders.
    with tempfile.TemporaryDirectory(prefix="demo-test-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made) / "demo"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for --dir that nothing may come to be in."""
    return tmp_path / "demo"


@pytest.fixture
def orphans() -> Iterator[Callable[[], list[str]]]:
    """A function that gives the processes that came of this test and still run, their parents dead or not.

    On Linux orphans become children of this process. Environments are no help: Airflow's processes overwrite theirs.
    """
    become_subreaper(True)
    before = set(psutil.Process().children(recursive=True))

    def left() -> list[str]:
        found = []
        for process in set(psutil.Process().children(recursive=True)) - before:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
        return found

    yield left
    become_subreaper(False)


def become_subreaper(on: bool) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, int(on), 0, 0, 0)


def run_demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, timeout=400
    )


def test_the_demo_ends_with_counts_that_are_the_truth_and_leaves_no_process(kept_folder, orphans):
    done = run_demo("--exit", "--port", str(free_port()), "--dir", str(kept_folder))
    assert done.returncode == 0, done.stdout + done.stderr
    # platform, round, dataset, inserted, updated, deleted, unchanged, total, seconds, code, truth
    lines = re.findall(
        r"(Yellow\w+)\s+(\d) ([a-z ]+?)\s+(customers|addresses)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+[\d.]+"
        r"\s+0 DONE\s+ok",
        done.stdout,
    )
    assert len(lines) == 2 * 3 * 2, done.stdout
    counts = {(*line[:2], line[3]): tuple(map(int, line[4:])) for line in lines}
    for platform in ("YellowLive", "YellowForensic"):
        assert counts[platform, "1", "customers"] == (5, 0, 0, 0, 5)
        assert counts[platform, "1", "addresses"] == (8, 0, 0, 0, 8)
        changed = [counts[platform, "2", dataset] for dataset in ("customers", "addresses")]
        assert all(sum(of) > 0 for of in zip(*[row[:3] for row in changed], strict=True)), "a kind of change is missing"
        assert all(counts[platform, "3", dataset][:3] == (0, 0, 0) for dataset in ("customers", "addresses"))
    assert "A scheduled run has passed" in done.stdout
    assert "All 12 lines are the truth" in done.stdout
    live = re.findall(r"yellow(\w+?)_Consumer1_\w+_Store1_customers_view_live: (\d+) rows", done.stdout)
    assert {platform for platform, _ in live} == {"live", "forensic"}
    assert len({rows for _, rows in live}) == 1
    assert re.search(r"The history of customer \S+, as the consumer reads it\n.*? to now: id ", done.stdout, re.DOTALL)
    assert orphans() == []


def test_ctrl_c_in_the_next_demo_on_the_folder_stops_everything_though_a_merge_is_running(kept_folder, orphans):
    demo = subprocess.Popen(
        [*DEMO, "--port", str(free_port()), "--dir", str(kept_folder)],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert demo.stdout is not None
    watchdog = threading.Timer(200, demo.kill)
    watchdog.start()
    try:
        assert any("waiting for the DAGs" in line for line in demo.stdout)
        while not any("merge_jobs" in process for process in orphans()):
            assert demo.poll() is None, "the first round passed without a merge job"
            time.sleep(0.05)
        demo.send_signal(signal.SIGINT)
        time.sleep(0.5)
        demo.send_signal(signal.SIGINT)  # impatience makes it no worse
        said = demo.stdout.read()
        assert demo.wait() == 128 + signal.SIGINT, said
    finally:
        watchdog.cancel()
        demo.stdout.close()
    assert "Traceback" not in said
    assert orphans() == []


def is_one_clear_error(done: subprocess.CompletedProcess[str], *texts: str) -> bool:
    said = " ".join(done.stderr.split())
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert all(text in said for text in texts), said
    return len(said) < 600


def test_a_port_in_use_is_one_clear_error_before_anything_starts(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run_demo("--exit", "--port", str(taken.getsockname()[1]), "--dir", str(folder))
    assert is_one_clear_error(done, "--port", "cannot be had", "Give another one")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("user", "database", "said"),
    [("postgres", "postgres", "wrong user name or password"), ("", "no_such_db", "the database does not exist")],
)
def test_a_server_that_does_not_let_us_in_is_one_clear_error(postgres, folder, orphans, user, database, said):
    dsn = postgres.dsn(database, user, "s3cret-wrong") if user else postgres.dsn(database)
    done = run_demo("--exit", "--port", str(free_port()), "--dir", str(folder), DAGFACTORY_DSN=dsn)
    assert is_one_clear_error(done, "DAGFACTORY_DSN", said)
    assert "s3cret-wrong" not in done.stdout + done.stderr
    assert orphans() == []


def test_a_server_where_we_may_not_create_is_one_clear_error(new_database, folder):
    database = new_database("plain")
    done = run_demo("--exit", "--port", str(free_port()), "--dir", str(folder), DAGFACTORY_DSN=database.dsn)
    assert is_one_clear_error(done, "DAGFACTORY_DSN", "may not create roles and databases")


def test_a_broken_model_is_one_clear_error_before_anything_starts(folder, tmp_path):
    for name in ("ecosystem.yaml", "dsg_platform_mapping.json"):
        shutil.copy(EXAMPLES / name, tmp_path)
    text = (tmp_path / "ecosystem.yaml").read_text()
    (tmp_path / "ecosystem.yaml").write_text(text.replace("milestoning: forensic", "milestoning: forensik"))
    done = run_demo("--exit", "--port", str(free_port()), "--dir", str(folder), "--model", str(tmp_path))
    assert is_one_clear_error(done, "platforms[1].milestoning", "'forensik' is not known", "Did you mean 'forensic'?")
    assert not folder.exists()
