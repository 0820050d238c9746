"""A folder's model held against an earlier revision of its repository: which changes are not their author's to make."""

from __future__ import annotations

import tempfile
from pathlib import Path

from config_schema.errors import Problem, StreamFactoryError, choose_from
from config_schema.load.folder import MAPPING_FILE, has_model, load_placed, read_model
from config_schema.load.git import files_at
from config_schema.load.lines import with_lines
from config_schema.ownership import Author, ecosystem_changes, mapping_changes, refusals


def ownership_problems(folder: Path, revision: str, author: Author) -> list[Problem]:
    """A problem for each part that others than its owner have changed since `revision`, which the history contains.

    Nothing is owned where there was no model then. Raises GitError, ProblemsFound for a model that is wrong in itself,
    and StreamFactoryError for a team that was not there.
    """
    after, place = load_placed(folder)
    with tempfile.TemporaryDirectory(prefix="base-") as made:
        then = Path(made)
        files_at(folder, revision, then)
        if not has_model(then):
            return []
        before = read_model(then)
    _check_teams(author, [team.name for team in before.ecosystem.teams])
    changes = ecosystem_changes(before.ecosystem, after.ecosystem)
    found = [Problem(*place(path), what, todo) for path, what, todo in refusals(changes, author, before.ecosystem)]
    changes = mapping_changes((before.ecosystem, before.mappings), (after.ecosystem, after.mappings))
    found += [Problem(MAPPING_FILE, *finding) for finding in refusals(changes, author, before.ecosystem)]
    return with_lines(folder, found)


def _check_teams(author: Author, teams: list[str]) -> None:
    for name in author.teams:
        if name not in teams:
            raise StreamFactoryError("--team", f"the base has no team {name!r}", choose_from(name, teams))
