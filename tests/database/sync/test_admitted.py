"""A platform's own jobs send passwords where its settings say, whatever server, secret or repository a model names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from airflow_plugin.doctor.finding import Level
from airflow_plugin.doctor.model import repository_findings
from airflow_plugin.jobs.merge_job import environment_variables
from airflow_plugin.rows.platform_jobs import infrastructure
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.sync.source import model_of_folder
from config_schema import admitted
from config_schema.admitted import DatabaseNotAdmitted
from config_schema.load.git import is_server_of
from config_schema.load.git_errors import GitError
from config_schema.model import Database, GitRepository, Milestoning, Platform
from tests.kubernetes.git_server import GitServer
from tests.middle import PostgresMiddle

WORD = "the-owner-s-password"
SYNC = ("airflow_plugin", "sync", "{folder}", "--yes", "--platform=YellowLive")
VIEWS = ("merge_jobs", "views", "reconcile", "--model={folder}", "--platform=YellowLive", "--connect-wait=0")
SETTINGS = PlatformSettings(
    original_platform_name="YellowLive",
    runners=("process",),
    git_repo_url="https://git.example/m.git",
    git_repo_branch="main",
    git_credential_secret_name="git",
    postgres_hostname="store",
    postgres_port=5432,
    postgres_database="d",
    postgres_credential_secret_name="postgres",
    consumer_db_hostname="consumers",
    consumer_db_port=5433,
    consumer_db_database="c",
    consumer_db_credential_secret_name="consumer",
    consumer_reader_secret_name="reader",
)


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def model(folder: Path, port: int, **changes: object) -> Path:
    """A committed model whose merge store and consumers' database are on a port of this machine."""
    store = {"host": "127.0.0.1", "port": port, "database": "d", "credential": "postgres"}
    platform = {
        "name": "YellowLive",
        "milestoning": "live",
        "namespace": "ns",
        "image": "image",
        "model": {"url": "https://git.example/m.git"},
        "merge_store": store,
        "consumer_db": {**store, "database": "c", "credential": "consumer"},
        "consumer_reader": "reader",
        **changes,
    }
    key = {"name": "id", "type": "integer", "nullable": False}
    source = {"host": "127.0.0.1", "database": "d", "credential": "producer"}
    datastore = {
        "name": "Store1",
        "source": source,
        "datasets": [{"name": "t", "primary_key": ["id"], "columns": [key]}],
    }
    written = {"name": "Test", "platforms": [platform], "datastores": [datastore]}
    (folder / "ecosystem.yaml").write_text(yaml.safe_dump(written))
    (folder / "dsg_platform_mapping.json").write_text("[]")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "Model")
    return folder


