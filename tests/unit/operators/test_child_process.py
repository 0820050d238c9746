"""Real child processes: their lines as they come, and nothing left of them."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from airflow_plugin.operators import child_process
from airflow_plugin.operators.child_process import ChildProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def started(tmp_path):
    children = []

    def start(program: str) -> ChildProcess:
        children.append(ChildProcess([sys.executable, "-c", program], ENVIRONMENT, tmp_path))
        return children[-1]

    yield start
    for child in children:
        child.end()


def test_lines_of_both_outputs_come_whole_whatever_their_bytes(started):
    child = started(
        "import os, sys, time\n"
        "os.write(1, b'first\\r\\nhalf'); time.sleep(.2); os.write(2, b'error\\n'); os.write(1, b' and half\\n')\n"
        "os.write(1, b'\\xff no utf-8\\nlast without an end')"
    )
    assert list(child.lines()) == [
        "first",
        "error",
        "half and half",
        "\N{REPLACEMENT CHARACTER} no utf-8",
        "last without an end",
    ]
    assert child.ended == "exit code 0"


def test_a_line_comes_before_the_process_ends(started):
    child = started("import time; print('now'); time.sleep(60)")
    assert next(child.lines()) == "now"
    child.end()
    assert child.ended == "signal SIGTERM"


def test_a_line_without_end_comes_in_pieces(started, monkeypatch):
    monkeypatch.setattr(child_process, "LINE_BYTES", 100_000)
    lengths = [len(line) for line in started("print('x' * 250_000)").lines()]
    assert sum(lengths) == 250_000
    assert max(lengths) <= 100_000 + (1 << 16)  # a piece, and what was read with its end


def test_output_that_a_grandchild_holds_open_does_not_hold_up_the_end(started):
    child = started(
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5)'], start_new_session=True)\n"
        "print('done')"
    )
    assert list(child.lines()) == ["done"]


def test_a_process_that_closes_its_output_is_waited_for(started, tmp_path):
    child = started(
        "import os, time\nos.close(1); os.close(2); time.sleep(.5)\nopen('finished', 'w').close(); os._exit(3)"
    )
    assert list(child.lines()) == []
    assert child.ended == "exit code 3"
    assert (tmp_path / "finished").exists()


def test_the_end_reaches_the_whole_group_and_what_does_not_hear_is_killed(started, monkeypatch):
    monkeypatch.setattr(child_process, "END_SECONDS", 0.3)
    child = started(
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(inner.pid); time.sleep(60)"
    )
    lines = child.lines()
    inner = int(next(lines))
    child.ask_to_end()
    assert list(lines) == []
    child.end()
    assert child.ended == "signal SIGKILL"
    assert gone(inner)


def test_the_job_of_a_worker_that_is_killed_dies_with_it(tmp_path):
    program = (
        "import os, pathlib, sys\n"
        "from airflow_plugin.operators.child_process import ChildProcess\n"
        "job = ChildProcess([sys.executable, '-c', 'import time; time.sleep(60)'], os.environ, pathlib.Path())\n"
        "print(job.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    worker = ChildProcess([sys.executable, "-c", program], ENVIRONMENT, tmp_path)
    job = int(next(worker.lines()))
    assert gone(job)
    worker.end()


def gone(pid: int) -> bool:
    """Whether the process ends within some seconds; a zombie that nobody has fetched has ended too."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False
