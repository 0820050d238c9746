"""`dagfactory simulate`: the merge job's change simulator under this command."""

from __future__ import annotations

import os
import subprocess
import sys

import typer


def simulate(context: typer.Context) -> None:
    """Change a producer's customers and addresses, as people do. All options are those of merge-job simulate.

    Example: dagfactory simulate --dsn postgresql://... --max-changes 100 --seed 7

    Exit codes: those of merge-job simulate.
    """
    command = [sys.executable, "-m", "merge_jobs", "simulate", *context.args]
    if os.name == "posix":
        # This process becomes the job: signals, Ctrl+C among them, and the exit code need no passing on.
        sys.stdout.flush()
        os.execv(command[0], command)
    sys.exit(subprocess.call(command))
