"""`dagfactory bootstrap`: the files of each platform, written once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from typer.testing import CliRunner

import config_schema
from airflow_plugin.bootstrap.platform_files import platform_files
from airflow_plugin.bootstrap.write import FileChange, write
from airflow_plugin.cli.program import app
from airflow_plugin.settings import settings_from_json
from config_schema.errors import StreamFactoryError
from config_schema.load import load_model
from config_schema.model import Runner

EXAMPLES = Path(config_schema.__file__).parent / "examples"
FILES = [
    f"{folder}/{platform}{end}"
    for platform in ("yellowlive", "yellowforensic")
    for folder, end in (("dags", "_factory.py"), ("settings", ".settings.json"))
]


def bootstrap(out: Path, *options: str):
    return CliRunner().invoke(app, ["bootstrap", "--model", str(EXAMPLES), "--out", str(out), *options])


def test_it_writes_each_platforms_files_and_the_second_time_leaves_them_alone(tmp_path):
    assert bootstrap(tmp_path).stdout.splitlines() == [f"{tmp_path}/{file}: written" for file in FILES]
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert bootstrap(tmp_path).stdout.splitlines() == [f"{tmp_path}/{file}: unchanged" for file in FILES]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_only_the_platforms_asked_for(tmp_path):
    bootstrap(tmp_path, "--platform", "YellowForensic")
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [
        "yellowforensic.settings.json",
        "yellowforensic_factory.py",
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


@pytest.mark.parametrize("runner", Runner)
def test_the_settings_are_read_back_and_admit_the_runner_that_the_model_names(runner):
    platform = replace(load_model(EXAMPLES).ecosystem.platform("YellowLive"), runner=runner)
    text = platform_files(platform)[PurePosixPath("settings/yellowlive.settings.json")]
    settings = settings_from_json(text, "YellowLive", "here")
    assert settings.namespace_name == platform.namespace
    assert settings.datasurface_docker_image == platform.image
    assert set(settings.runners) == {runner.value, "kubernetes"}
    assert json.loads(text)["git_repo_url"] == platform.model.url


def test_a_factory_file_is_python_under_ten_lines():
    text = platform_files(load_model(EXAMPLES).ecosystem.platform("YellowLive"))[
        PurePosixPath("dags/yellowlive_factory.py")
    ]
    compile(text, "yellowlive_factory.py", "exec")
    assert 'publish(globals(), platform="YellowLive")' in text
    assert len(text.splitlines()) < 10


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "dags").write_text("a file stands where the folder should be")
    with pytest.raises(StreamFactoryError) as caught:
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
