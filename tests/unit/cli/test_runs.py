"""`dagfactory runs` becomes `merge-job`: options, output and exit code are the job's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import config_schema

EXAMPLES = Path(config_schema.__file__).parent / "examples"
DATASET = ("--platform=YellowLive", "--store=Store1", "--dataset=customers", f"--model={EXAMPLES}")


def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={"PATH": os.environ["PATH"], "COLUMNS": "200", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("command", ["status", "changes", "diff", "check-source", "reset", "sql"])
def test_help_is_that_of_the_job(command):
    ours, theirs = run("airflow_plugin", "runs", command, "--help"), run("merge_jobs", command, "--help")
    assert (ours.returncode, ours.stderr) == (0, "")
    assert ours.stdout.replace("dagfactory runs", "merge-job").split() == theirs.stdout.split()
    assert f"Usage: dagfactory runs {command}" in ours.stdout


def test_the_group_names_its_commands():
    done = run("airflow_plugin", "runs", "--help")
    assert done.returncode == 0
    for name in ("status", "reset", "sql"):
        assert re.search(rf"^│ {name} +\S", done.stdout, re.MULTILINE)
    assert run("airflow_plugin", "runs", "rest").returncode == 2


def test_options_and_output_are_handed_on():
    ours, theirs = run("airflow_plugin", "runs", "sql", "full", *DATASET), run("merge_jobs", "sql", "full", *DATASET)
    assert (ours.returncode, ours.stdout, ours.stderr) == (0, theirs.stdout, "")
    assert ours.stdout.startswith("-- YellowLive Store1 customers: full\n")


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["sql", "sideways", *DATASET], 1, "error: dagfactory runs sql: there is no strategy 'sideways'"),
        (["sql", "full", "--force"], 2, ""),
        (["reset", *DATASET], 1, "error: --dataset: 'customers' is one dataset, and Store1 is a multi_dataset store. "),
        (["reset", "--store=Store1"], 2, "--platform"),
        (["status", f"--model={EXAMPLES}"], 1, "is not set"),
        (["status", "--store"], 2, ""),
    ],
)
def test_exit_codes_and_errors_are_the_jobs(arguments, code, what):
    done = run("airflow_plugin", "runs", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert what in done.stderr
    assert "Traceback" not in done.stderr


def test_the_twins_in_the_environment_hold():
    environment = {"DATASURFACE_PLATFORM": "YellowForensic", "DATASURFACE_MODEL": str(EXAMPLES)}
    done = run("airflow_plugin", "runs", "sql", "forensic", "--store=Store1", "--dataset=addresses", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("-- YellowForensic Store1 addresses: forensic\n")
