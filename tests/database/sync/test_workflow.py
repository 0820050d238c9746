"""The GitHub workflow for a model: valid, safe for forks, and its commands run here as they stand there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import EXAMPLES
from .test_command import edit, git

WORKFLOW = EXAMPLES / "github" / "model.yml"
JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]


def test_it_is_a_workflow_by_githubs_own_schema():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(WORKFLOW)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_pull_requests_run_without_secrets_and_without_rights_to_write():
    data = yaml.safe_load(WORKFLOW.read_text())
    assert set(data[True]) == {"pull_request", "push"}  # not pull_request_target; YAML reads `on` as true
    assert data["permissions"] == {"contents": "read"}
    assert JOBS["plan"]["if"] == "github.event_name == 'pull_request'"
    assert "permissions" not in JOBS["plan"]
    assert "secrets" not in json.dumps(JOBS["plan"])
    assert [
        step["with"]["persist-credentials"] for step in JOBS["plan"]["steps"] if "checkout" in step.get("uses", "")
    ] == [False]
    # Nothing that a pull request says is put into a script.
    assert all("${{" not in step.get("run", "") for job in JOBS.values() for step in job["steps"])


@pytest.fixture
def run(synced, tmp_path, monkeypatch):
    """A function that runs a job's steps, as bash does on a runner, in a fresh clone of the repository."""
    server = tmp_path / "server.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(server))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dagfactory").symlink_to(Path(sys.executable).with_name("dagfactory"))
    settings = tmp_path / "settings"

    def jobs_of(name: str, *branch: str) -> tuple[int, str, Path]:
        folder = tmp_path / f"runner-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        git(folder, "clone", "--quiet", *branch, str(server), "work")
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "RUNNER_TEMP": str(folder),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "DAGFACTORY_SETTINGS_DIR": str(settings),
            "GITHUB_BASE_REF": "main",
            "GITHUB_HEAD_REF": branch[0].removeprefix("--branch=") if branch else "main",
            "HEAD_REPOSITORY": "team/model",  # of the step's own environment
            **{key: synced.environment[key] for key in JOBS[name].get("env", {})},
        }
        said = ""
        for step in JOBS[name]["steps"]:
            if "run" not in step or step["name"] == "Install":
                continue
            done = subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=folder / "work",
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            said += done.stdout + done.stderr
            if done.returncode:
                return done.returncode, said, folder
        return 0, said, folder

    jobs_of.server = server
    return jobs_of


def test_a_pull_request_changes_only_what_its_repository_and_branch_own(run, tmp_path):
    model = tmp_path / "model"
    git(tmp_path, "clone", "--quiet", str(run.server), "model")
    git(model, "checkout", "--quiet", "-b", "main")
    shutil.copytree(EXAMPLES / "teams", model, dirs_exist_ok=True)
    edit(model, "company/model", "team/model", commit=False)
    git(model, "add", ".")
    git(model, "commit", "--quiet", "--message=Model")
    git(model, "push", "--quiet", "origin", "main")
    for branch in ("platform/often", "crm/often"):
        git(model, "checkout", "--quiet", "-b", branch, "main")
        edit(model, "*/5 * * * *", "*/2 * * * *")
        git(model, "push", "--quiet", "origin", branch)
    code, said, _ = run("plan", "--branch=crm/often")
    assert code == 1
    assert "the platform Live belongs to platform, and this change comes from team/model crm/often" in said
    _, said, _ = run("plan", "--branch=platform/often")
    assert ".: no problem. 1 platforms, 1 streams." in said


def test_a_merged_change_reaches_the_rows_and_a_broken_one_changes_nothing(run, synced, tmp_path):
    model = tmp_path / "model"
    git(tmp_path, "clone", "--quiet", str(run.server), "model")
    git(model, "checkout", "--quiet", "-b", "main")
    for name in ("ecosystem.yaml", "dsg_platform_mapping.json"):
        (model / name).write_bytes((EXAMPLES / name).read_bytes())
    git(model, "add", ".")
    git(model, "commit", "--quiet", "--message=Model")
    git(model, "push", "--quiet", "origin", "main")
    code, said, _ = run("sync")
    assert code == 0, said
    assert "2 created" in said

    git(model, "checkout", "--quiet", "-b", "change")
    edit(model, '"* * * * *"', '"@continuous"')
    git(model, "push", "--quiet", "origin", "change")
    rows = synced.rows()
    code, said, folder = run("plan", "--branch=change")
    assert code == 0, said
    comment = (folder / "comment.md").read_text()
    assert "schedule: * * * * * -> @continuous" in comment
    assert comment == (folder / "summary.md").read_text()
    assert synced.rows() == rows

    git(model, "checkout", "--quiet", "main")
    git(model, "merge", "--quiet", "change")
    git(model, "push", "--quiet", "origin", "main")
    code, said, _ = run("sync")
    assert code == 0, said
    assert json.loads(synced.rows()[0].config_json)["schedule"] == "@continuous"

    rows = synced.rows()
    edit(model, "primary_key", "primary_kee")
    git(model, "push", "--quiet", "origin", "main")
    for job in ("plan", "sync"):
        code, said, _ = run(job)
        assert code == 1
        assert "primary_kee" in said
    assert synced.rows() == rows
