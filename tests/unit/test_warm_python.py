"""A program in a process that has imported it already ends as in a new one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.warm_python import run_module

CLEAN = {"PATH": os.environ["PATH"]}


@pytest.mark.parametrize(
    "command",
    [("merge_jobs", "status", "--model=/nowhere"), ("merge_jobs", "merge", "--nothing"), ("merge_jobs", "--help")],
    ids=" ".join,
)
def test_it_says_the_same_and_ends_with_the_same_code(command):
    new = subprocess.run([sys.executable, "-m", *command], env=CLEAN, capture_output=True, text=True, check=False)
    warm = run_module(*command, env=CLEAN)
    assert (warm.returncode, warm.stdout, warm.stderr) == (new.returncode, new.stdout, new.stderr)


def test_it_has_the_environment_and_the_folder_given_and_a_process_of_its_own(tmp_path):
    (tmp_path / "show.py").write_text(
        "import os, sys; print(sorted(os.environ), os.getcwd(), sys.argv[1:], os.getpid()); sys.exit('no')"
    )
    done = run_module("show", "a b", 1, env={**CLEAN, "ONE": "1"}, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith(f"['ONE', 'PATH'] {tmp_path} ['a b', '1'] ")
    assert int(done.stdout.split()[-1]) != os.getpid()
    assert done.stderr == "no\n"


def test_one_that_takes_too_long_is_ended(tmp_path):
    (tmp_path / "waits.py").write_text("import time; time.sleep(600)")
    with pytest.raises(subprocess.TimeoutExpired):
        run_module("waits", env=CLEAN, cwd=tmp_path, timeout=0.5)
