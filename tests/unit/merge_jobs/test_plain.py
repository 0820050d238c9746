"""A plain command line means to the quick reader what it means to typer; what is not plain is left to typer."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from merge_jobs.cli.merge import merge
from merge_jobs.cli.plain import plain_options
from merge_jobs.cli.typer_command import typer_command
from merge_jobs.strategies.selection import StrategyOption

LEAST = ["--platform=P", "--store=S", "--run-id=r 1"]
PLAIN = {
    "no more than is needed": ([], {}),
    "a value of each kind": (
        ["--model=/a b/c", "--postgres-port=5433", "--strategy=key_hash_diff", "--lock-wait=1.5", "--datasets=a,b"],
        {},
    ),
    "a value with an equals sign": (["--git-repo-url=https://x/?a=b", "--dataset=--store=T"], {}),
    "twins in the environment": (
        [],
        {"DATASURFACE_LOCK_WAIT": "7", "DATASURFACE_STRATEGY": "full", "DATASURFACE_DATASET": ""},
    ),
    "the option wins": (["--lock-wait=8"], {"DATASURFACE_LOCK_WAIT": "7"}),
}
NOT_PLAIN = {
    "help": ([*LEAST, "--help"], {}),
    "a value apart": ([*LEAST, "--dataset", "t"], {}),
    "an option given twice": ([*LEAST, "--store=T"], {}),
    "an empty value": ([*LEAST, "--dataset="], {}),
    "a flag": ([*LEAST, "--allow-deletes"], {}),
    "a flag in the environment": (LEAST, {"DATASURFACE_ALLOW_DELETES": "1"}),
    "an option that does not exist": ([*LEAST, "--datset=t"], {}),
    "an option that is missing": (LEAST[1:], {}),
    "no number": ([*LEAST, "--lock-wait=soon"], {}),
    "no such strategy": ([*LEAST, "--strategy=magic"], {}),
    "an argument": ([*LEAST, "x"], {}),
}


def read_by_typer(arguments, environment):
    seen = {}

    def noted(**options):
        seen.update(options)

    noted.__signature__ = inspect.signature(typer_command(merge), eval_str=True)
    noted.__annotations__ = get_type_hints(typer_command(merge), include_extras=True)
    app = typer.Typer()
    app.command()(noted)
    done = CliRunner().invoke(app, arguments, env=environment)
    assert done.exit_code == 0, done.output
    return seen


@pytest.mark.parametrize(("more", "environment"), PLAIN.values(), ids=PLAIN.keys())
def test_a_plain_line_means_the_same_to_both(more, environment):
    arguments = [*LEAST, *more]
    assert plain_options(merge, arguments, environment) == read_by_typer(arguments, environment)


def test_values_have_the_types_of_the_signature():
    options = plain_options(merge, [*LEAST, *PLAIN["a value of each kind"][0]], {})
    assert options["model"] == Path("/a b/c")
    assert (options["postgres_port"], options["lock_wait"], options["strategy"]) == (
        5433,
        1.5,
        StrategyOption.KEY_HASH_DIFF,
    )


@pytest.mark.parametrize(("arguments", "environment"), NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_what_is_not_plain_is_left_to_typer(arguments, environment):
    assert plain_options(merge, arguments, environment) is None


def test_a_plain_line_loads_nothing_that_only_typer_needs():
    line = ["merge-job", "merge", *LEAST, "--model=/nowhere"]
    code = f"""
import sys
from merge_jobs.cli import main
sys.argv = {line!r}
try:
    main()
finally:
    print({{name.partition(".")[0] for name in sys.modules}} & {{"pydantic", "rich", "sqlalchemy", "jsonschema"}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "DATASURFACE_RESULT_CODE=-1" in done.stdout
    assert done.stdout.endswith("set()\n")
