"""`python -m` in a process of its own that has imported the programs already: half of what a command takes is that."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# pytest too: each process imports the main module of the one that wants it.
PRELOADED = ("pytest", "merge_jobs.cli", "merge_jobs.cli.app", "airflow_plugin.cli", "airflow_plugin.cli.program")
SECONDS = 120

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(list(PRELOADED))


def run_module(
    module: str,
    *arguments: object,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module` to its end, as subprocess.run does, with nothing to read. Raises TimeoutExpired."""
    command = [module, *map(str, arguments)]
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        output = [Path(folder) / name for name in ("out", "err")]
        process = _forks.Process(target=_become, args=(command, dict(os.environ if env is None else env), cwd, output))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout)
        out, err = (file.read_text() for file in output)
        return subprocess.CompletedProcess(command, process.exitcode, out, err)


def _become(command: Sequence[str], environment: Mapping[str, str], cwd: Path | None, output: Sequence[Path]) -> None:
    for number, file in enumerate(output, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(environment)
    if cwd is not None:
        os.chdir(cwd)
    sys.path.insert(0, str(Path.cwd()))
    sys.argv = list(command)
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
