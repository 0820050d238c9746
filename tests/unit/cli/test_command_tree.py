"""What holds of every command: what lists has --json, an option has one name, help shows the command's own name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.docs.readme import commands, summary

# A command that looks at something and shows it begins so; those that print a document say Print, and write it whole.
LISTS = ("List", "Show", "Check", "Compare", "Move", "Bring")
# Commands of dagfactory that are one of merge-job, whose options they have.
OF_THE_JOB = {
    **{f"dagfactory runs {one}": f"merge-job {one}" for one in ("status", "changes", "diff", "reset", "trust", "sql")},
    "dagfactory views reconcile": "merge-job views reconcile",
    "dagfactory model import database": "merge-job describe",
}
ALL = commands(hidden=True)
LISTED = {name: ALL[OF_THE_JOB.get(name, name)] for name in commands()}


def options(name: str) -> set[str]:
    return {flag for one in LISTED[name].params for flag in one.opts if flag.startswith("--")}


@pytest.mark.parametrize("name", [one for one in LISTED if summary(commands()[one]).startswith(LISTS)])
def test_each_command_that_lists_has_json(name):
    assert "--json" in options(name)


def test_the_commands_that_list_are_those_that_say_so():
    json = {name for name in LISTED if "--json" in options(name)}
    listing = {name for name in LISTED if summary(commands()[name]).startswith(LISTS)}
    assert listing > {"dagfactory status", "dagfactory streams list", "dagfactory platform last-good"}
    assert json - listing == {
        *("dagfactory streams show", "dagfactory streams preview", "dagfactory streams purge"),
        "merge-job simulate",
    }


# What one thing is called: names that other programs or earlier versions gave it stand in no command's help.
ONE_NAME = {"--out": ("--file", "--output"), "--git-repo-branch": ("--branch",)}
INPUT = {"dagfactory streams preview": "--file", "dagfactory validate": "--branch"}  # the same word for another thing


@pytest.mark.parametrize("name", LISTED)
def test_an_option_has_one_name_in_all_commands(name):
    others = {other for many in ONE_NAME.values() for other in many}
    assert options(name) & others <= {INPUT.get(name)}


@pytest.mark.parametrize("name", OF_THE_JOB)
def test_a_command_of_the_job_has_its_own_name_in_its_help_and_in_its_mistakes(name):
    help_, wrong = run(*name.split()[1:], "--help"), run(*name.split()[1:], "--no-such-option")
    assert (help_.returncode, help_.stderr, wrong.returncode, wrong.stdout) == (0, "", 2, "")
    assert f"Usage: {name} " in help_.stdout
    assert f"Example: {name} " in help_.stdout
    assert "merge-job" not in help_.stdout
    assert f"Try '{name} --help'" in wrong.stderr


@pytest.mark.parametrize(("module", "program"), [("airflow_plugin", "dagfactory"), ("merge_jobs", "merge-job")])
def test_each_program_says_its_version(module, program):
    done = run("--version", module=module)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{program} {installed_version()}\n", "")


def installed_version() -> str:
    code = "import importlib.metadata as m; print(m.version('airflow-stream-factory'))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def run(*arguments: str, module: str = "airflow_plugin") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
