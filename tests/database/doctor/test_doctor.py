"""`dagfactory doctor` on a platform that is well, and with one thing after the other made wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing

import psycopg2
import pytest
from typer.testing import CliRunner

from airflow_plugin.cli.program import app
from airflow_plugin.doctor import versions
from config_schema.errors import UnknownName
from config_schema.sql.component_logins import Duty
from tests.database.doctor.conftest import EXAMPLES, Found

TABLE = "yellowlive_airflow_dsg"


def test_logins_that_may_do_more_than_they_need_are_named_with_those_that_there_are(well, monkeypatch):
    owner, reader = well.database.dsn, os.environ["DAGFACTORY_YELLOWLIVE_DSN"]
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", owner)
    level, area, text = well.only()
    assert (level, area) == ("warning", "logins")
    assert text.startswith(
        f"DAGFACTORY_YELLOWLIVE_DSN (dag-processor, workers): {well.database.name}, who owns the tables"
    )
    assert text.endswith(
        f"which is there: {', '.join(f'{well.database.name}_yellowlive_{one}' for one in ('reader', 'worker'))}"
    )
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", reader)
    monkeypatch.setenv("DAGFACTORY_WEB_DSN_YELLOWLIVE", well.database.superuser_dsn)
    assert "DAGFACTORY_WEB_DSN_YELLOWLIVE (api-server): postgres, who owns the tables" in well.only()[2]
    monkeypatch.setenv("DAGFACTORY_WEB_DSN_YELLOWLIVE", owner.replace("word", "wrong"))
    assert well.only()[:2] == ("error", "logins")


def test_an_installation_that_stands_is_shown_how_to_make_logins(well, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", well.database.dsn)
    monkeypatch.delenv("DAGFACTORY_WEB_DSN_YELLOWLIVE")
    with closing(psycopg2.connect(well.database.superuser_dsn)) as admin, admin, admin.cursor() as cursor:
        for duty in Duty:
            role = f"{well.database.name}_yellowlive_{duty.value}"
            cursor.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')
    level, area, text = well.only()
    assert (level, area) == ("warning", "logins")
    assert "(dag-processor, workers, api-server)" in text
    assert "Run dagfactory bootstrap --roles" in text
    assert well.doctor("--json") == [(level, area, text)]


def test_where_all_is_well_every_line_is_ok(well):
    assert well.doctor() == []
    done = CliRunner().invoke(app, ["doctor", "--dags", str(well.dags)])
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "this machine"
    assert f"ok settings {well.settings_file}" in lines
    assert f"ok factory files {well.factory_file}" in lines
    assert f"ok tables {TABLE} can be read, but not written: enough for the factory; no job has run yet" in lines
    assert any(line.startswith("ok streams 1 of 1 streams are fine: 1 active, 0 paused") for line in lines)
    assert any(line.startswith("ok connection DAGFACTORY_YELLOWLIVE_DSN: ") for line in lines)
    assert lines[-1].startswith("0 errors, 0 warnings, ")
    assert "pass word" not in done.stdout


def test_what_everybody_may_make_beside_consumers_views_is_shown_with_the_statement(well):
    name = well.database.name
    well.execute(f'GRANT TEMPORARY ON DATABASE "{name}" TO PUBLIC')
    level, area, text = well.only()
    assert (level, area) == ("warning", "rights")
    assert text.endswith(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC')
    well.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    _, _, text = well.only()
    for statement in text.partition("As its owner: ")[2].split("; "):
        well.execute(statement)
    assert well.doctor() == []


def test_it_changes_nothing(well):
    def state() -> list[tuple[str, int]]:
        return [(str(path), path.stat().st_mtime_ns) for path in sorted(well.home.rglob("*"))]

    before = state()
    well.doctor()
    assert state() == before


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        (lambda path: path.unlink(), "error", "there is no settings file in"),
        (lambda path: path.write_text("{"), "error", "not JSON"),
        (lambda path: path.chmod(0o666), "warning", "can be written by anyone, and it says what rows may do"),
    ],
)
def test_a_settings_file_that_is_missing_broken_or_open_to_all(well, change, level, said):
    change(well.settings_file)
    found_level, area, text = well.only()
    assert (found_level, area) == (level, "settings")
    assert said in text


def test_images_whose_name_may_mean_another_image_tomorrow_are_named(well):
    settings = json.loads(well.settings_file.read_text())
    images = {"datasurface_docker_image": "merge-job:latest", "allowed": {"datasurface_docker_image": ["m:1", "m"]}}
    well.settings_file.write_text(json.dumps({**settings, **images}))
    found = [text for level, area, text in well.doctor() if (level, area) == ("warning", "settings")]
    assert [text.partition(":")[0] for text in found] == ["merge-job"]
    assert "merge-job:latest, m: another image may stand under this name tomorrow" in found[0]


def test_settings_that_are_not_what_the_model_says(well):
    settings = json.loads(well.settings_file.read_text())
    well.settings_file.write_text(json.dumps({**settings, "namespace_name": "elsewhere", "max_chain": 7}))
    well.write(namespace_name="elsewhere")
    found = [one for one in well.doctor("--model", EXAMPLES, "--platform", "YellowLive") if one[1] == "settings"]
    assert [(level, text.partition(".")[0]) for level, _, text in found] == [
        ("warning", "the model says otherwise of: namespace_name")
    ]


def test_a_notifier_without_the_provider_that_it_needs(well, monkeypatch):
    settings = json.loads(well.settings_file.read_text())
    settings["notifiers"] = {"slack": {"connection": "slack_default"}}
    well.settings_file.write_text(json.dumps(settings))
    monkeypatch.setattr(versions, "SLACK", "apache-airflow-providers-nobody")
    level, area, text = well.only()
    assert (level, area) == ("error", "versions")
    assert "Install apache-airflow-providers-nobody" in text


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        (lambda file: file.unlink(), "error", "there is none in"),
        (lambda file: file.write_text(file.read_text() + "x = 1\n"), "warning", "is not what this version writes"),
        (lambda file: file.rename(file.with_name("yellowlive_factory_1_of_2.py")), "error", "_2_of_2.py not in"),
        (lambda file: shutil.copy(file, file.with_name("yellowlive_factory_1_of_2.py")), "error", "in more than one"),
    ],
)
def test_a_factory_file_that_is_missing_changed_incomplete_or_there_twice(well, change, level, said):
    change(well.factory_file)
    found = {(found_level, area) for found_level, area, text in well.doctor() if said in text}
    assert found == {(level, "factory files")}


def test_shards_that_bootstrap_wrote_are_well(well):
    command = ["bootstrap", "--model", str(EXAMPLES), "--out", str(well.home), "--platform", "YellowLive"]
    assert CliRunner().invoke(app, [*command, "--shards", "3"]).exit_code == 0
    assert well.doctor() == []


@pytest.mark.parametrize(
    ("change", "level", "area", "said"),
    [
        (lambda path: path.unlink(), "warning", "snapshot", "there is no"),
        (lambda path: path.write_text("x"), "error", "snapshot", "it is no snapshot. Remove it"),
        (lambda path: path.chmod(0o666), "error", "snapshot", "others than Airflow's user can have written it"),
        (lambda path: os.utime(path, (0, 0)), "error", "snapshot", "by the dag-processor of this machine. Look at its"),
    ],
)
def test_a_snapshot_that_is_missing_unusable_or_old(well, change, level, area, said):
    change(well.snapshot)
    found = well.only()
    assert found[:2] == (level, area)
    assert said in found[2]


def test_an_old_snapshot_is_reported_while_the_merge_store_is_away_too(well, monkeypatch):
    os.utime(well.snapshot, (0, 0))
    monkeypatch.setenv("DAGFACTORY_YELLOWLIVE_DSN", "postgresql://127.0.0.1:1/merge")
    assert [(level, area) for level, area, _ in well.doctor()] == [("error", "snapshot"), ("error", "connection")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_snapshot_of_another_user_is_left_to_that_user(well):
    os.chown(well.snapshot, 1, 1)
    level, area, text = well.only()
    assert (level, area) == ("warning", "snapshot")
    assert "belongs to" in text
    assert "Run this as the user of the dag-processor" in text


def test_the_models_repository_is_fetched_and_a_change_that_is_not_committed_is_reported(well, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(EXAMPLES, model)
    eco = model / "ecosystem.yaml"
    eco.write_text(eco.read_text().replace("https://git.example/team/model.git", str(model)))

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@t.example"]
        subprocess.run(["git", *identity, *arguments], cwd=model, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "model")

    def of_model() -> Found:
        return [one for one in well.doctor("--model", model, "--platform", "YellowLive") if one[1] == "model"]

    assert of_model() == []
    (model / "dsg_platform_mapping.json").write_text((model / "dsg_platform_mapping.json").read_text() + "\n")
    ((level, _, text),) = of_model()
    assert (level, "and sync refuses that" in text) == ("warning", True)
    git("branch", "-m", "other")
    assert [level for level, _, _ in of_model()] == ["warning", "error"]


def test_a_model_that_is_broken_is_reported_and_the_rest_looked_at(well, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ecosystem.yaml").write_text("name: [")
    found = well.doctor("--model", tmp_path / "broken")
    assert {(level, area) for level, area, _ in found} == {("error", "model")}


def test_platforms_are_those_of_settings_files_and_of_the_model_and_can_be_chosen(well, monkeypatch):
    monkeypatch.setenv("DAGFACTORY_YELLOWFORENSIC_DSN", "postgresql://127.0.0.1:1/merge")
    done = CliRunner().invoke(app, ["doctor", "--json", "--model", str(EXAMPLES)])
    platforms = [one["platform"] for one in json.loads(done.stdout)["findings"] if one["platform"]]
    assert list(dict.fromkeys(platforms)) == ["YellowLive", "YellowForensic"]
    with pytest.raises(UnknownName) as raised:
        well.doctor("--platform", "Yellow")
    assert raised.value.todo == "Did you mean 'YellowLive'? Choose from: YellowLive"


WITHOUT_AIRFLOW = """
import importlib.metadata, sys
from importlib.metadata import PackageNotFoundError

