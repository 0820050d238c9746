"""README is true: every command stands in it, and every file it points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from airflow_plugin.cli.program import app as dagfactory
from merge_jobs.cli.app import app as merge_job

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def commands(program, name):
    for sub, command in getattr(program, "commands", {}).items():
        if getattr(command, "commands", None):
            yield from commands(command, f"{name} {sub}")
        else:
            yield f"{name} {sub}", command


ALL = [*commands(get_command(dagfactory), "dagfactory"), *commands(get_command(merge_job), "merge-job")]


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_every_command_stands_in_the_readme_and_has_help_with_an_example_and_exit_codes(name, command):
    assert f"`{name}" in README
    assert "Example: " in command.help
    assert "Exit codes: " in command.help


def test_the_readme_names_no_command_that_is_not_there():
    named = set(re.findall(r"^\| `((?:dagfactory|merge-job)(?: [a-z]+)+)", README, re.MULTILINE))
    assert named == {name for name, _ in ALL}


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_a_link_leads_somewhere(link):
    assert (ROOT / link).exists()
