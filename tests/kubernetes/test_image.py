"""The image, built and run where a Docker daemon answers: read-only, as no root, from git to a committed merge."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from config_schema.result import TOKEN_VARIABLE, ResultCode, ResultReader
from tests.kubernetes.world import World

ROOT = Path(__file__).parents[2]
BASE = os.environ.get("BASE_IMAGE", "python:3.13-slim-bookworm")
IMAGE = "airflow-stream-factory/merge-job:test"
BUILT_FROM = (
    "pyproject.toml",
    "constraints.txt",
    "README.md",
    "LICENSE",
    "airflow_plugin",
    "config_schema",
    "merge_jobs",
)
AS_A_POD = (
    "--rm",
    "--network=host",
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
TOKEN = "the token of this try"


def docker(*arguments: str, seconds: float = 240, given: bytes = b"", **environment: str) -> str:
    """What docker says on stdout. Fails the test with what it says else."""
    done = _docker(*arguments, seconds=seconds, given=given, **environment)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout.decode()


def _docker(
    *arguments: str, seconds: float, given: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["docker", *arguments],
        input=given,
        capture_output=True,
        timeout=seconds,
        check=False,
        env=os.environ | environment,
    )


def answers(*arguments: str, seconds: float) -> bool:
    try:
        return _docker(*arguments, seconds=seconds).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def context() -> bytes:
    """What the image is built from, as a tar: a builder of any age takes it, and ignores nothing by mistake."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in BUILT_FROM:
            tar.add(ROOT / name, name, filter=lambda one: None if "__pycache__" in one.name else one)
    return packed.getvalue()


@pytest.fixture(scope="module")
def image() -> str:
    if not answers("version", seconds=20):
        pytest.skip("no Docker daemon answers: the image is not built")
    if not answers("image", "inspect", BASE, seconds=20) and not answers("pull", "--quiet", BASE, seconds=300):
        pytest.skip(f"the base image {BASE} is not to be had: name another with BASE_IMAGE")
    builder = {} if answers("buildx", "version", seconds=20) else {"DOCKER_BUILDKIT": "0"}
    docker(
        *("build", "--network=host", "--file=merge_jobs/Dockerfile", f"--build-arg=BASE_IMAGE={BASE}"),
        *("--build-arg=REVISION=abc", f"--tag={IMAGE}", "-"),
        seconds=900,
        given=context(),
        **builder,
    )
    return IMAGE


def in_image(image: str, script: str) -> str:
    return docker("run", *AS_A_POD, "--entrypoint=sh", image, "-c", script)


def test_the_image_runs_as_no_root_and_holds_neither_airflow_nor_a_compiler(image):
    config = json.loads(docker("image", "inspect", "--format={{json .Config}}", image))
    assert (config["User"], config["Entrypoint"]) == ("10001:10001", ["merge-job"])
    assert config["Labels"]["org.opencontainers.image.revision"] == "abc"
    assert config["Labels"]["org.opencontainers.image.base.name"] == BASE
    assert in_image(image, "id -u").strip() == "10001"
    assert in_image(image, "command -v gcc cc g++ clang || echo none").strip() == "none"
    find = "import importlib.util as u; print(u.find_spec('airflow'), u.find_spec('merge_jobs') is not None)"
    assert in_image(image, f'/opt/merge-job/bin/python -c "{find}"').split() == ["None", "True"]
    assert "Copies a producer's tables" in docker("run", *AS_A_POD, image)


@pytest.mark.parametrize(
    ("platform", "name", "milestoning", "user"),
    [
        ("YellowLive", "yellowlive", "live", "10001:10001"),
        ("YellowForensic", "yellowforensic", "forensic", "4711:0"),  # as OpenShift gives any user
    ],
)
def test_the_image_merges_read_only_as_no_root(image, world: World, stand_in, platform, name, milestoning, user):
    row = {"original_platform_name": platform, "platform_name": name, "milestoning": milestoning}
    job = world.task(**row).job
    values = {one.name: world.secrets[one.secret][one.key] for one in job.secrets}
    environment = [f"--env={one}={value}" for one, value in {**values, TOKEN_VARIABLE: TOKEN}.items()]
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    said = docker("run", *AS_A_POD, f"--user={user}", *environment, image, *job.run_arguments(f"image {name}"))
    reader = ResultReader(TOKEN)
    reader.feed(said)
    assert reader.result is not None, said
    assert (reader.result.code, reader.result.platform) == (ResultCode.DONE, platform)
    assert reader.result.model_commit == world.synced
    assert reader.result.total is not None
    assert reader.result.total.inserted > 0
    assert said.splitlines()[-1] == "DATASURFACE_RESULT_CODE=0"
