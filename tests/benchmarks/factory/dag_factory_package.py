"""dag-factory, installed apart: its console script is called as ours, so the two never share an environment."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "1.1.0"
# By the name of its module: what it needs beside Airflow.
NEEDED = {"packaging": "packaging", "pathspec": "pathspec", "yaml": "pyyaml", "typer": "typer"}
WITHOUT_TELEMETRY = {"DO_NOT_TRACK": "1", "SCARF_NO_ANALYTICS": "1", "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False"}


class NotInstalledError(Exception):
    """There is no dag-factory to be had here; the message says why."""


def dag_factory(folder: Path) -> Path:
    """The folder to put on Python's path; installed there if it is not yet. Raises NotInstalledError."""
    wanted = folder / f"dag_factory-{VERSION}.dist-info"
    if not wanted.exists():
        shutil.rmtree(folder, ignore_errors=True)
        missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
        done = subprocess.run(
            [*_installer(), "--target", str(folder), "--no-deps", f"dag-factory=={VERSION}", *missing],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NotInstalledError(f"it cannot be installed here: {done.stdout.strip().splitlines()[-1]}")
    return folder


def _installer() -> list[str]:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
