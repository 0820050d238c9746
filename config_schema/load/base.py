"""Comparing a model with an earlier revision of its repository: which changes its author may not make."""

from __future__ import annotations

import tempfile
from pathlib import Path

from config_schema.errors import UnknownName
from config_schema.load.folder import MAPPING_FILE, has_model, is_code, load_placed, read_model
from config_schema.load.git import files_at
from config_schema.load.lines import with_lines
from config_schema.load.model_files import model_files
from config_schema.load.parts import YAML_FILE
from config_schema.model.ownership import (
    Author,
    code_changes,
    ecosystem_changes,
    mapping_changes,
    refusals,
)
from config_schema.problem import Problem, Rule

OWNER_MAKES_THE_CHANGE = Rule("DF1501", "A part of a model is changed by the team that owns it.")

# What Python may run of a folder.
CODE_SUFFIXES = frozenset({".py", ".pyc", ".pyo", ".pyd", ".so", ".pth", ".zip", ".egg"})


def ownership_problems(folder: Path, revision: str, author: Author) -> list[Problem]:
    """Return a problem for each part that changed since `revision` without its owner's consent.

    The history must contain `revision`. If there was no model then, nothing has an owner.

    Raises:
        GitError: git failed.
        ProblemsFound: the model itself is wrong.
        UnknownName: a team of the author did not exist at `revision`.
    """
    after, place = load_placed(folder)
    found: list[Problem] = []
    with tempfile.TemporaryDirectory(prefix="base-") as made:
        then = Path(made)
        files_at(folder, revision, then)
        if not has_model(then):
            return []
        before = read_model(then)
        if is_code(folder) or is_code(then):
            changes = code_changes(_differing_code(then, folder), before.ecosystem)
            found += [
                OWNER_MAKES_THE_CHANGE.problem(path, "", what, todo)
                for path, what, todo in refusals(changes, author, before.ecosystem)
            ]
    _check_teams(author, [team.name for team in before.ecosystem.teams])
    changes = ecosystem_changes(before.ecosystem, after.ecosystem)
    found += [
        OWNER_MAKES_THE_CHANGE.problem(*place(path), what, todo)
        for path, what, todo in refusals(changes, author, before.ecosystem)
    ]
    changes = mapping_changes((before.ecosystem, before.mappings), (after.ecosystem, after.mappings))
    found += [
        OWNER_MAKES_THE_CHANGE.problem(MAPPING_FILE, *finding)
        for finding in refusals(changes, author, before.ecosystem)
    ]
    return with_lines(folder, found)


def _differing_code(before: Path, after: Path) -> list[str]:
    """Return the code files, and those that select the model's file, that differ between both folders."""
    was, now = (_code(folder) for folder in (before, after))
    return sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))


def _code(folder: Path) -> dict[str, bytes]:
    found = {
        path.as_posix(): (folder / path).read_bytes() for path in model_files(folder) if path.suffix in CODE_SUFFIXES
    }
    if (folder / YAML_FILE).exists():
        found[YAML_FILE] = b""  # what stands in it belongs to the owners of its parts
    return found


def _check_teams(author: Author, teams: list[str]) -> None:
    for name in author.teams:
        if name not in teams:
            raise UnknownName("--team", "team", name, teams)
