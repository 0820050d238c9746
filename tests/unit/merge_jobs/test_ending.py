"""A signal that comes while the job begins: whatever code it hits, the job has ended by it."""

from __future__ import annotations

import signal
import subprocess
import sys

# In a process of its own: the handlers of signals belong to a process. Python wraps what __set_name__ raises.
PROGRAM = """
import os, signal, time
from merge_jobs.process import shutdown
from merge_jobs.errors import (Ended)

class Part:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            time.sleep(0.01)

with shutdown.ended_by_signals():
    try:
        with shutdown.raised_at_once():
            type("Whole", (), {"part": Part()})
    except Ended as error:
        print(error.what, type(error.__cause__).__name__)
"""


def test_a_signal_of_which_other_code_makes_another_error_ends_the_job():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"ended by {signal.SIGTERM.name} RuntimeError\n", "")
