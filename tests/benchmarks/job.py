"""The product as a platform runs it: the child process `python -m merge_jobs merge`, and its result line."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from airflow_plugin.demo.postgres import EmbeddedPostgres
from config_schema import names
from tests.benchmarks.customers import COLUMNS, KEY_TYPES

STORE = "Shop"
PLATFORMS = {"live": "BenchLive", "forensic": "BenchForensic"}
MERGE_TABLES = {
    mode: f'"{names.merge_table(names.platform_name(platform), STORE, "customers")}"'
    for mode, platform in PLATFORMS.items()
}
OPEN_ROWS = {"live": "", "forensic": "WHERE ds_batch_out = 2147483647"}
PASSWORD = "bench"


@dataclass(frozen=True)
class Ran:
    """One run of the job: what was measured from outside, and what it says of itself; `result` is empty if nothing."""

    seconds: float
    rss_mb: float
    cpu_seconds: float
    exit_code: int
    result: dict[str, Any]
    log: str

    @property
    def strategy(self) -> str:
        return str(self._dataset.get("strategy", "failed"))

    @property
    def reason(self) -> str:
        return str(self._dataset.get("reason") or self.result.get("error") or self.log[-500:])

    def counted(self, name: str) -> int:
        """inserted, updated, deleted, unchanged or total; -1 if the run says nothing of it."""
        return int(self._dataset.get("counts", {}).get(name, -1))

    @property
    def _dataset(self) -> dict[str, Any]:
        found: dict[str, Any] = self.result.get("datasets", {}).get("customers", {})
        return found


def write_model(folder: Path, server: EmbeddedPostgres, source: str, store: str, keys: str) -> None:
    """A model with a live and a forensic platform on the databases `source` and `store`."""

    def place(database: str) -> dict[str, Any]:
        credential = database.replace("_", "-")
        return {"host": server.host, "port": server.port, "database": database, "credential": credential}

    types = {**COLUMNS, "id": KEY_TYPES[keys]}
    dataset = {
        "name": "customers",
        "primary_key": ["id"],
        "columns": [{"name": name, "type": kind, "nullable": name != "id"} for name, kind in types.items()],
    }
    platform = {"namespace": "bench", "image": "none", "merge_store": place(store), "model": {"url": "file:///nowhere"}}
    model = {
        "name": "Bench",
        "platforms": [{"name": name, "milestoning": mode, **platform} for mode, name in PLATFORMS.items()],
        "datastores": [
            {"name": STORE, "consistency": "multi_dataset", "source": place(source), "datasets": [dataset]},
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ecosystem.yaml").write_text(yaml.safe_dump(model, sort_keys=False))
    (folder / "dsg_platform_mapping.json").write_text("[]")


def run_job(
    model: Path, mode: str, run_id: str, strategy: str, *more: str, before: Callable[[], None] | None = None
) -> Ran:
    """Run the job once, with `more` options, and wait for it; a run that fails is reported by its exit code.

    `before` is called in the process that becomes the job.
    """
    token = secrets.token_hex(8)
    report = model / "measured.json"
    merge = [sys.executable, "-m", "merge_jobs", "merge", f"--platform={PLATFORMS[mode]}", f"--store={STORE}"]
    options = [f"--model={model}", f"--run-id={run_id}", f"--strategy={strategy}", *more]
    measure = [sys.executable, "-I", str(Path(__file__).with_name("measure.py")), str(report)]
    done = subprocess.run(
        [*measure, *merge, *options],
        env={**_environment(), "DATASURFACE_RESULT_TOKEN": token, **_secrets(model)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        preexec_fn=before,
    )
    return Ran(**json.loads(report.read_text()), result=_result(done.stdout, token), log=done.stdout)


def _environment() -> dict[str, str]:
    """Ours, without the twins of the job's options."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DATASURFACE_")}


def _secrets(model: Path) -> dict[str, str]:
    ecosystem = yaml.safe_load((model / "ecosystem.yaml").read_text())
    databases = (ecosystem["platforms"][0]["merge_store"], ecosystem["datastores"][0]["source"])
    found = {}
    for database in databases:
        word = database["credential"].upper().replace("-", "_")
        found |= {f"{word}_USERNAME": database["database"], f"{word}_PASSWORD": PASSWORD}
    return found


def _result(log: str, token: str) -> dict[str, Any]:
    """The last result line that carries the token."""
    lines = [line.partition("=")[2] for line in log.splitlines() if line.startswith("DATASURFACE_RESULT={")]
    results = [json.loads(line) for line in lines]
    return next((result for result in reversed(results) if result.get("token") == token), {})
