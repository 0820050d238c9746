"""One model, an installation for each of its environments: each gets its own values, and a promotion is a git merge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import psycopg2
import pytest

import config_schema
from config_schema.names import ENVIRONMENT_VARIABLE
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.run.model_source import GitModel, model_by_git
from tests.database.sync.command import assert_one_clear_error, edit, git
from tests.warm_python import run_module

EXAMPLE = Path(config_schema.__file__).parent / "examples" / "environments"
BRANCHES = {"dev": "dev", "staging": "staging", "production": "main"}


class Installation:
    """The warehouse in one environment; commands run where only its merge store is known."""

    def __init__(self, dsn: str, model: Path) -> None:
        self.dsn, self.model = dsn, model

    def run(self, command: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {"PATH": os.environ["PATH"], "HOME": str(self.model.parent), "DAGFACTORY_WAREHOUSE_DSN": self.dsn}
        return run_module("airflow_plugin", command, self.model, *arguments, env=given | environment)

    def sync(self, environment: str, *arguments: object) -> str:
        done = self.run("sync", "--yes", "--environment", environment, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def ask(self, query: str) -> str:
        with psycopg2.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            ((found,),) = cursor.fetchall()
        return str(found)

    @property
    def config(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.ask("SELECT config_json FROM warehouse_airflow_dsg"))
        return found

    @property
    def source(self) -> dict[str, object]:
        """The source that jobs read, by the row of their model."""
        document = self.ask("SELECT document FROM warehouse_job_model WHERE kind = 'stream'")
        found: dict[str, object] = json.loads(document)["datastore"]["source"]
        return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The example, with a branch for each environment, in a repository that is itself."""
    folder = tmp_path / "model"
    shutil.copytree(EXAMPLE, folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=The model")
    edit(folder, "https://git.example/team/model.git", f"file://{folder}")
    for branch in ("dev", "staging"):
        git(folder, "branch", branch)
    return folder


@pytest.fixture
def installation(new_database, model):
    return lambda: Installation(new_database("merge").dsn, model)


def test_each_installation_gets_the_values_of_its_environment(installation):
    staging, production = installation(), installation()
    assert staging.sync("staging").splitlines()[0] == "for the environment staging"
    production.sync("production")
    assert (staging.config["schedule"], production.config["schedule"]) == ("*/10 * * * *", "* * * * *")
    assert (staging.config["git_repo_branch"], production.config["git_repo_branch"]) == ("staging", "main")
    assert (staging.source["host"], production.source["host"]) == ("pg-shop-copy", "pg-shop")
    assert staging.source["credential"] == "shop-reader-staging"
    assert staging.config["source_credential_secret_name"] == "shop-reader-staging"


def test_a_merge_store_of_another_environment_is_refused_and_left_as_it_is(installation):
    staging = installation()
    staging.sync("staging")
    before = staging.config
    for command in ("plan", "sync"):
        done = staging.run(command, "--environment", "production", DAGFACTORY_YES="1")
        assert_one_clear_error(done, "Warehouse", "that of the environment staging, and production is chosen", "DF3008")
    assert staging.config == before


def test_nothing_is_synced_while_no_environment_is_chosen(installation):
    done = installation().run("sync", DAGFACTORY_YES="1")
    assert_one_clear_error(done, "the environments dev, staging, production", "--environment", "DF1120")


def test_the_settings_of_an_installation_say_which_it_is(installation, tmp_path):
    staging = installation()
    bootstrap = ("bootstrap", "--environment", "staging", "--out", tmp_path, "--model", staging.model)
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    assert run_module("airflow_plugin", *bootstrap, env=given).returncode == 0
    settings = json.loads((tmp_path / "settings" / "warehouse.settings.json").read_text())
    assert (settings["environment"], settings["source_hosts"]) == ("staging", ["pg-shop-copy:5432"])
    done = staging.run("plan", "--json", DAGFACTORY_SETTINGS_DIR=str(tmp_path / "settings"))
    assert json.loads(done.stdout)["environment"] == "staging"


def test_a_promotion_is_a_git_merge(installation):
    staging, production = installation(), installation()
    model = staging.model
    production.sync("production")
    git(model, "checkout", "--quiet", "staging")
    edit(model, "      - {name: amount", "      - {name: note, type: text}\n          - {name: amount")
    staging.sync("staging")
    git(model, "checkout", "--quiet", "main")
    assert "1 unchanged" in production.sync("production")
    git(model, "merge", "--quiet", "staging")
    production.sync("production")
    columns = (
        "SELECT document::jsonb #> '{datastore,datasets,0,columns}' FROM warehouse_job_model WHERE kind = 'stream'"
    )
    assert "note" in staging.ask(columns)
    assert staging.ask(columns) == production.ask(columns)
    assert production.source["host"] == "pg-shop"


def test_a_job_that_reads_git_gets_the_values_too(installation, monkeypatch):
    staging = installation()
    staging.sync("staging")
    parts = psycopg2.extensions.parse_dsn(staging.dsn)
    where = parts["host"], int(parts["port"]), parts["dbname"], "public", parts["user"], parts["password"]
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "staging")
    git_model = GitModel(f"file://{staging.model}", "staging", "git")
    model, commit = model_by_git(git_model, ConnectionInfo(*where), "Warehouse")
    assert model.ecosystem.datastores[0].source.host == "pg-shop-copy"
    assert commit == git(staging.model, "rev-parse", "staging")


def test_validate_checks_all_environments(model):
    def validate() -> subprocess.CompletedProcess[str]:
        return run_module("airflow_plugin", "validate", model, env={"PATH": os.environ["PATH"], "HOME": str(model)})

    assert "no problem in dev, staging, production. 1 platforms, 1 streams." in validate().stdout
    edit(model, "host: pg-staging, credential", "port: 0, credential")
    done = validate()
    assert done.returncode == 1
    assert "platforms[0].environments[1].merge_store.port" in done.stderr
