"""A merge store, and the example model to sync into it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import pytest

import config_schema
from airflow_plugin.control.model_state import ModelState
from airflow_plugin.control.session import ControlSession
from airflow_plugin.control.stream_table import StreamRow, StreamTable
from airflow_plugin.sync.apply import apply
from airflow_plugin.sync.graph import stream_graph
from airflow_plugin.sync.plan import read_plan
from airflow_plugin.sync.stores import merge_stores
from config_schema.load import load_model
from tests.database.sync.command import git
from tests.warm_python import run_module

EXAMPLES = Path(config_schema.__file__).parent / "examples"


@dataclass
class Synced:
    """The example model's platforms in one database, or each in its own; what the tests look at is read apart."""

    dsns: dict[str, str]

    def __post_init__(self) -> None:
        model = load_model(EXAMPLES)
        self.platforms = model.ecosystem.platforms
        self.graph = stream_graph(model.ecosystem, model.mappings)

    @property
    def environment(self) -> dict[str, str]:
        return {f"DAGFACTORY_{name.upper()}_DSN": dsn for name, dsn in self.dsns.items()}

    def stores(self):
        return merge_stores(self.platforms, self.environment)

    def sync(self, commit: str = "c1", **options):
        with self.stores() as stores:
            return apply(stores, self.graph, commit, **options)

    def plan(self, commit: str = "c1"):
        with self.stores() as stores:
            return read_plan(stores, self.graph, commit)

    def wants(self, platform: str = "YellowLive", **changed) -> None:
        """Another config of Store1 in the model."""
        self.graph[platform]["Store1"] = replace(self.graph[platform]["Store1"], **changed)

    def rows(self, platform: str = "yellowlive") -> list[StreamRow]:
        with psycopg2.connect(self.dsns[platform]) as connection:
            return StreamTable(ControlSession(connection, platform)).select(retired=True)

    def commit_recorded(self, platform: str = "yellowlive") -> str | None:
        with psycopg2.connect(self.dsns[platform]) as connection:
            return ModelState(ControlSession(connection, platform)).commit()

    def execute(self, query: str, *values, platform: str = "yellowlive") -> list[tuple]:
        with psycopg2.connect(self.dsns[platform]) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def tables(self, platform: str = "yellowlive") -> list[str]:
        query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
        return [name for (name,) in self.execute(query, platform=platform)]


@pytest.fixture
def synced(new_database) -> Synced:
    """Both platforms in one merge store."""
    dsn = new_database("merge").dsn
    return Synced({"yellowlive": dsn, "yellowforensic": dsn})


@pytest.fixture
def synced_apart(new_database) -> Synced:
    """Each platform in a merge store of its own."""
    return Synced({name: new_database("merge").dsn for name in ("yellowlive", "yellowforensic")})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("ecosystem.yaml", "dsg_platform_mapping.json"):
        shutil.copy(EXAMPLES / name, folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=The model")
    return folder


@pytest.fixture
def dagfactory(synced, tmp_path):
    """A function that runs the command with the merge store's DSN in its environment."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DAGFACTORY_YES": "1"}
        return run_module("airflow_plugin", *arguments, env=inherited | synced.environment | environment)

    return run