def run(folder: Path, command: tuple[str, ...], variables: dict[str, str]) -> str:
    secrets = {f"{one}_{key}": WORD for one in ("POSTGRES", "CONSUMER", "READER") for key in ("USERNAME", "PASSWORD")}
    done = subprocess.run(
        [sys.executable, "-m", *(one.format(folder=folder) for one in command)],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **secrets, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    return done.stdout + done.stderr


def of_settings(port: int, **other: str) -> dict[str, str]:
    """The variable of a job whose settings name databases on this port."""
    store = admitted.database_words("127.0.0.1", port, "d", "postgres")
    consumers = admitted.database_words("127.0.0.1", port, "c", "consumer", "reader")
    return admitted.admitted_databases("YellowLive", **{"merge_store": store, "consumer_db": consumers, **other})


@pytest.mark.parametrize(("command", "role"), [(SYNC, "merge_store"), (VIEWS, "consumer_db")], ids=["sync", "views"])
@pytest.mark.parametrize("what", ["server", "secret"])
def test_a_job_asks_no_server_that_only_the_model_names(tmp_path, command, role, what):
    with PostgresMiddle().listening() as middle:
        folder = model(tmp_path, middle.port)
        port, database = middle.port, {"merge_store": "d", "consumer_db": "c"}[role]
        wrong = (port + 1, "postgres") if what == "server" else (port, "of-the-settings")
        words = admitted.database_words("127.0.0.1", wrong[0], database, wrong[1])
        printed = run(folder, command, of_settings(port, **{role: words}))
        assert middle.connections == 0
        assert f"{DatabaseNotAdmitted.code}]" in printed
        assert f"{role} in the model is not that of the platform's settings" in printed
        run(folder, command, of_settings(port))
        assert middle.connections > 0


def test_a_platform_without_a_database_for_consumers_in_its_settings_has_none_in_a_model(tmp_path):
    with PostgresMiddle().listening() as middle:
        folder = model(tmp_path, middle.port)
        none = json.dumps({**json.loads(of_settings(middle.port)[admitted.VARIABLE]), "consumer_db": None})
        printed = run(folder, VIEWS, {admitted.VARIABLE: none})
        assert (middle.connections, f"{DatabaseNotAdmitted.code}]" in printed) == (0, True)


def test_each_job_of_a_platform_is_given_the_databases_of_its_settings():
    wanted = {
        "platform": "YellowLive",
        "merge_store": "store:5432/d (postgres)",
        "consumer_db": "consumers:5433/c (consumer, reader)",
    }
    for job in infrastructure(SETTINGS):
        assert json.loads(environment_variables(job)[admitted.VARIABLE]) == wanted


@pytest.mark.parametrize(
    ("url", "known", "is_known"),
    [
        ("https://git.example/other.git", "https://git.example/m.git", True),
        ("https://git.example:443/other.git", "https://GIT.example/m.git", True),
        ("https://git.example/other.git", "git@git.example:team/m.git", True),
        ("https://git.example/other.git", "ssh://git@git.example:22/m.git", True),
        ("http://git.example/other.git", "https://git.example/m.git", False),
        ("http://git.example/other.git", "git@git.example:m.git", False),
        ("https://git.example:8443/m.git", "https://git.example/m.git", False),
        ("https://other.example/m.git", "https://git.example/m.git", False),
        ("https://git.example@other.example/m.git", "https://git.example/m.git", False),
        ("https://git.example:8443/m.git", "git@git.example:m.git", False),
        ("https://other.example/m.git", "/srv/other.example:m.git", False),
        ("/srv/m.git", "https://git.example/m.git", True),  # nobody is sent a token
    ],
)
def test_a_token_goes_to_a_server_that_the_model_is_from(url, known, is_known):
    assert is_server_of(url, [known]) is is_known


def test_doctor_sends_a_token_to_no_server_that_only_the_model_names(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_TOKEN", WORD)
    server = GitServer(tmp_path, WORD)
    try:
        server.commit({"ecosystem.yaml": "name: other\n"})
        store = Database("store", "d", "postgres")
        platform = Platform("YellowLive", Milestoning.LIVE, store, GitRepository(server.url), "ns", "image")
        (found,) = repository_findings(platform, SETTINGS)
        assert (found.level, set(server.seen)) == (Level.ERROR, {""})
        (found,) = repository_findings(platform, replace(SETTINGS, git_repo_url=server.url))
        assert found.level is Level.OK
    finally:
        server.close()


def test_sync_sends_its_token_to_no_other_server_that_a_model_names(tmp_path):
    (served := tmp_path / "served").mkdir()
    (folder := tmp_path / "model").mkdir()
    server = GitServer(served, WORD)
    try:
        source = model_of_folder(model(folder, 1), token=WORD)
        with pytest.raises(GitError):
            source.is_on(GitRepository(server.url))
        assert set(server.seen) == {""}
        git(folder, "remote", "add", "origin", server.url)
        server.commit({"ecosystem.yaml": "name: other\n"})
        assert source.is_on(GitRepository(server.url)) is False
        assert any(server.seen)
    finally:
        server.close()


@pytest.mark.parametrize("secret", ["dagfactory-airflow", "vault"])
def test_no_model_decides_which_variable_of_the_environment_is_a_git_token(tmp_path, monkeypatch, secret):
    """Whoever serves the model would get any variable that ends with _TOKEN, such as that for Airflow's API."""
    for variable in ("DAGFACTORY_AIRFLOW_TOKEN", "VAULT_TOKEN"):
        monkeypatch.setenv(variable, "a token for something else")
    (served := tmp_path / "served").mkdir()
    (folder := tmp_path / "model").mkdir()
    server = GitServer(served, WORD)
    try:
        server.commit({"ecosystem.yaml": "name: other\n"})
        repository = GitRepository(server.url, credential=secret)
        git(model(folder, 1), "remote", "add", "origin", server.url)
        with pytest.raises(GitError):
            model_of_folder(folder).is_on(repository)
        store = Database("store", "d", "postgres")
        platform = Platform("YellowLive", Milestoning.LIVE, store, repository, "ns", "image")
        (found,) = repository_findings(platform, replace(SETTINGS, git_repo_url=server.url))
        assert (found.level, set(server.seen)) == (Level.ERROR, {""})
        assert model_of_folder(folder, token=WORD).is_on(repository) is False
        assert any(server.seen)
    finally:
        server.close()
