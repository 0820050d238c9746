"""The image, built and run where docker or podman is: read-only, as no root, from git to a committed merge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
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


class Engine:
    """docker, or podman, by its command line."""

    def __init__(self, program: str) -> None:
        self._program = program

    def __call__(self, *arguments: str, seconds: float = 240, **environment: str) -> str:
        """What it says on stdout. Fails the test with what it says else."""
        done = self._run(*arguments, seconds=seconds, **environment)
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
        return done.stdout.decode()

    def answers(self, *arguments: str, seconds: float) -> bool:
        try:
            return self._run(*arguments, seconds=seconds).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False

    def in_image(self, script: str) -> str:
        return self("run", *AS_A_POD, "--entrypoint=sh", IMAGE, "-c", script)

    def _run(self, *arguments: str, seconds: float, **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._program, *arguments],
            capture_output=True,
            timeout=seconds,
            check=False,
            env=os.environ | environment,
        )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Whichever is there, with the image built."""
    found = next((one for one in map(Engine, ("docker", "podman")) if one.answers("info", seconds=20)), None)
    if found is None:
        pytest.skip("neither does a Docker daemon answer nor is podman there: the image is not built")
    if not found.answers("image", "inspect", BASE, seconds=20) and not found.answers(
        "pull", "--quiet", BASE, seconds=300
    ):
        pytest.skip(f"the base image {BASE} is not to be had: name another with BASE_IMAGE")
    context = tmp_path_factory.mktemp("context")  # nothing is ignored there by mistake
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, context)
    builder = {} if found.answers("buildx", "version", seconds=20) else {"DOCKER_BUILDKIT": "0"}
    found(
        *("build", "--network=host", f"--file={context}/merge_jobs/Dockerfile", f"--build-arg=BASE_IMAGE={BASE}"),
        *("--build-arg=REVISION=abc", f"--tag={IMAGE}", str(context)),
        seconds=900,
        **builder,
    )
    return found


def test_the_image_runs_as_no_root_and_holds_neither_airflow_nor_a_compiler(engine):
    config = json.loads(engine("image", "inspect", "--format={{json .Config}}", IMAGE))
    assert (config["User"], config["Entrypoint"]) == ("10001:10001", ["merge-job"])
    assert config["Labels"]["org.opencontainers.image.revision"] == "abc"
    assert config["Labels"]["org.opencontainers.image.base.name"] == BASE
    assert engine.in_image("id -u").strip() == "10001"
    assert engine.in_image("command -v gcc cc g++ clang || echo none").strip() == "none"
    find = "import importlib.util as u; print(u.find_spec('airflow'), u.find_spec('merge_jobs') is not None)"
    assert engine.in_image(f'/opt/merge-job/bin/python -c "{find}"').split() == ["None", "True"]
    assert "Copy a producer's tables" in engine("run", *AS_A_POD, IMAGE)


@pytest.mark.parametrize(
    ("platform", "name", "milestoning", "user"),
    [
        ("YellowLive", "yellowlive", "live", "10001:10001"),
        ("YellowForensic", "yellowforensic", "forensic", "4711:0"),  # as OpenShift gives any user
    ],
)
def test_the_image_merges_read_only_as_no_root(engine, world: World, stand_in, platform, name, milestoning, user):
    row = {"original_platform_name": platform, "platform_name": name, "milestoning": milestoning}
    job = world.task(**row).job
    values = {one.name: world.secrets[one.secret][one.key] for one in job.secrets}
    environment = [f"--env={one}={value}" for one, value in {**values, TOKEN_VARIABLE: TOKEN}.items()]
    world.produce("INSERT INTO customers SELECT max(id) + 1, 'new' FROM customers")
    said = engine("run", *AS_A_POD, f"--user={user}", *environment, IMAGE, *job.run_arguments(f"image {name}"))
    reader = ResultReader(TOKEN)
    reader.feed(said)
    assert reader.result is not None, said
    assert (reader.result.code, reader.result.platform) == (ResultCode.DONE, platform)
    assert reader.result.model_commit == world.synced
    assert reader.result.total is not None
    assert reader.result.total.inserted > 0
    assert said.splitlines()[-1] == "DATASURFACE_RESULT_CODE=0"
