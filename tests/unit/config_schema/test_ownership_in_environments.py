"""Owners' rules hold for what parts have in environments: it is the owner's, and reaches nothing of other teams."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from config_schema.load.base import ownership_problems
from config_schema.load.folder import load_placed
from config_schema.model.ownership import Author
from tests.unit.config_schema.test_ownership import CALLCENTRE, CRM, CUSTOMERS, EXAMPLES, PLATFORM, commit, edit, git

NEW_STORE = """datastores:
  - name: Own
    owner: callcentre
    source: {source}
    environments: [{{name: staging, source: {there}}}]
    datasets: [{{name: t, primary_key: [id], columns: [{{name: id, type: bigint, nullable: false}}]}}]
"""
OWN = "{host: pg-own, database: own, credential: own}"


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    """The teams' model with an environment, as the base has it, in a folder of a repository."""
    git(tmp_path, "init", "-q", "-b", "main")
    shutil.copytree(EXAMPLES / "teams", tmp_path / "model")
    edit(tmp_path / "model" / "ecosystem.yaml", "name:", "environments: [staging]\nname:")
    become_the_base(tmp_path)
    return tmp_path / "model"


def become_the_base(folder: Path) -> None:
    commit(folder)
    git(folder, "branch", "-q", "-f", "base")


def refused(folder: Path, author: Author) -> list[str]:
    return [problem.what for problem in ownership_problems(folder, "base", author)]


def in_staging(folder: Path, source: str) -> None:
    """Give the datastore of crm another source in staging."""
    edit(folder / CUSTOMERS, "    source:", f"    environments: [{{name: staging, source: {source}}}]\n    source:")


def add_store(folder: Path, there: str, source: str = OWN) -> None:
    (folder / "ecosystem" / "own.yaml").write_text(NEW_STORE.format(source=source, there=there))


def test_what_a_part_has_in_an_environment_is_changed_by_its_owner(owned):
    in_staging(owned, "{host: pg-staging}")
    assert refused(owned, CRM) == []
    (what,) = refused(owned, CALLCENTRE)
    assert "datastore" in what


def test_the_list_of_environments_belongs_to_the_owner_of_the_ecosystem(owned):
    edit(owned / "ecosystem.yaml", "[staging]", "[staging, dev]")
    assert len(refused(owned, CRM)) == 1
    assert refused(owned, PLATFORM) == []


def test_an_override_reaches_no_secret_of_another_team(owned):
    secret = next(s for s in load_placed(owned)[0].ecosystem.datastores if s.owner == "crm").source.credential
    add_store(owned, f"{{credential: {secret}}}")
    (what,) = refused(owned, CALLCENTRE)
    assert what.startswith(f"the secret {secret}, which Own names,")
    add_store(owned, "{credential: own-staging}")
    assert refused(owned, CALLCENTRE) == []


def test_a_secret_that_a_part_uses_in_one_environment_is_its_owners_in_all(owned):
    in_staging(owned, "{credential: of-staging}")
    become_the_base(owned)
    add_store(owned, "{port: 5433}", OWN.replace("credential: own", "credential: of-staging"))
    (what,) = refused(owned, CALLCENTRE)
    assert what.startswith("the secret of-staging, which Own names,")
