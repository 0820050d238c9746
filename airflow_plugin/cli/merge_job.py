"""The merge job as a child process: this program knows its command line, not its code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Never

# A command that hands on whatever it is given, --help too.
PASSED_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def run_merge_job(*arguments: str, handed_on: Sequence[str]) -> Never:
    """End this program with what `merge-job` ends with."""
    command = [sys.executable, "-m", "merge_jobs", *arguments, *handed_on]
    if os.name == "posix":
        # This process becomes the job: signals, Ctrl+C among them, and the exit code need no passing on.
        sys.stdout.flush()
        os.execv(command[0], command)
    sys.exit(subprocess.call(command))
