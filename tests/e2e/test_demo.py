"""The demo as a person runs it: from an empty folder to counts that are checked, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airflow_plugin.demo.model import EXAMPLES
from airflow_plugin.demo.postgres import free_port

DEMO = [sys.executable, "-m", "airflow_plugin", "demo"]


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not tmp_path: as root PostgreSQL runs as another user, who cannot walk into pytest's folders.
    with tempfile.TemporaryDirectory(prefix="demo-test-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made) / "demo"


def run_demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, timeout=400
    )


def processes_of(folder: Path) -> list[str]:
    """Whatever runs with this folder in its command line, environment or working directory."""
    found = []
    for process in psutil.process_iter():
        try:
            about = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except (psutil.Error, OSError):
            continue
        if process.pid != os.getpid() and any(str(folder) in text for text in about):
            found.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
    return found


def test_the_demo_ends_with_counts_that_are_the_truth_and_leaves_no_process(folder):
    done = run_demo("--exit", "--port", str(free_port()), "--dir", str(folder))
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
    assert processes_of(folder) == []


def test_ctrl_c_stops_everything(folder):
    port = free_port()
    demo = subprocess.Popen(
        [*DEMO, "--port", str(port), "--dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for_port(port, demo)
    assert len(processes_of(folder)) > 5
    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=60)
    assert "Traceback" not in said
    assert demo.returncode == 128 + signal.SIGINT
    assert processes_of(folder) == []


def wait_for_port(port: int, demo: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up and demo.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("the api-server never listened")


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
def test_a_server_that_does_not_let_us_in_is_one_clear_error(postgres, folder, user, database, said):
    dsn = postgres.dsn(database, user, "s3cret-wrong") if user else postgres.dsn(database)
    done = run_demo("--exit", "--port", str(free_port()), "--dir", str(folder), DAGFACTORY_DSN=dsn)
    assert is_one_clear_error(done, "DAGFACTORY_DSN", said)
    assert "s3cret-wrong" not in done.stdout + done.stderr
    assert processes_of(folder) == []


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
