"""`dagfactory bootstrap`: the files of each platform, written once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
import yaml
from typer.testing import CliRunner

import config_schema
from airflow_plugin.bootstrap.platform_files import platform_files, platform_settings
from airflow_plugin.bootstrap.write import FileChange, write
from airflow_plugin.cli.program import app
from airflow_plugin.rows.policy import refusals
from airflow_plugin.settings import PlatformSettings, settings_from_json
from airflow_plugin.sync.graph import stream_graph
from config_schema import names
from config_schema.errors import FileUnwritable, StreamFactoryError
from config_schema.load import load_model
from config_schema.model import Database, DatasetSink, Lake, Runner, SourceKind, StreamDefaults
from config_schema.tls import Tls

EXAMPLES = Path(config_schema.__file__).parent / "examples"
FILES = [
    f"{folder}/{platform}{end}"
    for platform in ("yellowlive", "yellowforensic")
    for folder, end in (
        ("dags", "_factory.py"),
        ("settings", ".settings.json"),
        ("kubernetes", ".values.yaml"),
        ("kubernetes", ".secrets.md"),
    )
]


def bootstrap(out: Path, *options: str):
    return CliRunner().invoke(app, ["bootstrap", "--model", str(EXAMPLES), "--out", str(out), *options])


def test_it_writes_each_platforms_files_and_the_second_time_leaves_them_alone(tmp_path):
    assert bootstrap(tmp_path).stdout.splitlines() == [f"{tmp_path}/{file}: written" for file in FILES]
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert bootstrap(tmp_path).stdout.splitlines() == [f"{tmp_path}/{file}: unchanged" for file in FILES]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_the_folder_of_a_lake_is_one_that_the_platforms_jobs_may_write():
    model = load_model(EXAMPLES)
    platform = replace(model.ecosystem.platforms[0], runner=Runner.PROCESS, lake=Lake("file:///mnt/lake"))
    assert platform_settings(platform, model).source_files == ("/mnt/lake/",)


def test_it_says_what_is_left_to_do_once_it_has_written_something(tmp_path):
    said = bootstrap(tmp_path, "--platform", "yellowlive").stderr.splitlines()
    assert said[0] == "Next:"
    steps = "\n".join(said)
    for step in (
        f"1. Put {tmp_path}/dags/*_factory*.py into Airflow's dags folder, and {tmp_path}/settings/*.json into",
        f"2. Create the secrets of {tmp_path}/kubernetes/yellowlive.secrets.md",
        "3. export DAGFACTORY_YELLOWLIVE_DSN=postgresql://USER:PASSWORD@pg-data:5432/datasurface_merge",
        f"4. dagfactory sync {EXAMPLES}",
        f"5. dagfactory doctor --model {EXAMPLES}",
    ):
        assert step in steps
    assert bootstrap(tmp_path, "--platform", "YellowLive").stderr == ""
    assert bootstrap(tmp_path, "--diff").stderr == ""


def test_a_step_that_is_done_is_not_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", "postgresql://anybody@localhost/merge")
    said = bootstrap(tmp_path, "--platform", "YellowLive", "--bundle").stderr
    assert "export" not in said
    assert "1. Set in Airflow what is printed above" in said


def test_only_the_platforms_asked_for(tmp_path):
    bootstrap(tmp_path, "--platform", "YellowForensic")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) == sorted(FILES[4:])


def test_values_for_the_chart_hold_the_other_files_to_the_letter(tmp_path):
    bootstrap(tmp_path, "--platform", "YellowLive", "--shards", "2")
    values = yaml.safe_load((tmp_path / "kubernetes/yellowlive.values.yaml").read_text())
    assert values == {
        "platforms": {
            "yellowlive": {
                "bundle": True,
                "settings": (tmp_path / "settings/yellowlive.settings.json").read_text(),
                "factoryFiles": {path.name: path.read_text() for path in (tmp_path / "dags").iterdir()},
            }
        }
    }


def test_platforms_that_run_elsewhere_need_nothing_of_kubernetes():
    model = load_model(EXAMPLES)
    platform = replace(model.ecosystem.platform("YellowLive"), runner=Runner.PROCESS)
    assert {path.parts[0] for path in platform_files(platform, model)} == {"dags", "settings"}


def test_a_secret_that_store_and_producers_share_is_listed_once_and_notifiers_have_theirs():
    model = load_model(EXAMPLES)
    (store,) = model.ecosystem.datastores
    store = replace(store, source=replace(store.source, credential="postgres"))
    model = replace(model, ecosystem=replace(model.ecosystem, datastores=(store,)))
    before = PlatformSettings(original_platform_name="YellowLive", notifiers={"slack": {"connection": "slack_default"}})
    files = platform_files(model.ecosystem.platform("YellowLive"), model, before=before)
    listed = files[PurePosixPath("kubernetes/yellowlive.secrets.md")]
    commands = [line.split(" create secret generic ") for line in listed.splitlines() if "create secret" in line]
    assert [(place, name.partition(" ")[0]) for place, name in commands] == [
        ("kubectl --namespace ns-yellow-live", "postgres"),
        ("kubectl --namespace ns-yellow-live", "git"),
        ("kubectl --namespace airflow", "stream-factory-dsn"),
        ("kubectl --namespace airflow", "slack"),
    ]


def test_diff_shows_what_would_change_and_writes_nothing(tmp_path):
    assert "+publish(globals(), platform=" in bootstrap(tmp_path, "--diff").stdout
    assert list(tmp_path.iterdir()) == []
    bootstrap(tmp_path)
    settings = tmp_path / FILES[1]
    settings.write_text(settings.read_text().replace("ns-yellow-live", "elsewhere"))
    shown = bootstrap(tmp_path, "--diff").stdout
    assert '-  "namespace_name": "elsewhere"' in shown
    assert '+  "namespace_name": "ns-yellow-live"' in shown
    assert f"{tmp_path}/{FILES[0]}: unchanged" in shown
    assert "elsewhere" in settings.read_text()
    assert f"{settings}: written" in bootstrap(tmp_path).stdout
    assert "ns-yellow-live" in settings.read_text()


def test_what_the_model_does_not_say_stays_as_it_is_in_the_settings_file(tmp_path):
    bootstrap(tmp_path)
    file = tmp_path / FILES[1]
    mine = {"allowed": {"resources": {"cpu": "2"}}, "max_chain": 7, "kubernetes_conn_id": "k8s"}
    file.write_text(json.dumps(json.loads(file.read_text()) | mine | {"namespace_name": "elsewhere"}))
    bootstrap(tmp_path)
    reported = json.loads(file.read_text())
    assert {key: reported[key] for key in mine} == mine
    assert reported["namespace_name"] == "ns-yellow-live"


def test_a_settings_file_that_cannot_be_used_is_reported_and_left_alone(tmp_path):
    bootstrap(tmp_path)
    (tmp_path / FILES[1]).write_text("{")
    done = bootstrap(tmp_path)
    assert isinstance(done.exception, StreamFactoryError)
    assert f"{tmp_path / FILES[1]}: not JSON" in str(done.exception)
    assert (tmp_path / FILES[1]).read_text() == "{"


@pytest.mark.parametrize("runner", Runner)
@pytest.mark.parametrize("original", ["YellowLive", "YellowForensic"])
def test_the_settings_are_read_back_and_admit_every_row_that_sync_makes_of_the_model(runner, original):
    model = load_model(EXAMPLES)
    streams = StreamDefaults(pool="ingest", priority=7, time_slice_seconds=50, service_account="merge-job")
    changed = {"runner": runner, "schedule": "@continuous", "streams": streams}
    platforms = tuple(replace(one, **changed) for one in model.ecosystem.platforms)
    model = replace(model, ecosystem=replace(model.ecosystem, platforms=platforms))
    platform = model.ecosystem.platform(original)
    short = names.platform_name(original)
    text = platform_files(platform, model)[PurePosixPath(f"settings/{short}.settings.json")]
    settings = settings_from_json(text, original, "here")
    (config,) = stream_graph(model.ecosystem, model.mappings)[original].values()
    assert refusals(config, settings, "row") == []
    assert settings.runners == (runner.value,)
    assert (settings.source_hosts, settings.source_credential_secret_names) == (("pg-data:5432",), ("customer-db",))


def test_a_platform_reads_only_the_sources_of_the_dataset_groups_that_it_serves():
    model = load_model(EXAMPLES)
    elsewhere = Database("pg-hr", "hr", "hr-db", port=5433)
    store = replace(model.ecosystem.datastores[0], name="Salaries", source=elsewhere)
    stores = (*model.ecosystem.datastores, store)
    sinks = (DatasetSink("Salaries", "customers"),)
    (workspace,) = model.ecosystem.workspaces
    live, forensic = workspace.dataset_groups
    workspace = replace(workspace, dataset_groups=(live, replace(forensic, sinks=sinks)))
    model = replace(model, ecosystem=replace(model.ecosystem, datastores=stores, workspaces=(workspace,)))
    found = {one.name: platform_settings(one, model) for one in model.ecosystem.platforms}
    assert found["YellowLive"].source_hosts == ("pg-data:5432",)
    assert found["YellowForensic"].source_hosts == ("pg-hr:5433",)
    assert found["YellowForensic"].source_credential_secret_names == ("hr-db",)
    assert found["YellowForensic"].source_credential_hosts == {"hr-db": ("pg-hr:5433",)}


def test_each_secret_is_assigned_to_the_servers_for_which_the_model_has_it():
    model = load_model(EXAMPLES)
    (one,) = model.ecosystem.datastores
    copy = replace(one, name="Copy", source=replace(one.source, host="pg-copy", port=5433))
    file = replace(one, name="File", source=replace(one.source, kind=SourceKind.SQLITE, database="/f", credential="no"))
    folder = replace(file, name="Folder", source=replace(file.source, kind=SourceKind.FILES, credential="none"))
    bucket = replace(one.source, kind=SourceKind.FILES, host="s3", port=443, database="s3://b/in", credential="s3")
    (workspace,) = model.ecosystem.workspaces
    live, forensic = workspace.dataset_groups
    stores = (one, copy, file, folder, replace(one, name="Bucket", source=bucket))
    sinks = tuple(DatasetSink(store.name, "customers") for store in stores)
    workspace = replace(workspace, dataset_groups=(replace(live, sinks=sinks), forensic))
    model = replace(model, ecosystem=replace(model.ecosystem, datastores=stores, workspaces=(workspace,)))
    settings = platform_settings(model.ecosystem.platform("YellowLive"), model)
    assert settings.source_credential_hosts == {
        "customer-db": ("pg-copy:5433", "pg-data:5432"),
        "no": (),
        "none": (),
        "s3": ("s3:443",),
    }
    assert settings_from_json(settings.to_json(), "YellowLive", "here") == settings


def test_assets_that_start_streams_of_the_model_are_admitted():
    model = load_model(EXAMPLES)
    (store,) = model.ecosystem.datastores
    store = replace(store, schedule_assets=("s3://landing/customers",))
    model = replace(model, ecosystem=replace(model.ecosystem, datastores=(store,)))
    settings = platform_settings(model.ecosystem.platform("YellowLive"), model)
    (config,) = stream_graph(model.ecosystem, model.mappings)["YellowLive"].values()
    assert refusals(config, settings, "row") == []
    (problem,) = refusals(config, replace(settings, schedule_assets=()), "row")
    assert problem.path == "schedule_assets[0]"


def test_a_source_that_is_a_file_has_no_server():
    model = load_model(EXAMPLES)
    (store,) = model.ecosystem.datastores
    store = replace(store, source=replace(store.source, kind=SourceKind.SQLITE, database="/data/customers.db"))
    model = replace(model, ecosystem=replace(model.ecosystem, datastores=(store,)))
    assert platform_settings(model.ecosystem.platform("YellowLive"), model).source_hosts == ()


def test_a_factory_file_is_python_under_ten_lines():
    model = load_model(EXAMPLES)
    text = platform_files(model.ecosystem.platform("YellowLive"), model)[PurePosixPath("dags/yellowlive_factory.py")]
    compile(text, "yellowlive_factory.py", "exec")
    assert 'publish(globals(), platform="YellowLive")' in text
    assert len(text.splitlines()) < 10


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "dags").write_text("a file stands where the folder should be")
    with pytest.raises(FileUnwritable) as caught:
        write(FileChange(tmp_path / "dags/x.py", None, "text"))
    assert caught.value.where == str(tmp_path / "dags/x.py")


def test_shards_write_a_file_each_and_those_of_another_number_of_shards_go(tmp_path):
    bootstrap(tmp_path, "--platform", "YellowLive")
    users_own = tmp_path / "dags" / "yellowlive_factory_1_of_2.py"
    users_own.write_text("# changed by hand\n")
    shown = bootstrap(tmp_path, "--platform", "YellowLive", "--shards", "3", "--diff").stdout
    assert f"{tmp_path}/dags/yellowlive_factory.py: would be removed" in shown
    assert {path.name for path in (tmp_path / "dags").iterdir()} == {"yellowlive_factory.py", users_own.name}

    said = bootstrap(tmp_path, "--platform", "YellowLive", "--shards", "3").stdout
    assert f"{tmp_path}/dags/yellowlive_factory.py: removed" in said
    parts = [f"yellowlive_factory_{number}_of_3.py" for number in (1, 2, 3)]
    assert {path.name for path in (tmp_path / "dags").iterdir()} == {*parts, users_own.name}
    assert 'publish(globals(), platform="YellowLive", shard="2/3")' in (tmp_path / "dags" / parts[1]).read_text()

    bootstrap(tmp_path, "--platform", "YellowLive")
    assert {path.name for path in (tmp_path / "dags").iterdir()} == {"yellowlive_factory.py", users_own.name}


def test_a_new_platform_is_reached_in_tls_and_one_that_stands_as_before(tmp_path):
    model = load_model(EXAMPLES)
    (platform, *_) = model.ecosystem.platforms

    def written(before: PlatformSettings | None, **store: object) -> PlatformSettings:
        one = replace(platform, merge_store=replace(platform.merge_store, **store))
        return platform_settings(one, model, before)

    assert written(None, tls=None).postgres_tls == "require"
    assert [written(None, tls=None, host=host).postgres_tls for host in ("localhost", "127.0.0.1", "::1")] == [None] * 3
    existing = written(None, tls=None, host="localhost")
    assert written(existing, tls=None).to_json() == replace(existing, postgres_hostname="pg-data").to_json()
    assert "tls" not in existing.to_json()
    full = written(existing, tls=Tls.VERIFY_FULL, tls_ca="pg-ca")
    assert (full.postgres_tls, full.postgres_tls_ca, full.tls_ca_names) == ("verify-full", "pg-ca", ("pg-ca",))
    assert settings_from_json(full.to_json(), platform.name, "test") == full
    assert written(full, tls=Tls.DISABLE).postgres_tls == "disable"


def test_the_cas_that_servers_are_verified_by_are_listed_where_pods_need_them():
    model = load_model(EXAMPLES)
    (platform, *_) = model.ecosystem.platforms
    store = replace(platform.merge_store, tls=Tls.VERIFY_FULL, tls_ca="pg-ca")
    files = platform_files(replace(platform, merge_store=store), model)
    text = files[PurePosixPath("kubernetes/yellowlive.secrets.md")]
    for namespace in ("ns-yellow-live", "airflow"):
        assert f"| `pg-ca` | `{namespace}` | `ca.crt` |" in text
        assert f"kubectl --namespace {namespace} create configmap pg-ca --from-file=ca.crt=pg-ca.crt" in text
