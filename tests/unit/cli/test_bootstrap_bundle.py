"""`dagfactory bootstrap --bundle`: what is set in Airflow, what becomes of factory files, and how the chart has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import config_schema
from airflow_plugin.cli.program import app
from airflow_plugin.factory.bundle_config import CLASSPATH, configured, of_platform, settings_text, with_streams

EXAMPLES = Path(config_schema.__file__).parent / "examples"


def bootstrap(out: Path, *options: str):
    done = CliRunner().invoke(app, ["bootstrap", "--model", str(EXAMPLES), "--out", str(out), *options])
    assert done.exit_code == 0, done.output
    return done


def has_bundle(out: Path) -> bool:
    values = yaml.safe_load((out / "kubernetes" / "yellowlive.values.yaml").read_text())
    return values["platforms"]["yellowlive"].get("bundle", False)


def test_it_prints_what_to_set_and_what_that_means_for_other_files(tmp_path):
    shown = bootstrap(tmp_path, "--bundle").stdout
    assert "[dag_processor]\ndag_bundle_config_list = [" in shown
    line = next(line for line in shown.splitlines() if line.startswith("dag_bundle_config_list"))
    bundles = json.loads(line.partition(" = ")[2])
    assert of_platform(bundles, "YellowLive") == of_platform(bundles, "YellowForensic") == bundles[-1:]
    for setting in ("min_file_process_interval = 3600", "bundle_refresh_check_interval = 1"):
        assert setting in shown
    assert "What it means for other DAG files" in shown


def test_no_new_factory_files_and_those_that_are_there_are_left_for_queued_tasks(tmp_path):
    bootstrap(tmp_path / "new", "--bundle")
    assert not (tmp_path / "new" / "dags").exists()
    bootstrap(tmp_path)
    bootstrap(tmp_path, "--bundle")
    file = tmp_path / "dags" / "yellowlive_factory.py"
    assert 'publish_file(globals(), platform="YellowLive")' in file.read_text()
    bootstrap(tmp_path)  # as somebody does for another change of the model
    assert 'publish_file(globals(), platform="YellowLive")' in file.read_text()


def test_in_the_chart_a_new_platform_has_the_bundle_and_one_that_was_there_before_when_asked_for(tmp_path):
    bootstrap(tmp_path)
    assert has_bundle(tmp_path)
    values = tmp_path / "kubernetes" / "yellowlive.values.yaml"
    values.write_text(values.read_text().replace("    bundle: true\n", ""))
    bootstrap(tmp_path)
    assert not has_bundle(tmp_path)
    bootstrap(tmp_path, "--bundle")
    assert has_bundle(tmp_path)
    bootstrap(tmp_path)
    assert has_bundle(tmp_path)


def test_it_takes_no_number_of_shards(tmp_path):
    done = CliRunner().invoke(app, ["bootstrap", "--out", str(tmp_path), "--bundle", "--shards", "2"])
    assert done.exit_code == 2
    assert "the bundle chooses the number of files itself" in done.output


def test_bundles_that_are_configured_stay_and_so_do_other_platforms_of_ours():
    git = {"name": "git", "classpath": "airflow.providers.git.bundles.git.GitDagBundle", "kwargs": {"subdir": "dags"}}
    ours = {"name": "ours", "classpath": CLASSPATH, "kwargs": {"platforms": ["Old"], "refresh_interval": 1}}
    first, second = with_streams([ours, git], ["YellowLive", "Old"])
    assert first == git
    assert second == {**ours, "kwargs": {"platforms": ["Old", "YellowLive"], "refresh_interval": 1}}
    assert with_streams([first, second], ["YellowLive"]) == [first, second]
    assert json.dumps([first, second]) in settings_text([first, second])


@pytest.mark.parametrize("text", ["{}", "[1]", "[", '"x"'])
def test_a_setting_that_is_no_list_of_bundles_is_refused(text):
    with pytest.raises(ValueError, match=r"not a list of bundles|Expecting value"):
        configured(text)