class NoAirflow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

found = importlib.metadata.version
def version(package):
    if package.startswith("apache-airflow"):
        raise PackageNotFoundError(package)
    return found(package)

importlib.metadata.version = version
sys.meta_path.insert(0, NoAirflow())
sys.argv = ["dagfactory", "doctor", "--model", sys.argv[1], "--platform", "YellowLive"]
from airflow_plugin.cli import main
main()
"""


def test_on_a_machine_that_only_syncs_it_works_without_airflow_and_says_so(well, monkeypatch):
    well.settings_file.unlink()
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_AIRFLOW, str(EXAMPLES)], capture_output=True, text=True, check=False
    )
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "warning versions Airflow is not installed: what it needs is not looked at [DF3601]" in lines
    assert any("warning factory files not checked, because there is no Airflow here" in line for line in lines)
    assert any(line.startswith("warning settings there is no ") for line in lines)
    assert any("POSTGRES_USERNAME and POSTGRES_PASSWORD are not set" in line for line in lines)
    assert done.stderr == ""


def test_a_static_file_with_the_dag_id_of_a_stream_is_named(well):
    file = well.dags / "victim.py"
    file.write_text('from airflow.sdk import DAG\nwith DAG("yellowlive__Store1_ingestion"):\n    pass\n')
    level, area, text = well.only()
    assert (level, area) == ("error", "streams")
    assert f"the DAG id yellowlive__Store1_ingestion is that of a DAG in {file}" in text
    assert "Retire the stream, or take the static file away" in text
