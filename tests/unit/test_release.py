"""What a release stands on: every image by a digest or from the reviewed list, every action by a commit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "base_images.py"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
LIST = (ROOT / ".ci" / "base_images.txt").read_text()
DIGEST = "sha256:" + "a" * 64


def listed() -> dict[str, str]:
    lines = [line.split() for line in LIST.splitlines() if line and not line.startswith("#")]
    return {line[0]: line[1] for line in lines}


def run(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script with another list."""
    (folder / SCRIPT.name).write_text(SCRIPT.read_text())
    (folder / "base_images.txt").write_text(text)
    command = [sys.executable, str(folder / SCRIPT.name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_named_by_a_commit_and_every_image_by_a_digest(path: Path) -> None:
    text = path.read_text()
    actions = re.findall(r"\buses:\s*(\S+)", text)
    images = re.findall(r"\bimage:\s*(\S+)", text)
    assert [one for one in actions if not re.fullmatch(r"[^@]+@[0-9a-f]{40}", one)] == []
    assert [one for one in images if not re.fullmatch(r"[^@]+@sha256:[0-9a-f]{64}", one)] == []


def test_the_release_workflow_asks_for_digests_before_anything_else() -> None:
    steps = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]["release"]["steps"]
    first = next(step["run"] for step in steps if "run" in step)
    assert first.splitlines()[0] == "python3 .ci/base_images.py check"


@pytest.mark.parametrize("dockerfile", ["merge_jobs/Dockerfile", "helm/airflow.Dockerfile"])
def test_every_image_of_a_dockerfile_comes_from_the_list(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text()
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
    for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        name = image.strip("${}")
        assert image == "${" + name + "}", image
        assert listed()[f"{dockerfile}:{name}"].partition("@")[0] == defaults[name].partition("@")[0]


def test_the_charts_images_are_its_own_or_from_the_list() -> None:
    values = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text())
    found = {key: value["image"] for key, value in values.items() if isinstance(value, dict) and "image" in value}
    assert found.pop("airflow").startswith("airflow-stream-factory/")  # the release puts in what it has pushed
    assert found == {"postgres": listed()["helm/values.yaml:postgres.image"].partition("@")[0]}


def test_an_image_without_a_digest_is_refused_by_name(tmp_path: Path) -> None:
    done = run(tmp_path, f"# a comment\na:X one:1@{DIGEST}\nb:Y two:2\n", "check")
    assert (done.returncode, done.stdout) == (1, "")
    assert "b:Y: two:2 has no digest. Run make pin-images" in done.stderr
    assert "one:1" not in done.stderr
    assert run(tmp_path, "b:Y two:2\n", "get", "b:Y").stdout == ""


@pytest.mark.parametrize("image", [f"two:2@{DIGEST[:-1]}", "two:2@sha256:", f"two:2@{DIGEST}0", f"@{DIGEST}"])
def test_what_is_no_whole_digest_is_refused(tmp_path: Path, image: str) -> None:
    assert run(tmp_path, f"b:Y {image}\n", "check").returncode == 1


def test_a_pinned_image_is_given(tmp_path: Path) -> None:
    done = run(tmp_path, f"b:Y two:2@{DIGEST}\n", "get", "b:Y")
    assert (done.returncode, done.stdout) == (0, f"two:2@{DIGEST}\n")
