"""The demo's model: a git repository with the example model, its places put in, with schedules or without."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

import config_schema
from airflow_plugin.demo.databases import READER, Databases
from airflow_plugin.demo.errors import DemoProgramFailed
from config_schema.load.git_errors import GitNotStarted

EXAMPLES = Path(config_schema.__file__).parent / "examples"
FILES = ("ecosystem.yaml", "dsg_platform_mapping.json")
MERGE_SECRET, SOURCE_SECRET = "postgres", "customer-db"
AUTHOR = ("-c", "user.name=demo", "-c", "user.email=demo@example.test")
# Not the user's git settings: a signed commit would ask for a pass phrase, a hook could refuse.
GIT_SETTINGS = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}


class DemoModel:
    """A repository in `folder`, made from the model in `template`; `sources` is where the producer is, if elsewhere."""

    def __init__(
        self, folder: Path, databases: Databases, template: Path = EXAMPLES, *, sources: Databases | None = None
    ) -> None:
        self.folder = folder
        self._databases = databases
        self._sources = sources or databases
        self._template = template

    def commit(self, *, scheduled: bool) -> None:
        """Write the model, with its own schedules or with none, and commit it. Raises StreamFactoryError."""
        if not (self.folder / ".git").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", "-b", "main")
        for name in FILES:
            shutil.copy(self._template / name, self.folder)
        path = self.folder / FILES[0]
        model = yaml.safe_load(path.read_text("utf-8"))
        self._put_places_in(model, scheduled)
        path.write_text(yaml.safe_dump(model, sort_keys=False), "utf-8")
        self._git("add", *FILES)
        if self._git("status", "--porcelain"):
            schedules = "with its schedules" if scheduled else "without schedules"
            self._git(*AUTHOR, "commit", "--quiet", "-m", f"The model, {schedules}")

    def secrets(self) -> dict[str, str]:
        """Return the secrets of a job, as environment variables."""
        passwords = self._databases.passwords
        return {
            "POSTGRES_USERNAME": "merge",
            "POSTGRES_PASSWORD": passwords["merge"],
            "CUSTOMER_DB_USERNAME": READER,
            "CUSTOMER_DB_PASSWORD": passwords[READER],
        }

    def _put_places_in(self, model: Any, scheduled: bool) -> None:
        at, source = ({"host": of.host, "port": of.port} for of in (self._databases, self._sources))
        for platform in model["platforms"]:
            platform["merge_store"] = {**at, "database": "datasurface_merge", "credential": MERGE_SECRET}
            platform["model"] = {"url": str(self.folder), "branch": "main"}
            platform["runner"] = "process"
            if not scheduled:
                platform.pop("schedule", None)
        for store in model["datastores"]:
            store["source"] = {**source, "database": "customer_db", "credential": SOURCE_SECRET}

    def _git(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=self.folder,
                env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | GIT_SETTINGS,
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            )
        except FileNotFoundError:
            raise GitNotStarted from None
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip()[-300:]
            program = f"git {arguments[0]} in {self.folder}"
            raise DemoProgramFailed(program, error.returncode, said, "Choose another --dir") from error
        return done.stdout.strip()
