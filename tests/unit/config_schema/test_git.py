"""Fetching a model from git: real repositories on disk; servers over HTTP are another test's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from config_schema.load.git import checkout, commit_if_any, commit_of
from config_schema.load.git_errors import AddressRefused, GitError, NotCommitted, RepositoryMissing, RevisionMissing


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "name: one")
    return folder


def commit(folder: Path, text: str) -> str:
    (folder / "ecosystem.yaml").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", text)
    return git(folder, "rev-parse", "HEAD")


def test_the_head_of_a_branch_is_fetched_alone(repository, tmp_path):
    head = commit(repository, "name: two")
    assert checkout(f"file://{repository}", "main", None, tmp_path / "got") == head
    assert (tmp_path / "got" / "ecosystem.yaml").read_text() == "name: two"
    assert git(tmp_path / "got", "rev-list", "--count", "HEAD") == "1"


def test_a_recorded_commit_is_fetched_though_the_branch_went_on(repository, tmp_path):
    recorded = commit_of(repository)
    commit(repository, "name: two")
    assert checkout(str(repository), "main", recorded, tmp_path / "got") == recorded
    assert (tmp_path / "got" / "ecosystem.yaml").read_text() == "name: one"


@pytest.mark.parametrize(
    ("url", "branch", "wanted", "kind", "said"),
    [
        ("{repository}", "nope", None, RevisionMissing, "no such branch or commit"),
        ("{repository}", "main", "0" * 40, RevisionMissing, "the branch 'main' has no such commit"),
        ("{repository}", "main", "--force", RevisionMissing, "the branch 'main' has no such commit"),
        ("{repository}", "main", "refs/heads/main", RevisionMissing, "the branch 'main' has no such commit"),
        ("/nowhere/at/all", "main", None, RepositoryMissing, "this is no git repository"),
    ],
)
def test_what_cannot_be_fetched_is_one_clear_error(repository, tmp_path, url, branch, wanted, kind, said):
    with pytest.raises(kind, match=said) as caught:
        checkout(url.format(repository=repository), branch, wanted, tmp_path / "got")
    assert (getattr(caught.value, "revision", None), caught.value.retryable) == (wanted, False)


def test_a_branch_that_looks_like_an_option_is_no_option(repository, tmp_path):
    with pytest.raises(GitError):
        checkout(str(repository), "--upload-pack=touch /tmp/pwned", None, tmp_path / "got")
    with pytest.raises(GitError):
        checkout("--upload-pack=touch pwned", "main", None, tmp_path / "other")
    assert not (tmp_path / "other" / "pwned").exists()


def test_a_commit_that_is_not_on_the_branch_is_refused_though_the_server_would_give_it(repository, tmp_path):
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(repository, "checkout", "-q", "-b", "fork")
    stray = commit(repository, "name: stray")
    with pytest.raises(RevisionMissing) as missing:
        checkout(f"file://{repository}", "main", stray, tmp_path / "got")
    assert missing.value.revision == stray
    assert not (tmp_path / "got" / "ecosystem.yaml").exists()
    assert checkout(f"file://{repository}", "fork", stray, tmp_path / "other") == stray


def test_a_commit_is_found_however_far_back_it_is(repository, tmp_path):
    first = git(repository, "rev-parse", "HEAD")
    tree, head = git(repository, "rev-parse", "HEAD^{tree}"), first
    for number in range(120):
        head = git(repository, "commit-tree", tree, "-p", head, "-m", str(number))
    git(repository, "update-ref", "refs/heads/main", head)
    assert checkout(f"file://{repository}", "main", first, tmp_path / "got") == first


@pytest.mark.parametrize("url", ["ext::touch% {pwned}", "ext::sh% -c% touch% {pwned}", "fd::7"])
def test_an_address_that_runs_a_program_is_refused_whatever_the_users_settings_say(tmp_path, monkeypatch, url):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[protocol]\n\tallow = always\n")
    with pytest.raises(AddressRefused):
        checkout(url.format(pwned=tmp_path / "pwned"), "main", None, tmp_path / "got")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_repository_of_another_user_can_be_fetched(repository, tmp_path):
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 4711, 4711)
    checkout(str(repository), "main", None, tmp_path / "got")
    assert (tmp_path / "got" / "ecosystem.yaml").exists()


def test_settings_of_the_user_are_kept_and_none_are_needed(repository, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[url "file://{repository}"]\n\tinsteadOf = model:\n')
    monkeypatch.setenv("HOME", str(home))
    checkout("model:", "main", None, tmp_path / "got")
    monkeypatch.delenv("HOME")
    checkout(str(repository), "main", None, tmp_path / "other")


def test_a_model_that_is_changed_and_not_committed_has_no_commit(repository):
    (repository / "ecosystem.yaml").write_text("name: three")
    with pytest.raises(NotCommitted) as refused:
        commit_of(repository)
    assert refused.value.files == ("ecosystem.yaml",)


def test_a_file_beside_the_model_may_be_uncommitted(repository):
    (repository / "notes.txt").write_text("x")
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD")


def test_a_folder_that_is_not_in_git_has_no_commit(tmp_path):
    with pytest.raises(RepositoryMissing):
        commit_of(tmp_path)


def test_the_commit_of_a_folder_that_need_not_be_in_git(repository, tmp_path):
    inside = repository / "model"
    inside.mkdir()
    assert commit_if_any(inside) == git(repository, "rev-parse", "HEAD")
    nowhere, empty = tmp_path / "nowhere", tmp_path / "empty"
    nowhere.mkdir()
    empty.mkdir()
    git(empty, "init", "-q")
    assert (commit_if_any(nowhere), commit_if_any(empty)) == (None, None)


def test_a_repository_that_git_refuses_to_read_is_an_error_and_not_a_folder_outside_git(tmp_path):
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(RepositoryMissing):
        commit_if_any(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_repository_of_another_user_is_an_error_where_its_commit_is_asked_for(repository):
    os.chown(repository, 4711, 4711)
    os.chown(repository / ".git", 4711, 4711)
    with pytest.raises(GitError, match="dubious ownership"):
        commit_if_any(repository)
