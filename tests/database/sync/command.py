"""What tests of `dagfactory` as people run it share: a model in git, its changes, and one clear error."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    done = subprocess.run(["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def edit(model: Path, old: str, new: str, file: str = "ecosystem.yaml", *, commit: bool = True) -> None:
    text = (model / file).read_text()
    assert old in text
    (model / file).write_text(text.replace(old, new))
    if commit:
        git(model, "commit", "--quiet", "--all", "--message=Change it")


def assert_one_clear_error(done: subprocess.CompletedProcess[str], *said: str, show: str = "") -> None:
    assert done.returncode == 1
    assert done.stdout == "" or show == "plan"
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    for text in said:
        assert text in done.stderr
