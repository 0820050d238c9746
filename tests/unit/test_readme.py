"""README is true: every command stands in its tree, and every file it points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.readme import BEGIN, END, README, commands, summary, with_tree

ROOT = Path(__file__).parents[2]
TEXT = README.read_text("utf-8")
ALL = list(commands().items())


def names_in_the_tree():
    """Yield the full name of each line of the tree that stands in README."""
    path: list[str] = []
    for line in TEXT.partition(BEGIN)[2].partition(END)[0].strip("`\n").splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        path[depth:] = [line.split()[0]]
        yield " ".join(path)


def test_the_tree_in_the_readme_is_what_make_docs_writes():
    assert with_tree(TEXT) == TEXT, "run make docs"


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_every_command_stands_in_the_readme_and_has_help_with_an_example_and_exit_codes(name, command):
    assert name in names_in_the_tree()
    assert f"Example: {name}" in command.help or f" {name} " in command.help
    assert "Exit codes: " in command.help
    assert re.fullmatch(r"[A-Z][a-z]+ .{10,90}", summary(command))


def test_the_readme_names_no_command_that_is_not_there():
    groups = {name.rpartition(" ")[0] for name, _ in ALL} | {"dagfactory", "merge-job"}
    assert set(names_in_the_tree()) - groups == {name for name, _ in ALL}


def test_there_are_not_more_commands_than_a_person_finds():
    assert len(ALL) <= 54


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_a_link_leads_somewhere(link):
    assert (ROOT / link).exists()
