"""The workflows of a public repository name what this project has: its supported versions, and its own commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()


def jobs(workflow: str) -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / workflow).read_text()
    found: dict[str, Any] = yaml.safe_load(text)["jobs"]
    return found


def test_every_supported_airflow_that_make_test_does_not_run_has_a_job_of_its_own() -> None:
    older = re.search(r"^OLDER_AIRFLOWS := (.*)$", MAKEFILE, re.MULTILINE)
    assert older is not None
    assert jobs("ci.yml")["airflow"]["strategy"]["matrix"]["airflow"] == older[1].split()


def test_all_tests_run_on_the_oldest_python_and_on_a_newer_one() -> None:
    requires = re.search(r'^requires-python = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert requires is not None
    oldest, *newer = jobs("ci.yml")["test"]["strategy"]["matrix"]["python"]
    assert requires[1] == f">={oldest}"
    assert newer
    assert all(one in SpecifierSet(requires[1]) for one in newer)


def test_make_has_each_target_that_a_workflow_calls() -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))
    texts = " ".join(path.read_text() for path in sorted((ROOT / ".github" / "workflows").iterdir()))
    called = {word for words in re.findall(r"\bmake ((?:[a-z-]+ ?)+)", texts) for word in words.split()}
    assert called >= {"check", "test-unit", "test-airflow-versions"}
    assert called <= targets, called - targets
