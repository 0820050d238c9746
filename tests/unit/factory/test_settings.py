"""The platform settings file: written and read back, its problems at once, and the defaults without one."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from psycopg2.extensions import parse_dsn

from airflow_plugin import settings
from airflow_plugin.settings import Allowed, PlatformSettings, platform_settings
from config_schema.errors import FileMalformed, ProblemsFound
from config_schema.schemas import json_schema


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_SETTINGS_DIR", str(tmp_path))
    return tmp_path


def test_what_is_written_is_read_back(folder):
    written = PlatformSettings(
        original_platform_name="YellowLive",
        namespace_name="ns-yellow-live",
        datasurface_docker_image="registry.example/merge-job:0.1.0",
        git_repo_url="https://git.example/team/model.git",
        git_repo_branch="main",
        git_credential_secret_name="git",
        postgres_hostname="pg-data",
        postgres_port=5432,
        postgres_database="datasurface_merge",
        postgres_credential_secret_name="postgres",
        slack_credential_secret_name="slack",
        source_credential_secret_names=("customer-db", "hr-db"),
        source_hosts=("pg-data:5432",),
        schedule="* * * * *",
        service_account="merge-job",
        pool="ingest",
        priority=7,
        time_slice_seconds=50,
        allowed=Allowed(
            namespace_name=("ns-two",),
            merge_stores=("pg-new:5432/datasurface_merge",),
            resources={"cpu": "2"},
            node_selector={"disk": ("ssd", "hdd")},
            tolerations=({"key": "dedicated", "operator": "Exists"},),
            priority={"from": 1, "to": 10},
            shortest_schedule=0,
        ),
        merge_store_schema="merge schema",
        runners=("process", "kubernetes"),
        merge_job_command=("/opt/merge-job",),
        kubernetes_conn_id="k8s",
        max_chain=7,
    )
    (folder / "yellowlive.settings.json").write_text(written.to_json())
    assert platform_settings("YellowLive") == written
    Draft202012Validator(json_schema("settings")).validate(json.loads(written.to_json()))


def test_without_a_file_there_are_the_defaults_and_the_name_of_the_file_that_is_missing(folder):
    assert platform_settings("YellowLive") == PlatformSettings(original_platform_name="YellowLive")
    assert platform_settings("YellowLive").platform_name == "yellowlive"
    assert platform_settings("YellowLive").missing_file == str(folder / "yellowlive.settings.json")


def test_every_problem_of_a_file_comes_at_once_with_its_path(folder):
    file = folder / "yellowlive.settings.json"
    file.write_text(
        '{"original_platform_name": "YellowLive", "runner": ["process"], "runners": ["shell"], "max_chain": 0}'
    )
    with pytest.raises(ProblemsFound) as raised:
        platform_settings("YellowLive")
    assert [(problem.file, problem.path) for problem in raised.value.problems] == [
        (str(file), "runner"),
        (str(file), "runners[0]"),
        (str(file), "max_chain"),
    ]
    assert "Did you mean 'runners'?" in str(raised.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"original_platform_name": "YellowForensic"}', "\ufeff"])
def test_a_file_that_is_no_settings_of_the_platform_is_refused(folder, text):
    (folder / "yellowlive.settings.json").write_text(text)
    with pytest.raises(ProblemsFound, match=r"yellowlive\.settings\.json"):
        platform_settings("YellowLive")


def test_the_schema_is_a_schema_and_each_key_has_a_description_and_an_example_that_holds():
    schema = json_schema("settings")
    Draft202012Validator.check_schema(schema)
    for example in schema["examples"]:
        Draft202012Validator(schema).validate(example)
    for key, of in schema["properties"].items():
        assert of["description"], key
        for example in of["examples"]:
            Draft202012Validator(of).validate(example)


def test_a_dsn_in_the_environment_is_found_by_the_platforms_name(monkeypatch):
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", "postgresql://there/merge")
    assert settings.merge_store_dsn("yellowlive") == ("postgresql://there/merge", "DAGFACTORY_YELLOWLIVE_DSN")


PG_DATA = {"original_platform_name": "YellowLive", "postgres_hostname": "pg-data"}


def parts_of(monkeypatch, folder, dsn, **keys):
    (folder / "yellowlive.settings.json").write_text(json.dumps(PG_DATA | keys))
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", dsn)
    found, where = settings.merge_store_dsn("yellowlive")
    assert where == "DAGFACTORY_YELLOWLIVE_DSN"
    assert settings.web_dsn("yellowlive") == (found, where)
    return parse_dsn(found)


@pytest.mark.parametrize(
    ("dsn", "keys", "wanted"),
    [
        ("postgresql://u:p%20w@pg-data/merge", {}, {}),
        ("postgresql://u:p%20w@pg-data/merge", {"postgres_tls": "require"}, {"sslmode": "require"}),
        ("postgresql://u:p%20w@pg-data/merge?sslmode=prefer", {"postgres_tls": "require"}, {"sslmode": "require"}),
        # The stronger of the two, whoever says it.
        ("postgresql://u:p%20w@pg-data/merge?sslmode=disable", {"postgres_tls": "require"}, {"sslmode": "require"}),
        ("postgresql://u:p%20w@pg-data/merge?sslmode=disable", {}, {"sslmode": "disable"}),
        (
            "postgresql://u:p%20w@pg-data/merge?sslmode=verify-full&sslrootcert=/mine.crt",
            {"postgres_tls": "require"},
            {"sslmode": "verify-full", "sslrootcert": "/mine.crt"},
        ),
        (
            "postgresql://u:p%20w@pg-data/merge",
            {"postgres_tls": "require", "least_tls": "verify-full", "postgres_tls_ca": "pg-ca"},
            {"sslmode": "verify-full", "sslrootcert": "/etc/dagfactory/tls/pg-ca/ca.crt"},
        ),
        # A proxy on this machine: it is the proxy that reaches the merge store.
        ("postgresql://u:p%20w@127.0.0.1:6432/merge", {"least_tls": "verify-full"}, {}),
        ("host=/run/postgresql user=u password='p w' dbname=merge", {"postgres_tls": "require"}, {}),
        (
            "postgresql://u:p%20w@127.0.0.1/merge",
            {"postgres_tls": "require", "postgres_hostname": "localhost"},
            {"sslmode": "require"},
        ),
    ],
)
def test_a_dsn_is_in_tls_as_the_settings_say(monkeypatch, folder, dsn, keys, wanted):
    monkeypatch.delenv("PGSSLMODE", raising=False)
    found = parts_of(monkeypatch, folder, dsn, **keys)
    assert {key: found[key] for key in found.keys() & {"sslmode", "sslrootcert"}} == wanted
    assert (found["user"], found["password"], found["dbname"]) == ("u", "p w", "merge")


def test_settings_whose_word_on_tls_cannot_be_read_weaken_nothing(monkeypatch, folder):
    for text in ("{", "[]", json.dumps(PG_DATA | {"postgres_tls": "prefer"})):
        (folder / "yellowlive.settings.json").write_text(text)
        monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", "postgresql://pg-data/merge")
        with pytest.raises(FileMalformed, match="TLS"):
            settings.merge_store_dsn("yellowlive")
