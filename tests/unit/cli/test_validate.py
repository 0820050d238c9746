"""`dagfactory validate --base`: as a workflow calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app

EXAMPLE = Path(config_schema.__file__).parent / "examples" / "teams"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model with a change that is not committed, of the datastore of the team crm."""
    folder = tmp_path / "model"
    shutil.copytree(EXAMPLE, folder)
    author = ["-c", "user.name=t", "-c", "user.email=t@example.test"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Model"]):
        subprocess.run(["git", *author, *arguments], cwd=folder, check=True)
    file = folder / "ecosystem" / "crm" / "customers.yaml"
    file.write_text(file.read_text().replace("varchar(100)", "varchar(200)"))
    return folder


def validate(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["validate", *map(str, arguments)])
    return done.exit_code, done.output if done.exception is None else f"{done.output}{done.exception}"


def test_the_owner_passes_by_repository_and_branch_or_by_name(model):
    passes = (0, f"{model}: no problem. 1 platforms, 1 streams.\n")
    assert validate(model, "--base", "main", "--repository", "company/model", "--branch", "crm/phone") == passes
    assert validate(model, "--base", "main", "--team", "crm") == passes
    assert validate(model) == passes


def test_others_are_refused_with_the_part_and_its_owner(model):
    code, said = validate(model, "--base", "main", "--repository", "company/model", "--branch", "main")
    assert code == 1
    assert "the datastore Customers belongs to crm" in said
    code, said = validate(model, "--base", "main", "--team", "callcentre", "--json")
    [problem] = json.loads(said.rsplit("}", 1)[0] + "}")["problems"]
    assert code == 1
    assert (problem["file"], problem["line"], problem["path"]) == ("ecosystem/crm/customers.yaml", 3, "datastores[0]")


def test_who_changes_is_nothing_without_a_base(model):
    code, said = validate(model, "--team", "crm")
    assert code == 2
    assert "--base" in said
